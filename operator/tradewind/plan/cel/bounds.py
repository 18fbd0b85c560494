"""Upper bounds of an evaluation's memory and time, from the checked tree of the expression and the sizes of its inputs.

The engine limits the turns of all loops (10,000) and nothing else: neither the length of the texts and lists that `+`,
`map` and `filter` make, nor the time of a turn. The times were measured with the pinned engine and rounded up.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tradewind.plan.cel.functions.prices import PRICES, Counted, compiling_of, reading
from tradewind.plan.cel.sizes import CONVERTED, COPIED, ELEMENT, NUMBER, SCALAR, TAKEN, Size, larger, taken
from tradewind.plan.cel.tree import Call, Const, Ident, Literal, Loop, Node, Select
from tradewind.plan.cel.tree_rewrite import ARITHMETIC, KEYS

TURNS = 10_000
"""Turns of all loops after which the engine gives up."""
JOINED = 40
"""Bytes per element of a list that `+` concatenates."""
_STEP = 0.3
"""Microseconds per node and turn."""
_SEARCHED, _COMPARED, _PUT = 0.004, 0.002, 0.05
"""Microseconds per byte: read by `size`, conversions and `contains`; read by `==`. Per element of a list that `+`
makes."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The maximum of an evaluation: bytes of all values that it makes, bytes among them of lists that `map` and
    `filter` rebuild at every turn, microseconds, and the size of its result."""

    memory: float
    copies: float
    time: float
    result: Size


SizeOf = Callable[[str, tuple[str, ...]], Size | None]
"""The size of a variable, or of the value at a path of keys in it; None if there is none."""


def bound(root: Node, size_of: SizeOf) -> Bound:
    """The maximum cost of evaluating a tree."""
    counting = _Counting(size_of)
    result = counting.of(root, {}, 1.0)
    counting.time += result.bytes * COPIED + result.bytes / ELEMENT * CONVERTED
    return Bound(counting.memory, counting.copies, counting.time, result)


class _Counting:
    """Sums up the cost of an evaluation."""

    def __init__(self, size_of: SizeOf) -> None:
        self._size_of = size_of
        self._seen: dict[str, Size] = {}
        self.memory = self.copies = self.time = 0.0

    def of(self, node: Node, scope: Mapping[str, Size], turns: float) -> Size:
        """The size of a node's value, evaluated `turns` times."""
        self.time += _STEP * turns
        match node:
            case Const():
                return Size(SCALAR + node.size, float(node.size), None, node.kind in ("text", "bytes"))
            case Ident():
                return scope[node.name] if node.name in scope else self._variable(node.name)
            case Select():
                return self._selected(node, scope, turns)
            case Literal():
                return self._literal(node, [self.of(item, scope, turns) for item in node.items], turns)
            case Loop():
                return self._loop(node, scope, turns)
        return self._call(node, [self.of(arg, scope, turns) for arg in node.args], turns)

    def _selected(self, node: Select, scope: Mapping[str, Size], turns: float) -> Size:
        operand = self.of(node.operand, scope, turns)
        if node.test:
            return NUMBER
        path: list[str] = [node.field]
        root = node.operand
        while isinstance(root, Select):
            path.append(root.field)
            root = root.operand
        exact = isinstance(root, Ident) and root.name not in scope and self._size_of(root.name, tuple(reversed(path)))
        return exact or operand.inside

    def _variable(self, name: str) -> Size:
        if name not in self._seen:
            size = self._size_of(name, ()) or NUMBER
            self._seen[name] = size
            self.memory += 2 * size.bytes
            self.time += size.bytes * COPIED + size.bytes / ELEMENT * CONVERTED * (not size.text)
        return self._seen[name]

    def _literal(self, node: Literal, items: list[Size], turns: float) -> Size:
        largest = items[0] if items else None
        for item in items[1:]:
            largest = larger(largest, item) if largest else item
        self.memory += ELEMENT * (len(items) + 1) * turns
        total = SCALAR + sum(ELEMENT + item.bytes for item in items)
        return Size(total, len(items) / (2 if node.is_map else 1), largest)

    def _loop(self, node: Loop, scope: Mapping[str, Size], turns: float) -> Size:
        over = self.of(node.over, scope, turns)
        begin = self.of(node.begin, scope, turns)
        length = min(over.length, float(TURNS))
        inner = min(turns * max(length, 1.0), float(TURNS))
        within = {**scope, **dict.fromkeys(node.variables, over.inside)}
        makes_list = isinstance(node.begin, Literal)
        # A list accumulator grows by one element per turn, whatever the element: elements are measured where they are
        # added.
        step = self.of(node.step, {**within, node.accumulator: Size(SCALAR, 0.0) if makes_list else begin}, inner)
        self.of(node.condition, {**within, node.accumulator: begin}, inner)
        result = begin
        if makes_list:
            item = step.inside
            result = Size(SCALAR + length * (ELEMENT + item.bytes), length, item)
            # The engine rebuilds the list at every turn and keeps all copies.
            copies = ELEMENT * length * inner
            self.memory += copies
            self.copies += copies
            self.time += 0.002 * length * inner
        return self.of(node.result, {**scope, node.accumulator: result}, turns)

    def _call(self, node: Call, args: list[Size], turns: float) -> Size:
        count = _FUNCTIONS.get(node.function)
        if count is None:
            self.time = float("inf")  # a function of unknown cost
            return Size(sum(arg.bytes for arg in args), sum(arg.length for arg in args), None, True)
        cost, made, result = count(node, args)
        self.time += cost * turns
        self.memory += made * turns
        return result


