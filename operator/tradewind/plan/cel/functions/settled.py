"""Internal functions that replace loops and arithmetic that the engine leaves undefined."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cel_expr_python import cel

from tradewind.plan.cel.references import overload
from tradewind.plan.cel.tree_rewrite import ARITHMETIC, KEYS

_LEAST, _MOST = -(2**63), 2**63 - 1
_DYN, _INT, _DOUBLE = cel.Type.DYN, cel.Type.INT, cel.Type.DOUBLE
_NUMBERS = (_INT, _DOUBLE)


def keys(value: Mapping[Any, Any]) -> list[Any]:
    """The sorted keys of a map: texts by their characters, then numbers, then false and true."""
    return sorted(value, key=lambda key: (not isinstance(key, str), isinstance(key, bool), key))


def _whole(value: int) -> int:
    if not _LEAST <= value <= _MOST:
        raise ValueError("integer overflow")
    return value


def _add(one: Any, other: Any) -> Any:
    return one + other


def _subtract(one: Any, other: Any) -> Any:
    return one - other


def _multiply(one: Any, other: Any) -> Any:
    return one * other


def _divide(one: Any, other: Any) -> Any:
    """Integers give an integer, truncated towards zero."""
    if other == 0:
        raise ValueError("divide by zero")
    if isinstance(one, int) and isinstance(other, int):
        found = abs(one) // abs(other)
        return found if (one < 0) == (other < 0) else -found
    return one / other


_COMPUTED: dict[str, Callable[[Any, Any], Any]] = {"_+_": _add, "_-_": _subtract, "_*_": _multiply, "_/_": _divide}


def declarations() -> Iterator[Any]:
    """Declarations of these functions for the engine."""
    map_ = cel.Type.Map(_DYN, _DYN)
    yield cel.FunctionDecl(KEYS, [overload(KEYS, [map_], cel.Type.List(_DYN), keys)])
    for operator, name in ARITHMETIC.items():
        yield cel.FunctionDecl(name, [*_overloads(name, _COMPUTED[operator], operator == "_+_")])


def _overloads(name: str, compute: Callable[[Any, Any], Any], joins: bool) -> Iterator[Any]:
    def computed(one: Any, other: Any, result: Any, impl: Callable[[Any, Any], Any]) -> Any:
        id_ = f"{name}_{one.name().lower()}_{other.name().lower()}"
        return overload(id_, [one, other], result, impl)

    for one in _NUMBERS:
        for other in _NUMBERS:
            if one == other == _INT:
                yield computed(one, other, _INT, lambda a, b: _whole(compute(a, b)))
            else:
                yield computed(one, other, _DOUBLE, lambda a, b: compute(float(a), float(b)))
    for kind in (cel.Type.STRING, cel.Type.List(_DYN)) if joins else ():
        yield computed(kind, kind, kind, compute)
