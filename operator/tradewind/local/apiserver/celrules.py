"""Violated CEL rules of a structural schema, in the API server's words."""

from collections.abc import Iterator
from typing import Any

from tradewind.local.apiserver.errors import Cause
from tradewind.plan.schema_rules import broken


def violations(schema: dict[str, Any], value: Any, old: Any) -> Iterator[Cause]:
    """What is wrong with a value; `old` is its previous value."""
    for found in broken(schema, value, old):
        kind = _kind(found.value)
        if found.failed:
            yield Cause.invalid(found.path, f'"{kind}"', found.message)
        else:
            yield Cause(found.reason, found.path, f'Invalid value: "{kind}": {found.message}')


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else str(value)
