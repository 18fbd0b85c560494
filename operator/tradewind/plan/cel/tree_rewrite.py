"""Rewrites the checked tree where the engine leaves behaviour open.

The engine iterates over a map in an order that differs between processes: here loops go over the sorted keys. And it
does not compute with an integer and a fraction: JSON has one kind of number, and a rate is an integer on some days.
"""

from collections.abc import Callable
from typing import Any

from tradewind.plan.cel.protobuf_wire import Fields, integer, packed, unpacked
from tradewind.plan.cel.tree import Tree, id_of, rebuilt

KEYS = "tradewind_keys"
"""The function that returns the sorted keys of a map."""
ARITHMETIC = {
    "_+_": "tradewind_add",
    "_-_": "tradewind_subtract",
    "_*_": "tradewind_multiply",
    "_/_": "tradewind_divide",
}
"""Operators, and the functions that accept any two numbers."""
SETTLED = ("map", "filter", "exists", "all", "duration")
"""Every expression that `settled` changes contains one of these."""
_DURATION = ("duration", "tradewind_duration")
"""The engine's function, which has no days, and its replacement."""
_ID, _CONST, _IDENT, _CALL, _LIST, _LOOP = 2, 3, 4, 6, 7, 9
_TYPES, _EXPRESSION = 3, 4
_DYN, _PRIMITIVE, _WELL_KNOWN, _MAP = 1, 3, 5, 7
_NUMBERS = frozenset({2, 3, 4})
"""Primitive types: int64, uint64 and double."""
Kind = tuple[int, Any]


def settled(tree: Tree) -> bytes:
    """The message of an expression that iterates over maps in the order of their keys and reads durations with days.
    Empty if nothing differs."""
    return _Rewriting(tree).made(_Rewriting.settled)


def mixing(tree: Tree) -> bytes:
    """The message of an expression that computes with integers and fractions alike. Empty if nothing differs."""
    return _Rewriting(tree).made(_Rewriting.mixed)


class _Rewriting:
    """One pass over a tree."""

    def __init__(self, tree: Tree) -> None:
        self._fields, self._changed = unpacked(tree.checked), False
        self._types: dict[int, Kind] = {}
        for number, value in self._fields:
            if number == _TYPES:
                entry = dict(unpacked(value))
                self._types[entry[1]] = next(iter(unpacked(entry[2])), (_DYN, b""))
        self._last = max(self._types, default=0)

    def made(self, change: Callable[["_Rewriting", bytes], bytes]) -> bytes:
        """The tree with `change` applied to each node, children first."""

        def visit(raw: bytes) -> bytes:
            return change(self, rebuilt(raw, visit))

        out = b""
        for number, value in self._fields:
            out += packed(number, visit(value) if number == _EXPRESSION else value)
        return packed(1, b"type.googleapis.com/cel.expr.CheckedExpr") + packed(2, out) if self._changed else b""

    def _kind(self, raw: bytes) -> Kind:
        """The type of a node: its field of `cel.expr.Type`, and the content."""
        return self._types.get(id_of(raw), (_DYN, b""))

    def _node(self, kind: int, content: bytes) -> bytes:
        self._last += 1
        return integer(_ID, self._last) + packed(kind, content)

    def _call(self, function: str, *args: bytes) -> bytes:
        return self._node(_CALL, packed(2, function.encode()) + b"".join(packed(3, arg) for arg in args))

    def settled(self, raw: bytes) -> bytes:
        """A loop over what is or may be a map becomes one over its sorted keys; `duration` of a text becomes its
        replacement."""
        kind, content = next(((number, value) for number, value in unpacked(raw) if number != _ID), (0, b""))
        if kind == _CALL:
            return self._lasting(raw, unpacked(content))
        if kind != _LOOP:
            return raw
        parts = dict(unpacked(content))
        sort = self._kind(parts[2])[0]
        if sort == _MAP:
            parts[2] = self._call(KEYS, parts[2])
        elif sort == _DYN:
            parts[2] = self._keys_of_map(parts[2])
        else:
            return raw
        self._changed = True
        return integer(_ID, id_of(raw)) + packed(
            _LOOP, b"".join(packed(number, part) for number, part in parts.items())
        )

    def _lasting(self, raw: bytes, parts: Fields) -> bytes:
        args = [value for number, value in parts if number == 3]
        if (2, _DURATION[0].encode()) not in parts or len(args) != 1 or self._kind(args[0]) == (_WELL_KNOWN, 3):
            return raw
        self._changed = True
        return integer(_ID, id_of(raw)) + packed(_CALL, packed(2, _DURATION[1].encode()) + packed(3, args[0]))

    def _keys_of_map(self, over: bytes) -> bytes:
        """`over`, evaluated once; for a map, its keys."""

        def value() -> bytes:
            return self._node(_IDENT, packed(1, b"@over"))

        is_map = self._call("_==_", self._call("type", value()), self._node(_IDENT, packed(1, b"map")))
        chosen = self._call("_?_:_", is_map, self._call(KEYS, value()), value())
        never = self._node(_CONST, integer(2, 0))
        parts = {1: b"@none", 2: self._node(_LIST, b""), 3: b"@over", 4: over, 5: never, 6: value(), 7: chosen}
        return self._node(_LOOP, b"".join(packed(number, part) for number, part in parts.items()))

    def mixed(self, raw: bytes) -> bytes:
        """Arithmetic whose operands are not known to be both integers or both fractions."""
        content = dict(unpacked(raw)).get(_CALL)
        if content is None:
            return raw
        parts = unpacked(content)
        args = [value for number, value in parts if number == 3]
        function = ARITHMETIC.get(bytes(dict(parts).get(2, b"")).decode())
        kinds = [self._kind(arg) for arg in args]
        open_ = [kind for kind in kinds if kind[0] == _DYN]
        if (
            function is None
            or len(args) != 2
            or not open_
            or not all(kind in open_ or _is_number(kind) for kind in kinds)
        ):
            return raw
        self._changed = True
        return integer(_ID, id_of(raw)) + packed(
            _CALL, packed(2, function.encode()) + b"".join(packed(3, arg) for arg in args)
        )


def _is_number(kind: Kind) -> bool:
    return kind[0] == _PRIMITIVE and kind[1] in _NUMBERS