def _scalar(_: Call, __: list[Size]) -> Counted:
    return 0.0, 0.0, NUMBER


def _sum(_: Call, args: list[Size]) -> Counted:
    one, other = args
    result = Size(one.bytes + other.bytes, one.length + other.length, _either(one, other), one.text and other.text)
    if one.text and other.text:
        return result.length * COPIED, result.bytes, result
    return result.length * _PUT, JOINED * (result.length + 2) + _texts(one, other), result


def _joined(node: Call, args: list[Size]) -> Counted:
    """`+` by a Python function."""
    time, memory, result = _sum(node, args)
    return time + taken(args), memory + TAKEN * result.bytes, result


def _computed(_: Call, args: list[Size]) -> Counted:
    return taken(args), 0.0, NUMBER


def _keys(_: Call, args: list[Size]) -> Counted:
    """The sorted keys of a map."""
    map_ = args[0]
    return taken(args) + map_.length, TAKEN * map_.bytes, Size(map_.bytes, map_.length, map_.inside)


def _texts(one: Size, other: Size) -> float:
    """Bytes that `+` copies if either operand may be a text."""
    return one.length + other.length if one.text or other.text else 0.0


def _either(one: Size, other: Size) -> Size | None:
    if one.loose or other.loose:
        return larger(one.inside, other.inside)
    return larger(one.item, other.item) if one.item and other.item else one.item or other.item


def _read(_: Call, args: list[Size]) -> Counted:
    """`size` reads all of a text, but not of a list."""
    return (args[0].length * _SEARCHED if args[0].text else 0.0), 0.0, NUMBER


def _converted(_: Call, args: list[Size]) -> Counted:
    """Conversions between texts, numbers and times: the result is no longer than the input, or a number."""
    size = args[0]
    length = size.length if size.text else 64.0
    return 0.5 + length * _SEARCHED, SCALAR + length, Size(SCALAR + length, length, None, True)


def _contains(_: Call, args: list[Size]) -> Counted:
    one, other = args
    return one.length * (_SEARCHED + other.length * 0.0001), 0.0, NUMBER


def _matches(node: Call, args: list[Size]) -> Counted:
    """RE2 falls back to visiting each state for each byte when it can't cache all sets of states that a text leads to."""
    return compiling_of(node.args[-1]) + args[0].length * reading(node.args[-1]), 0.0, NUMBER


def _compared(_: Call, args: list[Size]) -> Counted:
    least = min(arg.bytes for arg in args)
    return least * _COMPARED + (0.0 if args[0].text else least / ELEMENT * _STEP), 0.0, NUMBER


def _within(_: Call, args: list[Size]) -> Counted:
    one, many = args
    each = min(one.bytes, many.inside.bytes)
    return many.length * (_STEP + each * _COMPARED), 0.0, NUMBER


def _indexed(_: Call, args: list[Size]) -> Counted:
    return 0.0, 0.0, args[0].inside


def _chosen(_: Call, args: list[Size]) -> Counted:
    return 0.0, 0.0, larger(args[1], args[2])


def _itself(_: Call, args: list[Size]) -> Counted:
    return 0.0, 0.0, args[0]


def _of_time(node: Call, __: list[Size]) -> Counted:
    """A time zone is read from a file the first time."""
    return (1_000.0 if len(node.args) > 1 else 1.0), 0.0, NUMBER


_PLAIN = "_&&_ _||_ !_ -_ _-_ _*_ _/_ _%_ @not_strictly_false type Succeeded Failed Lost Skipped UpstreamFailed Done"
TIMES = "getDate getDayOfMonth getDayOfWeek getDayOfYear getFullYear getHours getMilliseconds getMinutes getMonth getSeconds"
_FUNCTIONS: dict[str, Callable[[Call, list[Size]], Counted]] = {
    **dict.fromkeys(_PLAIN.split(), _scalar),
    **dict.fromkeys(TIMES.split(), _of_time),
    **dict.fromkeys(("_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "startsWith", "endsWith"), _compared),
    **dict.fromkeys(("string", "bytes", "int", "uint", "double", "bool", "timestamp", "duration"), _converted),
    "_+_": _sum,
    "size": _read,
    "contains": _contains,
    "matches": _matches,
    "@in": _within,
    "_[_]": _indexed,
    "_?_:_": _chosen,
    KEYS: _keys,
    ARITHMETIC["_+_"]: _joined,
    **dict.fromkeys((ARITHMETIC[operator] for operator in ("_-_", "_*_", "_/_")), _computed),
    "dyn": _itself,
    **PRICES,
}
"""Every function and operator of the engine's standard library, and the additional ones. The cost of others is unknown."""
