"""The facts about one object: a label and a value per line."""

from collections.abc import Mapping, Sequence
from typing import Any

from tradewind.cli.output.terminal import Text

WIDTH = 12
"""Minimum width of the labels."""


def phase_fact(status: Mapping[str, Any], message: Any) -> tuple[str, str]:
    """The phase of an object and the reason for it."""
    phase = str(status.get("phase") or "not seen by an operator yet")
    return "Phase", f"{phase}: {message}" if message else phase


def labelled(facts: Sequence[tuple[str, str]]) -> list[Text]:
    """The lines, with all values aligned."""
    width = max([WIDTH, *(len(label) + 1 for label, _ in facts)])
    return [Text(f"{label + ':':{width}} {value}") for label, value in facts]
