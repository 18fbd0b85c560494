"""The items of a fan-out, and its result."""

from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import product
from operator import and_
from typing import Any

from tradewind.model.fan_out import MAX_ITEMS, ForEach, Matrix, Range
from tradewind.plan import pacing
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.expressions.interpolation import Evaluate, render_tree, whole
from tradewind.plan.expressions.room import Room
from tradewind.plan.outcomes.state import State


class FanOutError(ValueError):
    """The items can't be determined. The message names the field."""


ITEMS_LIMIT = 8 * 2**20
"""Bytes of the rendered items of a run, which stay in memory while it is active."""


def room() -> Room:
    """The room for the items of a run."""
    return Room(ITEMS_LIMIT, "the items of the run", "list names or paths, and let each item read what is large")


def items(source: ForEach, evaluate: Evaluate, within: Room | None = None) -> list[Any]:
    """The items, in order, for which there must be room, by default for those of a run. Raises FanOutError."""
    within = within or room()
    if source.range:
        found = _numbers(source.range, evaluate)
    elif source.matrix:
        found = _combinations(source.matrix, evaluate, within)
    else:
        found = _list("forEach.items", source.items, evaluate, within)
    if len(found) > MAX_ITEMS:
        raise FanOutError(f"forEach: {len(found)} items are over the limit of {MAX_ITEMS}: give each item more to do")
    return found


def _list(field: str, value: Any, evaluate: Evaluate, room: Room) -> list[Any]:
    try:
        found = render_tree(value, evaluate, room)
    except ExpressionError as error:
        raise FanOutError(f"{field}: {error}") from None
    if not isinstance(found, list):
        raise FanOutError(f"{field}: {_what(value)} gives {_kind(found)}, not a list")
    return found


def _what(value: Any) -> str:
    return f"`{whole(value) or value}`" if isinstance(value, str) else "the value"


def _kind(value: Any) -> str:
    kinds = {dict: "an object", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")


def _numbers(numbers: Range, evaluate: Evaluate) -> list[int]:
    start, stop, step = (
        _number(f"forEach.range.{name}", getattr(numbers, name), evaluate) for name in ("start", "stop", "step")
    )
    if step == 0:
        raise FanOutError("forEach.range.step: 0 leads nowhere; write 1, or -1 to count down")
    found = range(start, stop, step)
    if len(found) > MAX_ITEMS:
        raise FanOutError(f"forEach.range: {len(found)} items are over the limit of {MAX_ITEMS}: use a larger step")
    return list(found)


def _number(field: str, value: int | str, evaluate: Evaluate) -> int:
    try:
        found = render_tree(value, evaluate)
    except ExpressionError as error:
        raise FanOutError(f"{field}: {error}") from None
    if isinstance(found, int) and not isinstance(found, bool) and abs(found) < 2**53:
        return found
    raise FanOutError(f"{field}: {str(found)[:80]!r} is not a whole number")


def _combinations(matrix: Matrix, evaluate: Evaluate, room: Room) -> list[Any]:
    # Sorted by name: stored manifests don't keep the order of objects. All combinations share the values of an axis.
    axes = {
        name: _list(f"forEach.matrix.axes.{name}", matrix.axes[name], evaluate, room) for name in sorted(matrix.axes)
    }
    size = 1
    for values in axes.values():
        size *= len(values)
    if size > MAX_ITEMS:
        raise FanOutError(f"forEach.matrix: {size} combinations are over the limit of {MAX_ITEMS}: shorten an axis")
    patterns = [pattern for pattern in matrix.exclude if size and pattern and pattern.keys() <= axes.keys()]
    fitting = [_fitting(name, values, patterns) for name, values in axes.items()]
    combined = zip(product(*axes.values()), product(*fitting), strict=True)
    kept = [dict(zip(axes, values, strict=True)) for values, fits in pacing.each(combined) if not reduce(and_, fits)]
    return kept + [dict(item) for item in matrix.include]


def _fitting(axis: str, values: Sequence[Any], patterns: Sequence[Mapping[str, Any]]) -> list[int]:
    """For each value of an axis, as bits, the patterns that name this value or don't name the axis. Values may be
    large: each is compared once with each pattern, not in each combination."""
    free = sum(1 << place for place, pattern in enumerate(patterns) if axis not in pattern)
    wanted = [(1 << place, pattern[axis]) for place, pattern in enumerate(patterns) if axis in pattern]
    return [free | sum(bit for bit, value in pacing.each(wanted) if value == found) for found in pacing.each(values)]


def outcome(states: Mapping[State, int], total: int, ratio: float) -> State | None:
    """The task's state, from the number of items in each final state; None while it is open."""
    done = sum(states.get(state, 0) for state in _ENDED)
    if done < total:
        return None
    skipped, succeeded = states.get(State.SKIPPED, 0), states.get(State.SUCCEEDED, 0)
    if skipped == total:
        return State.SKIPPED
    if succeeded + _ROUNDING >= ratio * (total - skipped):
        return State.SUCCEEDED
    if states.get(State.FAILED, 0):
        return State.FAILED
    return State.LOST if states.get(State.LOST, 0) else State.UPSTREAM_FAILED


def hopeless(states: Mapping[State, int], total: int, ratio: float) -> bool:
    """Whether too many items have failed for the task to succeed, whatever happens to the others."""
    counted = total - states.get(State.SKIPPED, 0)
    bad = sum(states.get(state, 0) for state in _BAD)
    return bad > 0 and counted - bad + _ROUNDING < ratio * counted


_ROUNDING = 1e-9
_BAD = (State.FAILED, State.LOST, State.UPSTREAM_FAILED)
_ENDED = (*_BAD, State.CANCELLED, State.SUCCEEDED, State.SKIPPED)
