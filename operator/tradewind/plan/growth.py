"""How much memory an expression may take. The engine counts its steps, and not how long the texts and lists become that `+`, `map` and
`filter` make."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tradewind.plan.pieces import LOOP, TEXT, blanked, chains, closed

LARGEST = 128 * 2**20
"""Bytes that an expression may come to, at most."""
TURNS = 10_000
"""Turns of all loops, after which the engine gives up."""
ELEMENT = 16
"""Bytes of an element of a list."""
_SCALAR = re.compile(r"\b(?:string|int|uint|double|size)\([^()]*\)|\.size\(\)")
_LIST = re.compile(r"(?<![\w)\]])\[[^\[\]]*\]")
_MADE = re.compile(r"(?<![\w)\]])\[[^\]]*[A-Za-z_]")
_MAKER = re.compile(r"([\w.]*)\s*\.\s*(?:map|filter)\s*\(")
_BEFORE = re.compile(r"([\w.]+)\s*$")
_AFTER = re.compile(r"\s*([\w.]+)\s*(?![\w.(\[])")


def bound(expression: str, values: Mapping[str, Any]) -> float:
    """Bytes of texts and lists that evaluating may make, at most: what each `+` joins, in every turn of every loop. An operand is
    looked up where it is a name; one that is worked out counts as the longest that there is."""
    plain = _SCALAR.sub("0", TEXT.sub("0", expression))
    words = _LIST.sub("0", plain)
    joins = [match.start() for match in re.finditer(r"\+", words)]
    if not joins:
        return 0
    loops = LOOP.findall(words)
    operands = [match for at in joins for match in (_BEFORE.search(words[:at]), _AFTER.match(words[at + 1 :]))]
    paths = [match[1].strip(".").split(".") if match else [""] for match in operands]
    sizes = [
        len(expression) if path[0].isdecimal() else None if path[0] in loops else _size(found(values, path))
        for path in paths
    ]
    if not loops and None not in sizes:
        return float(
            sum(filter(None, sizes)) * len(joins)
        )  # Nothing has to be searched: mostly so, and for each item of a fan-out.
    longest, inner, elements = _measured(values)
    worked_out = max(longest, len(expression)) * (len(loops) + 1)
    # What a loop goes over may be what the loops before it have joined already.
    grown = max(longest if _MADE.search(plain) else inner, len(expression)) * _grown(len(joins), len(loops))
    joined = sum(
        size if size is not None else grown if path[0] in loops else worked_out
        for size, path in zip(sizes, paths, strict=True)
    )
    turns = min(float(TURNS), float(elements + expression.count(",") + 1) ** len(loops))
    return joined * len(joins) * turns


def _grown(joins: int, loops: int) -> float:
    return (joins / loops + 1.0) ** (loops - 1) if loops else 1.0


def copied(expression: str, values: Mapping[str, Any]) -> float:
    """Bytes that the lists take that `map` and `filter` make, at most: at every turn the engine makes them anew."""
    plain = blanked(expression)
    makers = {match.end(): match[1] for match in _MAKER.finditer(plain)}
    total = 0.0
    for chain in chains(expression):
        value = found(values, chain.path)
        length = len(value) if isinstance(value, list | Mapping) else 0
        total += len(chain.links) * ELEMENT * float(length) ** 2
        for start, _ in chain.links:
            del makers[plain.index("(", start) + 1]
    if not makers:
        return total
    variables = set(LOOP.findall(plain))
    around = [(match.end(), closed(plain, match.end())) for match in LOOP.finditer(plain)]
    inner, elements = _lengths(values)
    elements = min(TURNS, elements + expression.count(","))
    for at, goes_over in makers.items():
        length = inner if goes_over.split(".")[0] in variables else elements
        # Its own turns times those of the loops around it are at most TURNS.
        turns = TURNS if any(start < at < end for start, end in around) else length
        total += ELEMENT * float(turns) * length
    return total


def _lengths(values: Mapping[str, Any]) -> tuple[int, int]:
    """The elements of the longest list within a list, and of all lists."""
    inner = elements = 0
    stack: list[tuple[Any, bool]] = [(value, False) for value in values.values()]
    while stack:
        value, within = stack.pop()
        if isinstance(value, Mapping):
            stack.extend((item, within) for item in value.values())
        elif isinstance(value, list):
            elements += len(value)
            inner = max(inner, len(value)) if within else inner
            stack.extend((item, True) for item in value)
    return inner, elements


def found(values: Mapping[str, Any], path: Sequence[str]) -> Any:
    """What a name with dots stands for, the first of which may be a part of a variable's name; None where that is not plain."""
    for at in range(len(path), 0, -1):
        value: Any = values.get(".".join(path[:at]))
        if value is None:
            continue
        for name in path[at:]:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value
    return None


def _size(value: Any) -> int | None:
    """Bytes of a value; None where there is none."""
    match value:
        case None:
            return None
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
        found = _size(value)
        size = ELEMENT if found is None else found
        longest = max(longest, size)
        inner = max(inner, size) if within else inner
        if isinstance(value, Mapping):
            elements += len(value)
            stack.extend((item, within) for item in value.values())
        elif isinstance(value, list):
            elements += len(value)
            stack.extend((item, True) for item in value)
    return longest, inner, elements
