"""Comparisons that are always wrong: with a text that the variable can't have, or an order of texts that isn't the
order of their meaning."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tradewind.plan import pacing
from tradewind.plan.cel.error import ExpressionError
from tradewind.plan.cel.program import Program
from tradewind.plan.cel.tree import Call, Const, Ident, Literal, Loop, Node, children
from tradewind.plan.documents.nearest import choose, listed
from tradewind.plan.expressions.typed_values import parsed
from tradewind.plan.outcomes.attempt import FAILURES, LOOP_FAILED, LOSSES, PREEMPTIONS, SKIPS, STOPPED
from tradewind.plan.outcomes.state import FINAL

_EQUAL = {"_==_": "==", "_!=_": "!="}
_ORDER = {"_<_": "<", "_<=_": "<=", "_>_": ">", "_>=_": ">="}
_TEXT = re.compile(r"\"([^\"]*)\"|'([^']*)'")
_DATE_BEGUN = re.compile(r"\d{4}(-\d\d(-\d\d(T.*)?)?)?")
"""Prefixes of a date, with which dates may be ordered as texts."""
_DATE_SHORT = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")


@dataclass(frozen=True, slots=True)
class Closed:
    """A variable that holds one of some texts; `word` is their name in messages."""

    word: str
    texts: frozenset[str]


STATE = Closed("state", frozenset(map(str, FINAL)))
"""The state of an ended task."""
OUTCOME = Closed("outcome of a run", frozenset({"Succeeded", "Failed", "Cancelled"}))
REASON = Closed("reason", frozenset({*FAILURES, *LOSSES, *PREEMPTIONS, *STOPPED, *SKIPS}))
"""Why an attempt has ended."""
END_REASON = Closed("reason", REASON.texts | {LOOP_FAILED})
"""Why an attempt has ended, or a task has failed after one."""


@dataclass(frozen=True, slots=True)
class _Known:
    """Known texts of variables, and of the elements of list variables."""

    closed: Mapping[str, Closed]
    lists: Mapping[str, Closed]
    kinds: Mapping[str, str] = field(default_factory=dict)
    """Variables that hold durations and dates."""

    def without(self, loop: Loop) -> "_Known":
        """The facts inside of a loop, whose variables hide others."""
        own = {*loop.variables, loop.accumulator}
        over = self.lists.get(loop.over.name) if isinstance(loop.over, Ident) else None
        closed = {name: texts for name, texts in self.closed.items() if name not in own}
        return _Known(closed | ({loop.variables[-1]: over} if over else {}), self.lists, self.kinds)


def check(program: Program, more: Mapping[str, Closed] | None = None) -> None:
    """Raises ExpressionError for a comparison that can never be right. `more` adds variables to those recognised by
    name."""
    known = _known(program, more or {})
    if not (known.closed or known.lists or known.kinds) or not _suspect(program.expression, known):
        return
    stack: list[tuple[Node, _Known]] = [(program.tree.root, known)]
    for node, inside in pacing.each(_below(stack)):
        if isinstance(node, Call) and (words := next(_wrong(node, inside), "")):
            raise ExpressionError(program.expression, words)


def _known(program: Program, more: Mapping[str, Closed]) -> _Known:
    closed, lists, kinds = dict(more), dict[str, Closed](), dict[str, str]()
    for name, kind in program.variables:
        if kind in ("duration", "date") or name == "run.date":
            kinds[name] = "duration" if kind == "duration" else "date"
        elif name == "run.outcome":
            closed[name] = OUTCOME
        elif name.startswith("tasks.") and name.count(".") == 2:
            if name.endswith(".state"):
                closed[name] = STATE
            elif name.endswith(".states"):
                lists[name] = STATE
    return _Known(closed, lists, kinds)


def _suspect(expression: str, known: _Known) -> bool:
    """Whether an expression may contain a wrong comparison: reading its tree takes longer than reading its text."""
    if any(name.rpartition(".")[2] in expression for name in known.kinds):
        return True
    there = {text for closed in (*known.closed.values(), *known.lists.values()) for text in closed.texts}
    return bool(there) and any((found[1] or found[2] or "") not in there for found in _TEXT.finditer(expression))


def _below(stack: list[tuple[Node, _Known]]) -> Iterator[tuple[Node, _Known]]:
    """All nodes, with the facts about variables there."""
    while stack:
        node, known = stack.pop()
        yield node, known
        if isinstance(node, Loop):
            inside = known.without(node)
            stack += [(node.over, known), (node.begin, known)]
            stack += [(part, inside) for part in (node.condition, node.step, node.result)]
        else:
            stack += [(child, known) for child in children(node)]


def _wrong(call: Call, known: _Known) -> Iterator[str]:
    """What is wrong with a call, given the facts about variables."""
    match call:
        case Call(function="@in", args=(Const(value=str() as text), Ident(name=name))) if name in known.lists:
            yield from _stranger(known.lists[name], text)
        case Call(function="@in", args=(one, Literal(is_map=False, items=items))):
            for item in items:
                yield from _unequal(one, item, known)
        case Call(function=function, args=(one, other)) if function in _EQUAL:
            yield from _unequal(one, other, known)
            yield from _unequal(other, one, known)
        case Call(function=function, args=(one, other)) if function in _ORDER:
            yield from _misordered(one, _ORDER[function], other, known)


def _unequal(one: Node, other: Node, known: _Known) -> Iterator[str]:
    """A comparison for equality with a text that the variable never has."""
    if not isinstance(other, Const) or not isinstance(text := other.value, str):
        return
    if closed := _closed(one, known):
        yield from _stranger(closed, text)
    kind = known.kinds.get(one.name, "") if isinstance(one, Ident) else ""
    if kind == "duration" and parsed(kind, text) is None:
        yield f"{text[:80]!r} is not a duration; write one such as 90s, 1h30m or 2d"
    if kind == "date" and text and parsed(kind, text) is None:
        yield _no_date(text)


def _closed(node: Node, known: _Known) -> Closed | None:
    match node:
        case Ident(name=name):
            return known.closed.get(name)
        case Call(function="_[_]", args=(Ident(name=name), _)):
            return known.lists.get(name)
    return None


def _stranger(closed: Closed, text: str) -> Iterator[str]:
    if text and text not in closed.texts:  # an empty text asks whether there is one at all
        there = choose(text, closed.texts, f"there are: {listed(closed.texts)}")
        yield f"there is no {closed.word} {text[:80]!r}; {there}"


def _misordered(one: Node, sign: str, other: Node, known: _Known) -> Iterator[str]:
    """Durations ordered as texts, and dates ordered with other texts."""
    sides = (one, other)
    kinds = [known.kinds.get(side.name, "") if isinstance(side, Ident) else "" for side in sides]
    if "duration" in kinds:
        written = f"{_as_duration(one)} {sign} {_as_duration(other)}"
        yield f"durations are texts here, and '9m' is above '10m' as a text; write {written}"
    for kind, side in zip(kinds, reversed(sides), strict=True):
        if kind == "date" and isinstance(side, Const) and isinstance(text := side.value, str):
            begun = _DATE_BEGUN.fullmatch(text)
            if text and not (begun and (not begun[2] or parsed(kind, text[:10]))):
                yield _no_date(text)


def _as_duration(node: Node) -> str:
    match node:
        case Ident(name=name):
            return f"duration({name})"
        case Const(value=str() as text):
            return f"duration({json.dumps(text[:80]) if chr(39) in text else repr(text[:80])})"
        case Call(function="duration" | "tradewind_duration", args=(Ident(name=name),)):
            return f"duration({name})"
    return "duration(...)"


def _no_date(text: str) -> str:
    found = _DATE_SHORT.fullmatch(text)
    padded = f"{found[1]}-{found[2]:0>2}-{found[3]:0>2}" if found else ""
    instead = f"'{padded}'" if padded and parsed("date", padded) else "one such as '2026-01-31'"
    return f"{text[:80]!r} is not a date; write {instead}"
