"""Evaluates a compiled expression: refuses one that may take too much memory, evaluates long lists in parts, and
expensive expressions elsewhere."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import isfinite
from types import MappingProxyType
from typing import Any

from tradewind.model.bounded import OutOfBounds, checked, in_key_order
from tradewind.plan import pacing
from tradewind.plan.cel.bounds import Bound, bound
from tradewind.plan.cel.error import ExpressionError
from tradewind.plan.cel.program import Program, check_zone, named, pruned
from tradewind.plan.cel.references import evaluate
from tradewind.plan.cel.sizes import VALUE_BYTES_LIMIT, HoldsNul, Size, Sizes
from tradewind.plan.cel.tree import Ident, Node, Select
from tradewind.plan.cel.tree_rewrite import ARITHMETIC

LIGHT_TIME, LIGHT_MEMORY = 2_000.0, 8 * 2**20
"""Microseconds and bytes up to which an expression is evaluated in place: others may take long."""
FEW_BYTES = 4_096
"""An expression without loops takes microseconds on values below this size."""
PIECE = 100
"""Elements of a list that `map` and `filter` process at once: the engine rebuilds the result at every turn and keeps
all copies, for ten thousand elements more than a gigabyte."""
_MIXED = re.compile(r"No matching overloads found : _[-+*/]_\((int64|uint64|double), (int64|uint64|double)\)")
_OURS = {name: operator for operator, name in ARITHMETIC.items()}
_sizes = Sizes()
Values = Mapping[str, Any]


def run(program: Program, values: Values) -> Any:
    """The value as plain data, its objects sorted by key. Raises ExpressionError."""
    return _mixing(_run, program, values)


def _mixing(evaluate: Callable[[Program, Values], Any], program: Program, values: Values) -> Any:
    """The value; if integers met fractions, by arithmetic that accepts both."""
    try:
        return evaluate(program, values)
    except HoldsNul:
        words = "is given a text that contains the character U+0000, which expressions can't read"
        raise ExpressionError(program.expression, words) from None
    except ExpressionError as error:
        if not _MIXED.search(error.problem) or program.mixing is None:
            raise
        return evaluate(program.mixing, values)


def _run(program: Program, values: Values) -> Any:
    given = {name: values[name] for name in program.names if name in values}
    if program.plain and sum(_sizes.of(value).bytes for value in given.values()) <= FEW_BYTES:
        return _evaluated(program, program.engine, given)
    for zone in program.zones:
        check_zone(program.expression, _zone(program, zone, given))
    narrow = _narrowed(program, given) if program.paths else None
    found = _bound(program.tree.root if narrow is None else program.narrowed[0], given if narrow is None else narrow)
    host = pacing.current()
    if host and (found.time > LIGHT_TIME or found.memory > LIGHT_MEMORY):
        return host.evaluate(pacing.Evaluation(program.expression, program.variables, given, found.time))
    if narrow is not None and found.memory <= LIGHT_MEMORY:
        return _evaluated(program, program.narrowed[1], narrow)
    return _in_place(program, given, found if narrow is None else None)


def _zone(program: Program, zone: Node, given: Values) -> Any:
    """The name of a time zone, evaluated before the engine needs it. Raises ExpressionError."""
    _check(program, _bound(zone, given))
    return _evaluated(program, program.part((), zone.id), given)


_NOWHERE = object()


def _leads(value: Any, key: Any) -> bool:
    """Whether the engine accepts a key for a value."""
    return (isinstance(value, Mapping) and isinstance(key, str)) or (
        isinstance(value, list) and isinstance(key, int) and not isinstance(key, bool) and key >= 0
    )


def _narrowed(program: Program, given: Values) -> Values | None:
    """The values at the expression's paths, and the variables that it names otherwise: less than `given`, where the
    engine would have to convert a large list for each of its elements. None if a path leads nowhere: the engine's
    message says what is wrong."""
    found: dict[str, Any] = {}
    for path in program.paths:
        value: Any = given.get(path.root)
        for step in path.steps:
            key: Any = given.get(step.name) if isinstance(step, Ident) else step
            try:
                value = value[key] if _leads(value, key) else _NOWHERE
            except (KeyError, IndexError):
                value = _NOWHERE
            if value is _NOWHERE:
                return None
        found[f"tradewind_path_{path.node}"] = value
    return {**found, **{name: given[name] for name in named(program.narrowed[0]) if name in given}}


def in_place(program: Program, given: Values) -> Any:
    """The value, evaluated in this process. Raises ExpressionError."""
    return _mixing(_in_place, program, given)


def _in_place(program: Program, given: Values, found: Bound | None = None) -> Any:
    found = found or _bound(program.tree.root, given)
    if program.loops and found.memory > LIGHT_MEMORY:
        return _in_pieces(program, given)
    _check(program, found)
    return _evaluated(program, program.engine, given, _Room() if found.result.bytes > VALUE_BYTES_LIMIT else None)


def _bound(root: Node, given: Values, sizes: Mapping[str, Size] = MappingProxyType({})) -> Bound:
    def size_of(name: str, path: tuple[str, ...]) -> Size | None:
        if name in sizes:
            return None if path else sizes[name]
        value = given.get(name)
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return None if value is None else _sizes.of(value)

    return bound(root, size_of)


def _check(program: Program, found: Bound) -> None:
    """Raises ExpressionError if the evaluation may exceed the memory limit."""
    if found.memory - found.copies > VALUE_BYTES_LIMIT:
        raise ExpressionError(program.expression, "may make too large a value: compute it in a task")
    if found.memory > VALUE_BYTES_LIMIT:
        raise ExpressionError(program.expression, "goes over too long a list: compute the value in a task")


def _in_pieces(program: Program, given: Values) -> Any:
    """The value, with loops over long lists evaluated in pieces where they depend on no other loop."""
    known, replaced, failure, room = dict(given), dict[int, str](), None, _Room()
    for loop in program.loops:
        try:
            elements = _elements(program, loop.over, known, replaced, room)
            if not isinstance(elements, list) or len(elements) <= PIECE:
                continue
            made = []
            names = {**replaced, loop.over.id: "tradewind_piece"}
            engine = program.part(tuple(names.items()), loop.id)
            piece = replace(_sizes.of(elements), length=float(PIECE))
            bound_ = _bound(pruned(loop, names), {**known, "tradewind_piece": []}, {"tradewind_piece": piece})
            _check(program, bound_)
            for start in range(0, len(elements), PIECE):
                pacing.pause()
                made += _evaluated(
                    program, engine, {**known, "tradewind_piece": elements[start : start + PIECE]}, room.part(bound_)
                )
            known[f"tradewind_list_{loop.id}"] = made
        except ExpressionError as error:
            failure = (
                failure or error
            )  # the variable stays without a value: it may not be needed, as in `a || b.map(...)`
        replaced[loop.id] = f"tradewind_list_{loop.id}"
    try:
        return _part(program, program.part(tuple(replaced.items())), known, program.tree.root, replaced, room)
    except ExpressionError as error:
        raise failure or error from None


def _part(program: Program, engine: Any, known: Values, root: Node, replaced: Mapping[int, str], room: "_Room") -> Any:
    found = _bound(pruned(root, replaced), known)
    _check(program, found)
    return _evaluated(program, engine, known, room.part(found))


def _elements(program: Program, over: Node, known: Values, replaced: Mapping[int, str], room: "_Room") -> Any:
    """The elements of a loop's list. Raises ExpressionError."""
    if over.id in replaced:
        if replaced[over.id] not in known:
            raise ExpressionError(program.expression, "goes over what could not be worked out")
        return known[replaced[over.id]]
    path = []
    node = over
    while isinstance(node, Select) and not node.test:
        path.append(node.field)
        node = node.operand
    value = known.get(node.name) if isinstance(node, Ident) else None
    for key in reversed(path):
        value = value.get(key) if isinstance(value, Mapping) else None
    if value is not None:
        return value
    return _part(program, program.part(tuple(replaced.items()), over.id), known, over, replaced, room)


