"""Upper bounds of the sizes of values: estimated, and computed only once for large ones."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

VALUE_BYTES_LIMIT = 128 * 2**20
"""The maximum bytes of an expression's value."""
ELEMENT = 16
"""Bytes per element of a list in the engine."""
SCALAR = 16
"""Bytes of a number, and of its text."""
CONVERTED, COPIED = 0.15, 0.003
"""Microseconds: per element or key passed to or from the engine; per byte copied."""
CALLED, TAKEN = 3.0, 4.0
"""Microseconds per call of a Python function; the factor by which their arguments are larger than in the engine."""
KEPT, LARGE, FEW = 4 * 2**20, 4_096, 16
"""Bytes of values whose sizes are cached; the size from which values are cached, since many expressions use params; the
number of elements that are measured one by one."""


@dataclass(frozen=True, slots=True)
class Size:
    """The maximum size of a value. `bytes` counts everything in it, `length` its elements, or the bytes of a text."""

    bytes: float
    length: float = 0.0
    item: "Size | None" = None
    """The size of its largest element."""
    text: bool = False
    loose: bool = False
    """Whether the size of its parts is unknown: none is larger than the whole."""

    @property
    def inside(self) -> "Size":
        """The maximum size of its elements."""
        return self if self.loose else self.item or NUMBER


NUMBER = Size(SCALAR)
_SCALARS = {int, float, bool, type(None)}


class HoldsNul(ValueError):
    """A text contains the character U+0000, where the engine would end it."""


class Sizes:
    """Measures values, and caches the sizes of large ones by identity: values passed to an expression are never
    changed."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, tuple[Any, Size]] = OrderedDict()
        self._bytes = 0.0

    def of(self, value: Any) -> Size:
        """The size of plain data. Raises HoldsNul."""
        match value:
            case str():
                if "\0" in value:
                    raise HoldsNul
                return text(len(value) if value.isascii() else 4 * len(value))
            case list() | tuple() | Mapping():
                return self._of_many(value)
            case bytes() | bytearray():
                return text(len(value))
        return NUMBER

    def _of_many(self, value: Any) -> Size:
        known = self._kept.get(id(value))
        if known and known[0] is value:
            return known[1]
        size = self._of_map(value) if isinstance(value, Mapping) else self._of_list(value)
        if LARGE < size.bytes <= KEPT:
            self._keep(value, size)
        return size

    def _keep(self, value: Any, size: Size) -> None:
        """Caches a size and keeps its value alive: identity is the key."""
        self._kept[id(value)] = (value, size)
        self._bytes += size.bytes
        while self._bytes > KEPT:
            _, (_, dropped) = self._kept.popitem(last=False)
            self._bytes -= dropped.bytes

    def _of_map(self, value: Mapping[Any, Any]) -> Size:
        if len(value) > FEW:
            return _of_many([_json(value)], len(value))
        sizes = [self.of(part) for pair in value.items() for part in pair]  # a loop over a map iterates over its keys
        return _of_many(sizes, len(value))

    def _of_list(self, value: Sequence[Any]) -> Size:
        kinds = set(map(type, value))
        if kinds <= _SCALARS:
            return Size(SCALAR + (ELEMENT + SCALAR) * float(len(value)), float(len(value)), NUMBER)
        if kinds == {str}:
            if any("\0" in item for item in value):
                raise HoldsNul
            width = 1 if all(map(str.isascii, value)) else 4
            total = (ELEMENT + SCALAR) * len(value) + width * sum(map(len, value))
            return Size(float(total), float(len(value)), text(width * max(map(len, value))))
        return _of_many([self.of(item) for item in value] if len(value) <= FEW else [*map(_json, value)], len(value))


def text(length: float) -> Size:
    """The size of a text."""
    return Size(SCALAR + float(length), float(length), None, True)


def _of_many(items: list[Size], length: int) -> Size:
    """The size of a value with `length` elements, from the sizes of all that it contains."""
    if not items:
        return Size(SCALAR)
    total, largest = float(SCALAR), items[0]
    for item in items:
        total += ELEMENT + item.bytes
        largest = item if item.bytes > largest.bytes and item.loose else larger(largest, item)
    return Size(total, float(length), largest)


def _json(value: Any) -> Size:
    """The size of any part of a value, from its length as JSON: a quick estimate."""
    try:
        raw = orjson.dumps(value)
    except (TypeError, ValueError):
        return Size(2.0 * VALUE_BYTES_LIMIT, 2.0 * VALUE_BYTES_LIMIT, None, True, True)
    if b"\\u0000" in raw and holds_nul(value):
        raise HoldsNul
    size = float(len(raw))
    return Size(size + ELEMENT * (raw.count(b",") + 1), size, None, True, True)


def holds_nul(value: Any) -> bool:
    """Whether a text in some data contains U+0000."""
    stack = [value]
    while stack:
        found = stack.pop()
        if isinstance(found, str) and "\0" in found:
            return True
        stack.extend(
            [*found, *found.values()] if isinstance(found, Mapping) else found if isinstance(found, list) else ()
        )
    return False


def larger(one: Size, other: Size) -> Size:
    """An upper bound of two sizes."""
    if one.loose or other.loose:
        return Size(max(one.bytes, other.bytes), max(one.length, other.length), None, True, True)
    item = one.item if other.item is None else other.item if one.item is None else larger(one.item, other.item)
    return Size(max(one.bytes, other.bytes), max(one.length, other.length), item, one.text or other.text)


def taken(args: Iterable[Size]) -> float:
    """Microseconds to call a Python function, which converts everything in its arguments."""
    size = sum(arg.bytes for arg in args)
    return CALLED + size * COPIED + size / ELEMENT * 2 * CONVERTED
