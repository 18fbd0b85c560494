"""The checked tree of the CEL engine: read for its bounds, and rewritten to be evaluated in pieces.

The engine returns the tree as a `cel.expr.CheckedExpr` in protobuf's wire format, within a `google.protobuf.Any`. Field
numbers are those of `cel/expr/syntax.proto` and `cel/expr/checked.proto`. The tree has no comments, layout and kinds of
quotes, so the way in which an expression is written can't fool a check.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tradewind.plan.cel.protobuf_wire import Fields, field, integer, packed, unpacked

_ID, _CONST, _IDENT, _SELECT, _CALL, _LIST, _STRUCT, _LOOP = 2, 3, 4, 5, 6, 7, 8, 9
_CHILDREN = {_SELECT: {1}, _CALL: {1, 3}, _LIST: {1}, _LOOP: {2, 4, 5, 6, 7}}
"""The fields of each kind of node that hold nodes; entries of a struct hold two each."""
_ENTRY = {3, 4}
_CHECKED_REFERENCES, _CHECKED_EXPR = 2, 4


@dataclass(frozen=True, slots=True)
class Const:
    """A literal. `size` is in bytes; `value` is set for texts and non-negative integers."""

    id: int
    size: int
    kind: str
    value: str | int | None = None


@dataclass(frozen=True, slots=True)
class Ident:
    """A variable, by its whole dotted name, or a loop's variable."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """`operand.field`, or `has(operand.field)` for a `test`."""

    id: int
    operand: "Node"
    field: str
    test: bool


@dataclass(frozen=True, slots=True)
class Call:
    """A function or operator (`_+_`) with its arguments; the target of a method is the first."""

    id: int
    function: str
    args: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Literal:
    """A list, or a map with alternating keys and values."""

    id: int
    items: tuple["Node", ...]
    is_map: bool


@dataclass(frozen=True, slots=True)
class Loop:
    """A comprehension, which macros like `map` and `all` become: `step` makes a new `accumulator` for each element
    `variable`."""

    id: int
    variables: tuple[str, ...]
    over: "Node"
    accumulator: str
    begin: "Node"
    condition: "Node"
    step: "Node"
    result: "Node"


Node = Const | Ident | Select | Call | Literal | Loop


@dataclass(frozen=True, slots=True)
class Tree:
    """A checked expression: its root, and the engine's message."""

    root: Node
    checked: bytes


def read(serialized: bytes) -> Tree:
    """The tree of what `Expression.serialize()` gives. The engine parses at most 32 levels."""
    checked = bytes(dict(unpacked(serialized))[2])
    names: dict[int, str] = {}
    root = b""
    for number, value in unpacked(checked):
        if number == _CHECKED_REFERENCES:
            entry = dict(unpacked(value))
            names[entry[1]] = dict(unpacked(entry[2])).get(1, b"").decode()
        elif number == _CHECKED_EXPR:
            root = value
    return Tree(_node(root, names), checked)


