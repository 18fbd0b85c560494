"""Functions for lists. The author of the expression sees their errors."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
from cel_expr_python import cel

from tradewind.model.bounded import OutOfBounds, checked
from tradewind.plan.cel.macros import SORTED
from tradewind.plan.cel.references import overload
from tradewind.plan.cel.sizes import holds_nul

LONGEST = 10_000
"""Elements of a list that `range` makes: as many as the turns of a loop."""
_LEAST, _MOST = -(2**63), 2**63 - 1
_DYN, _INT = cel.Type.DYN, cel.Type.INT
_LIST = cel.Type.List(_DYN)


def exact(impl: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose result the engine accepts unchanged; a text with U+0000 would end there."""

    def called(*args: Any) -> Any:
        found = impl(*args)
        if holds_nul(found):
            raise ValueError("a text contains the character U+0000, which expressions can't read")
        return found

    return called


def _alike(name: str, items: list[Any]) -> list[Any]:
    """The elements, if they are comparable. Raises ValueError."""
    kinds = {"number" if isinstance(item, int | float) and not isinstance(item, bool) else type(item) for item in items}
    if len(kinds) > 1 or kinds & {dict, list, type(None)}:
        what = "keys" if name == "sortBy" else "elements"
        raise ValueError(f"{name}: the {what} can't be compared: they have to be all numbers, or all texts")
    return items


def _some(name: str, items: list[Any]) -> list[Any]:
    if not items:
        raise ValueError(f"{name}: the list is empty")
    return items


def sort(items: list[Any]) -> list[Any]:
    """The elements in order."""
    return sorted(_alike("sort", items))


def sorted_(pairs: list[Any]) -> list[Any]:
    """The elements sorted by key, from pairs of key and element; the sort is stable."""
    _alike("sortBy", [pair[0] for pair in pairs])
    return [element for _, element in sorted(pairs, key=lambda pair: pair[0])]


def distinct(items: list[Any]) -> list[Any]:
    """Each element once, at its first position."""
    found: dict[Any, Any] = {}
    for item in items:
        found.setdefault(_key(item), item)
    return [*found.values()]


def _key(item: Any) -> bytes:
    """The same bytes for equal values: in JSON 1 and 1.0 are equal, 1 and true are not."""
    try:
        return orjson.dumps(checked([item]), option=orjson.OPT_SORT_KEYS)
    except OutOfBounds:
        return repr(item).encode()


def slice_(items: list[Any], start: int, end: int) -> list[Any]:
    """The elements from one index up to, but without, another."""
    if not 0 <= start <= end <= len(items):
        raise ValueError(f"slice: {start} to {end} is not within a list of {len(items)}")
    return items[start:end]


def flatten(items: list[Any]) -> list[Any]:
    """The elements, with nested lists replaced by their elements."""
    return [part for item in items for part in (item if isinstance(item, list) else [item])]


def range_(count: int) -> list[int]:
    """The integers from 0 up to, but without, `count`."""
    if not 0 <= count <= LONGEST:
        raise ValueError(f"range: {count} is not from 0 to {LONGEST}")
    return [*range(count)]


def sum_(items: list[Any]) -> Any:
    """The sum of the elements; 0 for an empty list."""
    if any(isinstance(item, bool) or not isinstance(item, int | float) for item in items):
        raise ValueError("sum: the elements have to be numbers")
    total = sum(items)
    if isinstance(total, int) and not _LEAST <= total <= _MOST:
        raise ValueError("integer overflow")
    return total


_OF_LISTS: dict[str, Callable[[list[Any]], Any]] = {
    "sort": sort,
    SORTED: sorted_,
    "distinct": distinct,
    "flatten": flatten,
    "sum": sum_,
    "min": lambda items: min(_alike("min", _some("min", items))),
    "max": lambda items: max(_alike("max", _some("max", items))),
    "first": lambda items: _some("first", items)[0],
    "last": lambda items: _some("last", items)[-1],
}
_GIVE_LISTS = frozenset({"sort", SORTED, "distinct", "flatten"})


def declarations() -> Iterator[Any]:
    """Declarations of these functions for the engine."""
    for name, impl in _OF_LISTS.items():
        gives = _LIST if name in _GIVE_LISTS else _DYN
        yield _declared(name, [_LIST], gives, impl, member=True)
    yield _declared("slice", [_LIST, _INT, _INT], _LIST, slice_, member=True)
    for name in ("range", "lists.range"):
        yield _declared(name, [_INT], cel.Type.List(_INT), range_, member=False)


def _declared(name: str, parameters: list[Any], gives: Any, impl: Callable[..., Any], *, member: bool) -> Any:
    id_ = f"tradewind_{name.replace('.', '_')}"
    return cel.FunctionDecl(name, [overload(id_, parameters, gives, exact(impl), member=member)])
