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
_TEXT = re.compile(r"""[rR]?("{3}|'{3}).*?\1|[rR]?"(?:\\.|[^"\\])*"|[rR]?'(?:\\.|[^'\\])*'""", re.DOTALL)
_SCALAR = re.compile(r"\b(?:string|int|uint|double|size)\([^()]*\)|\.size\(\)")
_LIST = re.compile(r"(?<![\w)\]])\[[^\[\]]*\]")
_LOOP = re.compile(r"\.\s*(?:map|filter|all|exists|exists_one|existsOne)\s*\(\s*(\w*)")
_BEFORE = re.compile(r"([\w.]+)\s*$")
_AFTER = re.compile(r"\s*([\w.]+)\s*(?![\w.(\[])")


def bound(expression: str, values: Mapping[str, Any]) -> float:
    """Bytes of texts and lists that evaluating may make, at most: what each `+` joins, in every turn of every loop. An operand is
    looked up where it is a name; one that is worked out counts as the longest that there is."""
    words = _LIST.sub("0", _SCALAR.sub("0", _TEXT.sub("0", expression)))
    joins = [match.start() for match in re.finditer(r"\+", words)]
    if not joins:
        return 0
    loops = _LOOP.findall(words)
    longest, inner, elements = _measured(values)
    worked_out = max(longest, len(expression)) * (len(loops) + 1)

    def size(operand: re.Match[str] | None) -> int:
        root, *path = operand[1].strip(".").split(".") if operand else [""]
        if root.isdecimal():
            return len(expression)
        if root in loops:
            return inner
        value: Any = values
        for name in (root, *path):
            if not isinstance(value, Mapping) or name not in value:
                return worked_out
            value = value[name]
        return _size(value)

    joined = sum(size(_BEFORE.search(words[:at])) + size(_AFTER.match(words[at + 1 :])) for at in joins)
    turns = min(float(TURNS), float(elements + expression.count(",") + 1) ** len(loops))
    return joined * len(joins) * turns


def _size(value: Any) -> int:
    match value:
        case str():
            return len(value) * (1 if value.isascii() else 4)
        case list():
            return len(value) * ELEMENT
        case _:
            return ELEMENT


def _measured(values: Mapping[str, Any]) -> tuple[int, int, int]:
    """The bytes of the longest text or list, of the longest within a list, and the number of all elements and keys."""
    longest, inner, elements = 0, 0, 0
    stack: list[tuple[Any, bool]] = [(value, False) for value in values.values()]
    while stack:
        value, within = stack.pop()
        longest = max(longest, _size(value))
        inner = max(inner, _size(value)) if within else inner
        if isinstance(value, Mapping):
            elements += len(value)
            stack.extend((item, within) for item in value.values())
        elif isinstance(value, list):
            elements += len(value)
            stack.extend((item, True) for item in value)
    return longest, inner, elements
