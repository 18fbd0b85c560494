"""The maximum cost of calling the additional functions. The figures were measured and rounded up."""

import re
from collections.abc import Callable

from tradewind.plan.cel.functions.lists import LONGEST
from tradewind.plan.cel.functions.regex_size import extent
from tradewind.plan.cel.macros import SORTED
from tradewind.plan.cel.sizes import ELEMENT, NUMBER, SCALAR, TAKEN, Size, taken, text
from tradewind.plan.cel.tree import Call, Const, Node

Counted = tuple[float, float, Size]
"""Microseconds and bytes of a call, and the size of its result."""
_READ = 0.01
"""Microseconds per byte that a function of texts reads or writes."""
_DIGITS = 400.0
"""Characters of the longest number, at the precision of a format that does not set one."""
_REGEX = 300_000.0
"""Microseconds to compile an unknown regular expression."""
_STATE, _STATES = 0.01, 100_000.0
"""Microseconds per byte and state of a regular expression; the maximum number of states."""
_MATCH = 10.0
"""Microseconds per match."""
_PLACE = re.compile(r"%(?:\.(\d+))?")


def _same_length(_: Call, args: list[Size]) -> Counted:
    """A text no longer than the first argument."""
    return args[0].length * _READ, args[0].length * 4, text(args[0].length)


def _quoted(_: Call, args: list[Size]) -> Counted:
    return args[0].length * 4 * _READ, args[0].length * 4, text(args[0].length * 4 + 2)


def _replaced(_: Call, args: list[Size]) -> Counted:
    """An empty text is found between any two characters."""
    length = args[0].length + (args[0].length + 1) * args[2].length
    return (args[0].length * 2 + length) * _READ, length, text(length)


def _split(_: Call, args: list[Size]) -> Counted:
    pieces = args[0].length + 1
    made = SCALAR + pieces * (ELEMENT + SCALAR) + args[0].length
    return pieces * 0.06, made, Size(made, pieces, text(args[0].length))


def _joined(_: Call, args: list[Size]) -> Counted:
    length = args[0].bytes + args[0].length * (args[1].length if len(args) > 1 else 0.0)
    return length * _READ + args[0].length * 0.1, length, text(length)


def _formatted(node: Call, args: list[Size]) -> Counted:
    """The length of values is unknown for a format that is not a literal."""
    written = node.args[0].value if isinstance(node.args[0], Const) else None
    if not isinstance(written, str):
        return float("inf"), float("inf"), text(float("inf"))
    places = [float(match[1] or 0) for match in _PLACE.finditer(written)]
    length = len(written) * 4 + sum(places) + len(places) * (_DIGITS + 8 * args[1].inside.bytes)
    return length * _READ * 4 + len(places), length * 2, text(length)


def _found(_: Call, args: list[Size]) -> Counted:
    return args[0].length * (_READ + args[1].length * 0.0005), args[0].length, NUMBER


def _number(_: Call, args: list[Size]) -> Counted:
    return 0.5 + sum(arg.length for arg in args) * 0.3, 0.0, NUMBER


def _encoded(_: Call, args: list[Size]) -> Counted:
    return args[0].length * _READ, args[0].length * 2, text(args[0].length * 1.5 + 4)


def _of_list(_: Call, args: list[Size]) -> Counted:
    """A list with no more in it than the first argument."""
    many = args[0]
    return taken(args) + many.length * 3, TAKEN * many.bytes, Size(many.bytes, many.length, many.item, loose=many.loose)


def _flat(_: Call, args: list[Size]) -> Counted:
    many = args[0]
    return taken(args) + many.bytes / ELEMENT, TAKEN * many.bytes, Size(many.bytes, many.bytes / ELEMENT, loose=True)


def _element(_: Call, args: list[Size]) -> Counted:
    return taken(args) + args[0].length, TAKEN * args[0].bytes, args[0].inside


def _counted_off(node: Call, _: list[Size]) -> Counted:
    wanted = node.args[0].value if isinstance(node.args[0], Const) else None
    length = float(min(wanted, LONGEST)) if isinstance(wanted, int) else float(LONGEST)
    return 5.0 + length * 0.5, length * 64, Size(SCALAR + length * (ELEMENT + SCALAR), length, NUMBER)


