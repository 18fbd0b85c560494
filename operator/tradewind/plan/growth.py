"""How much memory an expression may take. The engine counts its steps, and not how long the texts and lists become that `+` makes."""

import re
from collections.abc import Mapping
from typing import Any

LARGEST = 128 * 2**20
"""Bytes that an expression may come to, at most."""
TURNS = 10_000
"""Turns of all loops, after which the engine gives up."""
ELEMENT = 16
"""Bytes of an element of a list."""
_LOOP = re.compile(r"\.\s*(?:map|filter|all|exists|exists_one|existsOne)\s*\(")


def bound(expression: str, values: Mapping[str, Any]) -> float:
    """Bytes of texts and lists that evaluating may make, at most: whatever is longest, joined in every turn of every loop, and each loop
    on what the one before made. Mostly far too much, and small all the same."""
    joins = expression.count("+")
    if not joins:
        return 0
    longest, elements = _measured(values)
    longest = max(longest, len(expression))
    loops = len(_LOOP.findall(expression))
    if not loops:
        return float(longest * (joins + 1))
    turns = min(float(TURNS), float(elements + expression.count(",") + 1) ** loops)
    return longest * turns * (joins / loops + 1) ** loops


def _measured(values: Mapping[str, Any]) -> tuple[int, int]:
    """The bytes of the longest text or list, and the number of all elements and keys."""
    longest, elements = 0, 0
    stack: list[Any] = [*values.values()]
    while stack:
        match stack.pop():
            case str() as text:
                longest = max(longest, len(text) * (1 if text.isascii() else 4))
            case Mapping() as found:
                elements += len(found)
                stack.extend(found.values())
            case list() as found:
                longest = max(longest, len(found) * ELEMENT)
                elements += len(found)
                stack.extend(found)
    return longest, elements