def _evaluated(program: Program, engine: Any, given: Values, room: "_Room | None" = None) -> Any:
    try:
        value = evaluate(engine, given)
    except MemoryError:
        raise ExpressionError(program.expression, "takes too much memory: compute it in a task") from None
    except (RuntimeError, KeyError, TypeError, ValueError, OverflowError) as error:
        if "budget" in str(error):
            words = "too much work for an expression: compute the value in a task"
            raise ExpressionError(program.expression, words) from None
        raise ExpressionError(program.expression, _cleaned(str(error))) from None
    kind = value.type().name().partition("<")[0]
    if kind == "ERROR":
        raise ExpressionError(program.expression, _cleaned(str(value.plain_value())))
    try:
        plain = value.plain_value() if room is None else room.take(value)
        if kind in ("BOOL", "INT") or (kind == "DOUBLE" and isfinite(plain)):
            return plain
        return in_key_order(checked(plain, name="the value"))
    except _TooLarge:
        raise ExpressionError(program.expression, "gives too large a value: compute it in a task") from None
    except OutOfBounds as error:
        raise ExpressionError(program.expression, f"gives what can't be kept: {error}") from None
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise ExpressionError(program.expression, f"gives what can't be read: {_cleaned(str(error))}") from None


class _TooLarge(ValueError):
    """As plain data a value would exceed the limit."""


class _Room:
    """Converts a value to plain data within a limit: in the engine a list can refer to one text ten thousand times, as
    plain data each copy takes its own memory."""

    def __init__(self) -> None:
        self._left = float(VALUE_BYTES_LIMIT)

    def part(self, found: Bound) -> "_Room | None":
        """A room for a value of the found size; None if it need not be counted."""
        if found.result.bytes > self._left:
            return self
        self._left -= found.result.bytes
        return None

    def take(self, value: Any) -> Any:
        """A value as plain data. Raises _TooLarge."""
        match value.type().name().partition("<")[0]:
            case "LIST":
                return [self.take(item) for item in self._within(value.value())]
            case "MAP":
                return {key: self.take(item) for key, item in self._within(value.value()).items()}
        return self._within(value.plain_value())

    def _within(self, value: Any) -> Any:
        size = len(value) if isinstance(value, str | bytes | bytearray | list | dict) else 1
        self._left -= 16 * size if isinstance(value, list | dict) else 56 + size
        if self._left < 0:
            raise _TooLarge
        return value


def _cleaned(problem: str) -> str:
    if "Non-CEL value type for" in problem:  # the engine prints the function's address
        return "functions of lists can't give points in time, durations or types: make texts of them before"
    head, mark, rest = problem.partition(": ")
    for name, operator in _OURS.items():
        rest = rest.replace(name, operator)
    return rest if mark and head.isupper() and head.replace("_", "").isalpha() else problem
