"""Kubernetes quantities of memory: `512Mi`, `1.5G`, `2e9`."""

import re
from decimal import Decimal

_FORM = re.compile(r"^([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:(Ki|Mi|Gi|Ti|Pi|Ei|m|k|M|G|T|P|E)|[eE]([+-]?[0-9]{1,3}))?$")
_FACTORS = {"m": Decimal("0.001")}
_FACTORS |= {unit: Decimal(1000) ** power for power, unit in enumerate(["k", "M", "G", "T", "P", "E"], 1)}
_FACTORS |= {unit: Decimal(1024) ** power for power, unit in enumerate(["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"], 1)}


def parse(quantity: str | int) -> Decimal:
    """The number of a quantity. Raises ValueError."""
    match = _FORM.match(str(quantity))
    if not match:
        raise ValueError(f"{quantity!r} is not a quantity: write e.g. 512Mi or 2Gi")
    number, unit, exponent = match.groups()
    return Decimal(number) * (_FACTORS[unit] if unit else Decimal(10) ** int(exponent or 0))