def nodes(root: Node) -> Iterator[Node]:
    """All nodes of a tree, parents first."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(children(node)))


def children(node: Node) -> tuple[Node, ...]:
    """The children of a node."""
    match node:
        case Select():
            return (node.operand,)
        case Call():
            return node.args
        case Literal():
            return node.items
        case Loop():
            return node.over, node.begin, node.condition, node.step, node.result
    return ()


def rewritten(tree: Tree, names: Mapping[int, str], root: int | None = None) -> bytes:
    """A message from which the engine can make an expression: the tree, or its part below `root`, with the nodes in
    `names` (by id) replaced by variables of those names."""
    out = bytearray()
    for number, value in unpacked(tree.checked):
        if number == _CHECKED_EXPR:
            out += packed(number, _replaced(value if root is None else _found(value, root), names))
        elif number != _CHECKED_REFERENCES or dict(unpacked(value))[1] not in names:
            out += field(number, value)
    for id_, name in names.items():
        out += packed(_CHECKED_REFERENCES, integer(1, id_) + packed(2, packed(1, name.encode())))
    return packed(1, b"type.googleapis.com/cel.expr.CheckedExpr") + packed(2, bytes(out))


def _node(raw: bytes, names: Mapping[int, str]) -> Node:
    id_, kind, fields = 0, _CONST, Fields()
    for number, value in unpacked(raw):
        if number == _ID:
            id_ = value
        else:
            kind, fields = number, unpacked(value)
    first = dict(reversed(fields))

    def node(number: int) -> Node:
        return _node(first[number], names)

    if id_ in names and kind in (_IDENT, _SELECT) and names[id_]:
        return Ident(id_, names[id_])
    match kind:
        case 4:
            return Ident(id_, first[1].decode())
        case 5:
            return Select(id_, node(1), first[2].decode(), bool(first.get(3)))
        case 6:
            args = [value for number, value in fields if number == 1] + [v for number, v in fields if number == 3]
            return Call(id_, first[2].decode(), tuple(_node(arg, names) for arg in args))
        case 7:
            return Literal(id_, tuple(_node(v, names) for number, v in fields if number == 1), False)
        case 8:
            entries = [v for number, v in fields if number == 2]
            items = [part for entry in entries for number, part in unpacked(entry) if number in _ENTRY]
            return Literal(id_, tuple(_node(item, names) for item in items), True)
        case 9:
            variables = tuple(first[number].decode() for number in (1, 8) if first.get(number))
            return Loop(id_, variables, node(2), first[3].decode(), node(4), node(5), node(6), node(7))
    return _const(id_, fields)


def _const(id_: int, fields: Fields) -> Const:
    kinds = {1: "null", 2: "bool", 3: "int", 4: "uint", 5: "double", 6: "text", 7: "bytes"}
    number, value = fields[0] if fields else (1, b"")
    if number == 6:
        return Const(id_, len(value), "text", value.decode())
    return Const(
        id_,
        len(value) if number == 7 else 8,
        kinds.get(number, "other"),
        value if isinstance(value, int) and number == 3 else None,
    )


def _found(raw: bytes, root: int) -> bytes:
    """The message of the node with an id."""
    stack = [raw]
    while stack:
        raw = stack.pop()
        fields = unpacked(raw)
        if (_ID, root) in fields:
            return raw
        for kind, value in fields:
            if kind in _CHILDREN:
                stack += [part for number, part in unpacked(value) if number in _CHILDREN[kind]]
            elif kind == _STRUCT:
                entries = [part for number, part in unpacked(value) if number == 2]
                stack += [part for entry in entries for number, part in unpacked(entry) if number in _ENTRY]
    raise KeyError(root)


def rebuilt(raw: bytes, visit: Callable[[bytes], bytes]) -> bytes:
    """A node's message with each child's message replaced by the result of `visit`."""
    out = b""
    for kind, value in unpacked(raw):
        if kind in _CHILDREN:
            out += packed(kind, _visited(value, _CHILDREN[kind], visit))
        elif kind == _STRUCT:
            parts = (
                (number, _visited(part, _ENTRY, visit) if number == 2 else part) for number, part in unpacked(value)
            )
            out += packed(kind, b"".join(field(number, part) for number, part in parts))
        else:
            out += field(kind, value)
    return out


def _visited(raw: bytes, numbers: set[int], visit: Callable[[bytes], bytes]) -> bytes:
    return b"".join(field(number, visit(value) if number in numbers else value) for number, value in unpacked(raw))


def id_of(raw: bytes) -> int:
    """The id of a node, from its message."""
    return next((value for number, value in unpacked(raw) if number == _ID), 0)


def _replaced(raw: bytes, names: Mapping[int, str]) -> bytes:
    """A node's message with the nodes in `names` replaced."""

    def visit(raw: bytes) -> bytes:
        id_ = id_of(raw)
        if id_ in names:
            return integer(_ID, id_) + packed(_IDENT, packed(1, names[id_].encode()))
        return rebuilt(raw, visit)

    return visit(raw)