def _parsed(_: Call, args: list[Size]) -> Counted:
    """A JSON value takes at least two characters."""
    length = args[0].length
    return taken(args) + length * 0.3, 40 * length, Size(SCALAR + 20 * length, length, loose=True)


def _written(_: Call, args: list[Size]) -> Counted:
    length = 6 * args[0].bytes
    return taken(args) + length * _READ, 2 * length, text(length)


def compiling(pattern: str) -> float:
    """Microseconds to compile a regular expression, which the engine does for each text."""
    size = extent(pattern)
    return 50.0 + 1.5 * len(pattern) + 6.0 * size.letters + 1_500.0 * size.large + 2.0 * size.wide


def compiling_of(pattern: Node) -> float:
    """The same for the pattern argument of a call, whose value may be known at run time only."""
    written = pattern.value if isinstance(pattern, Const) else None
    return compiling(written) if isinstance(written, str) else _REGEX


def reading(pattern: Node) -> float:
    """Microseconds per byte of a text: each state of the regular expression may be visited to find what groups match."""
    written = pattern.value if isinstance(pattern, Const) else None
    if not isinstance(written, str):
        return _STATE * _STATES
    return 0.05 + _STATE * min(_STATES, len(written) + extent(written).states)


def _looked_for(node: Call, args: list[Size], most: float) -> float:
    """Microseconds to search for `most` matches: each may have to read the whole rest of the text."""
    pattern = node.args[1]
    read = args[0].length * reading(pattern) + _MATCH
    return compiling_of(pattern) + read * most + 2 * args[0].length * _READ


def _extracted(node: Call, args: list[Size]) -> Counted:
    return _looked_for(node, args, 1.0), 8 * args[0].length, text(args[0].length)


def _all_extracted(node: Call, args: list[Size]) -> Counted:
    pieces = args[0].length + 1
    made = SCALAR + pieces * (ELEMENT + SCALAR) + args[0].length
    return _looked_for(node, args, pieces), TAKEN * made, Size(made, pieces, text(args[0].length))


def _all_replaced(node: Call, args: list[Size]) -> Counted:
    """Matches of groups are parts of the text: each reference adds at most the whole of it, over all matches."""
    references = args[2].length / 2 + 1
    length = args[0].length * (1 + references) + (args[0].length + 1) * args[2].length
    matches = args[0].length + 1
    return _looked_for(node, args, matches) + length * _READ, 4 * length, text(length)


def _length_of_time(_: Call, args: list[Size]) -> Counted:
    return taken(args) + args[0].length * 0.1, args[0].length, NUMBER


_SAME = "lowerAscii upperAscii trim substring charAt reverse base64.decode"
_NUMBERS = (
    "math.@max math.@min math.abs math.ceil math.floor math.round math.trunc math.sign math.sqrt math.isNaN math.isInf math.isFinite "
    "math.bitAnd math.bitOr math.bitXor math.bitNot math.bitShiftLeft math.bitShiftRight"
)
PRICES: dict[str, Callable[[Call, list[Size]], Counted]] = {
    **dict.fromkeys(_SAME.split(), _same_length),
    **dict.fromkeys(_NUMBERS.split(), _number),
    **dict.fromkeys(("indexOf", "lastIndexOf"), _found),
    **dict.fromkeys(("sort", SORTED, "distinct", "slice"), _of_list),
    **dict.fromkeys(("first", "last", "min", "max"), _element),
    **dict.fromkeys(("range", "lists.range"), _counted_off),
    "sum": lambda node, args: (*_element(node, args)[:2], NUMBER),
    "flatten": _flat,
    "strings.quote": _quoted,
    "replace": _replaced,
    "split": _split,
    "join": _joined,
    "format": _formatted,
    "base64.encode": _encoded,
    "regex.extract": _extracted,
    "regex.extractAll": _all_extracted,
    "regex.replace": _all_replaced,
    "json.parse": _parsed,
    "json.format": _written,
    "tradewind_duration": _length_of_time,
}
