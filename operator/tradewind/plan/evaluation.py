"""Evaluating a compiled expression: refused before it may take too much memory, long lists in pieces, and what may take long elsewhere."""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any

from tradewind.model.bounded import OutOfBounds, checked
from tradewind.plan import pace
from tradewind.plan.bounds import LARGEST, Bound, Size, Sizes, bound
from tradewind.plan.celtree import Call, Ident, Literal, Loop, Node, Select, Tree, children, nodes, read, rewritten
from tradewind.plan.expressionerror import ExpressionError

LIGHT_TIME, LIGHT_MEMORY = 2_000.0, 8 * 2**20
"""Microseconds and bytes that an evaluation may take where it is asked for: others may take long."""
FEW_BYTES, FEW_NODES = 4_096, 100
"""An expression without loops, about values that are smaller: it takes microseconds."""
PIECE = 500
"""Elements of a list that `map` and `filter` go over at once: the engine makes the list that they give anew at every turn, and keeps all
of them, which for ten thousand elements comes to more than a gigabyte."""
_sizes = Sizes()
Values = Mapping[str, Any]


class Program:
    """A compiled expression: what the engine has made of it, and the variables that it was compiled against."""

    def __init__(self, expression: str, variables: tuple[tuple[str, str], ...], environment: Any, engine: Any) -> None:
        self.expression, self.variables, self.engine = expression, variables, engine
        self._environment = environment

    @cached_property
    def tree(self) -> Tree:
        """What the engine has made of the expression."""
        return read(self.engine.serialize())

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The variables that it names."""
        return _named(self.tree.root)

    @cached_property
    def loops(self) -> tuple[Loop, ...]:
        """The loops that make lists and are in no other loop, those that others go over first."""
        return tuple(_outer(self.tree.root))

    @cached_property
    def plain(self) -> bool:
        """Whether it has no loops, and few nodes."""
        found = [*nodes(self.tree.root)]
        return len(found) <= FEW_NODES and not any(isinstance(node, Loop) for node in found)

    @cached_property
    def plain_result(self) -> bool:
        """Whether it gives no times, durations or bytes, which plain data has as texts or not at all."""
        return not re.search("TIMESTAMP|DURATION|BYTES", self.engine.return_type().name())

    @lru_cache(maxsize=64)  # noqa: B019 - programs are few, and are themselves in a cache of such a size
    def part(self, names: tuple[tuple[int, str], ...], root: int | None = None) -> Any:
        """The expression, or the part below a node, with nodes replaced by variables, for the engine."""
        return self._environment.deserialize(rewritten(self.tree, dict(names), root))


def run(program: Program, values: Values) -> Any:
    """The value as plain data. Raises ExpressionError."""
    given = {name: values[name] for name in program.names if name in values}
    if program.plain and sum(_sizes.of(value).bytes for value in given.values()) <= FEW_BYTES:
        return _evaluated(program, program.engine, given)
    found = _bound(program.tree.root, given)
    host = pace.current()
    if host and (found.time > LIGHT_TIME or found.memory > LIGHT_MEMORY):
        return host.evaluate(pace.Evaluation(program.expression, program.variables, given, found.time))
    return in_place(program, given, found)


def in_place(program: Program, given: Values, found: Bound | None = None) -> Any:
    """The value, worked out here. Raises ExpressionError."""
    found = found or _bound(program.tree.root, given)
    if program.loops and found.memory > LIGHT_MEMORY:
        return _in_pieces(program, given)
    _check(program, found)
    return _evaluated(program, program.engine, given, _Room() if found.result.bytes > LARGEST else None)


def _bound(root: Node, given: Values) -> Bound:
    def size_of(name: str, path: tuple[str, ...]) -> Size | None:
        value = given.get(name)
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return None if value is None else _sizes.of(value)

    return bound(root, size_of)


def _check(program: Program, found: Bound) -> None:
    """Raises ExpressionError where evaluating may take more memory than there is."""
    if found.memory - found.copies > LARGEST:
        raise ExpressionError(program.expression, "may make too large a value: compute it in a task")
    if found.memory > LARGEST:
        raise ExpressionError(program.expression, "goes over too long a list: compute the value in a task")


def _in_pieces(program: Program, given: Values) -> Any:
    """The value, with loops over long lists done in pieces where they depend on no other loop."""
    known, replaced, failure, room = dict(given), dict[int, str](), None, _Room()
    for loop in program.loops:
        try:
            elements = _elements(program, loop.over, known, replaced, room)
            if not isinstance(elements, list) or len(elements) <= PIECE:
                continue
            made = []
            names = {**replaced, loop.over.id: "tradewind_piece"}
            engine = program.part(tuple(names.items()), loop.id)
            for start in range(0, len(elements), PIECE):
                pace.pause()
                piece = {**known, "tradewind_piece": elements[start : start + PIECE]}
                made += _part(program, engine, piece, loop, names, room)
            known[f"tradewind_list_{loop.id}"] = made
        except ExpressionError as error:
            failure = (
                failure or error
            )  # A variable without a value then: it need not be looked at, as in `a || b.map(...)`.
        replaced[loop.id] = f"tradewind_list_{loop.id}"
    try:
        return _part(program, program.part(tuple(replaced.items())), known, program.tree.root, replaced, room)
    except ExpressionError as error:
        raise failure or error from None


def _part(program: Program, engine: Any, known: Values, root: Node, replaced: Mapping[int, str], room: "_Room") -> Any:
    _check(program, _bound(_pruned(root, replaced), known))
    return _evaluated(program, engine, known, room)


def _elements(program: Program, over: Node, known: Values, replaced: Mapping[int, str], room: "_Room") -> Any:
    """What a loop goes over. Raises ExpressionError."""
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


def _pruned(node: Node, replaced: Mapping[int, str]) -> Node:
    """The tree with the replaced nodes as the variables that they are now."""
    if node.id in replaced:
        return Ident(node.id, replaced[node.id])
    match node:
        case Select():
            return Select(node.id, _pruned(node.operand, replaced), node.field, node.test)
        case Call():
            return Call(node.id, node.function, tuple(_pruned(arg, replaced) for arg in node.args))
        case Literal():
            return Literal(node.id, tuple(_pruned(item, replaced) for item in node.items), node.is_map)
        case Loop():
            return Loop(
                node.id,
                node.variables,
                _pruned(node.over, replaced),
                node.accumulator,
                *(_pruned(part, replaced) for part in (node.begin, node.condition, node.step, node.result)),
            )
    return node


def _evaluated(program: Program, engine: Any, given: Values, room: "_Room | None" = None) -> Any:
    try:
        value = engine.eval(data=given)
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
        return plain if kind in ("BOOL", "DOUBLE", "INT") and plain == plain else checked(plain, name="the value")
    except _TooLarge:
        raise ExpressionError(program.expression, "gives too large a value: compute it in a task") from None
    except OutOfBounds as error:
        raise ExpressionError(program.expression, f"gives what can't be kept: {error}") from None


class _TooLarge(ValueError):
    """As plain data a value would take more than there is room for."""


class _Room:
    """Takes a value apart while there is room: in the engine a list can name the same text ten thousand times, as plain data each of
    them takes its own memory."""

    def __init__(self) -> None:
        self._left = LARGEST

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


def _named(root: Node) -> tuple[str, ...]:
    """The variables that a tree names, those of its loops aside."""
    found: dict[str, None] = {}
    stack: list[tuple[Node, frozenset[str]]] = [(root, frozenset())]
    while stack:
        node, own = stack.pop()
        if isinstance(node, Ident) and node.name not in own:
            found[node.name] = None
        if isinstance(node, Loop):
            stack += [(node.over, own), (node.begin, own)]
            within = own | {*node.variables, node.accumulator}
            stack += [(part, within) for part in (node.condition, node.step, node.result)]
        else:
            stack += [(child, own) for child in children(node)]
    return tuple(found)


def _outer(node: Node) -> Iterator[Loop]:
    if isinstance(node, Loop):
        yield from _outer(node.over)
        if isinstance(node.begin, Literal):
            yield node
        return
    for child in children(node):
        yield from _outer(child)


def _cleaned(problem: str) -> str:
    head, mark, rest = problem.partition(": ")
    return rest if mark and head.isupper() and head.replace("_", "").isalpha() else problem
