"""A compiled expression and facts from its tree: the variables that it names, paths into them, loops that build lists."""

import re
from collections.abc import Iterator, Mapping
from functools import cache, cached_property, lru_cache
from typing import Any, NamedTuple
from zoneinfo import available_timezones

from tradewind.plan.cel.bounds import TIMES
from tradewind.plan.cel.error import ExpressionError
from tradewind.plan.cel.tree import (
    Call,
    Const,
    Ident,
    Literal,
    Loop,
    Node,
    Select,
    Tree,
    children,
    nodes,
    read,
    rewritten,
)
from tradewind.plan.cel.tree_rewrite import mixing

_TIMES = frozenset(TIMES.split())
_DEAR = _TIMES | {"matches", "regex.extract", "regex.extractAll", "regex.replace"}
_OFFSET = re.compile(r"[+-]?\d{1,2}:\d{2}")
FEW_NODES = 100
"""Nodes of an expression without loops that takes microseconds."""


class Path(NamedTuple):
    """A path into a variable: keys and indexes that are constants or variables."""

    node: int
    root: str
    steps: tuple[str | int | Ident, ...]


class Program:
    """A compiled expression: the engine's result, and the variables that it was compiled against."""

    def __init__(self, expression: str, variables: tuple[tuple[str, str], ...], environment: Any, engine: Any) -> None:
        self.expression, self.variables, self.engine = expression, variables, engine
        self._environment = environment

    @cached_property
    def tree(self) -> Tree:
        """The checked tree."""
        return read(self.engine.serialize())

    @cached_property
    def mixing(self) -> "Program | None":
        """The expression with arithmetic that accepts integers and fractions alike; None if it has no such arithmetic."""
        raw = mixing(self.tree)
        return (
            Program(self.expression, self.variables, self._environment, self._environment.deserialize(raw))
            if raw
            else None
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The variables that it names."""
        return named(self.tree.root)

    @cached_property
    def loops(self) -> tuple[Loop, ...]:
        """The outermost loops that make lists; a loop that another one iterates over comes first."""
        return tuple(_outer(self.tree.root))

    @cached_property
    def plain(self) -> bool:
        """Whether it has few nodes, no loops, and calls no function that may take long."""
        found = [*nodes(self.tree.root)]
        return len(found) <= FEW_NODES and not any(
            isinstance(node, Loop) or (isinstance(node, Call) and node.function in _DEAR) for node in found
        )

    @cached_property
    def zones(self) -> tuple[Node, ...]:
        """The nodes that name time zones, inner ones first. Raises ExpressionError for an unknown zone and for one
        computed in a loop."""
        return tuple(_zones(self.expression, self.tree.root, False))

    @cached_property
    def plain_result(self) -> bool:
        """Whether its result has no times, durations or bytes, which plain data has as texts or not at all."""
        return not re.search("TIMESTAMP|DURATION|BYTES", self.engine.return_type().name())

    @cached_property
    def paths(self) -> tuple[Path, ...]:
        """The longest paths into its variables, such as `params.files[index].name`."""
        return tuple(_paths(self.tree.root, frozenset()))

    @cached_property
    def narrowed(self) -> tuple[Node, Any]:
        """The expression with a separate variable for each path, as a tree and for the engine."""
        replaced = {path.node: f"tradewind_path_{path.node}" for path in self.paths}
        return pruned(self.tree.root, replaced), self.part(tuple(replaced.items()))

    @lru_cache(maxsize=64)  # noqa: B019 - programs are few, and are themselves in a cache of such a size
    def part(self, names: tuple[tuple[int, str], ...], root: int | None = None) -> Any:
        """The expression, or the part below a node, with nodes replaced by variables, for the engine."""
        return self._environment.deserialize(rewritten(self.tree, dict(names), root))


def pruned(node: Node, replaced: Mapping[int, str]) -> Node:
    """The tree with the replaced nodes as variables."""
    if node.id in replaced:
        return Ident(node.id, replaced[node.id])
    match node:
        case Select():
            return Select(node.id, pruned(node.operand, replaced), node.field, node.test)
        case Call():
            return Call(node.id, node.function, tuple(pruned(arg, replaced) for arg in node.args))
        case Literal():
            return Literal(node.id, tuple(pruned(item, replaced) for item in node.items), node.is_map)
        case Loop():
            return Loop(
                node.id,
                node.variables,
                pruned(node.over, replaced),
                node.accumulator,
                *(pruned(part, replaced) for part in (node.begin, node.condition, node.step, node.result)),
            )
    return node


def named(root: Node) -> tuple[str, ...]:
    """The variables that a tree names, except those of its loops."""
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


def _paths(node: Node, own: frozenset[str]) -> Iterator[Path]:
    """The longest paths in a tree; `own` are the variables of the enclosing loops."""
    steps: list[str | int | Ident] = []
    at = node
    while True:
        match at:
            case Select(test=False):
                steps.append(at.field)
                at = at.operand
            case Call(function="_[_]", args=(operand, Const(value=str() | int() as key))):
                steps.append(key)
                at = operand
            case Call(function="_[_]", args=(operand, Ident() as key)) if key.name not in own:
                steps.append(key)
                at = operand
            case _:
                break
    if steps and isinstance(at, Ident) and at.name not in own:
        yield Path(node.id, at.name, tuple(reversed(steps)))
        return
    if isinstance(node, Loop):
        yield from _paths(node.over, own)
        yield from _paths(node.begin, own)
        own = own | {*node.variables, node.accumulator}
        for part in (node.condition, node.step, node.result):
            yield from _paths(part, own)
        return
    for child in children(node):
        yield from _paths(child, own)


def _zones(expression: str, node: Node, in_loop: bool) -> Iterator[Node]:
    for child in children(node):
        yield from _zones(expression, child, in_loop or (isinstance(node, Loop) and child is not node.over))
    if not (isinstance(node, Call) and node.function in _TIMES and len(node.args) > 1):
        return
    zone = node.args[1]
    if isinstance(zone, Const):
        check_zone(expression, zone.value)
    elif in_loop:
        raise ExpressionError(expression, f"{node.function} in a loop needs its time zone written out")
    else:
        yield zone


def check_zone(expression: str, zone: Any) -> None:
    """Raises ExpressionError for a text that is not a time zone: the engine would look for a file of that name."""
    if zone not in _known_zones() and not (isinstance(zone, str) and _OFFSET.fullmatch(zone)):
        words = "write one of the IANA database such as Europe/Paris, or an offset such as +02:00"
        raise ExpressionError(expression, f"there is no time zone {str(zone)[:80]!r}; {words}")


@cache
def _known_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _outer(node: Node) -> Iterator[Loop]:
    if isinstance(node, Loop):
        yield from _outer(node.over)
        if isinstance(node.begin, Literal):
            yield node
        elif isinstance(node.over, Literal):
            yield from _outer(node.begin)  # a loop over nothing, which names its initial value
        return
    for child in children(node):
        yield from _outer(child)
