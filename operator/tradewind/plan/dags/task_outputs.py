"""The outputs of tasks, as far as they are known before a run, and checks of expressions that use others."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tradewind.model.task import Task
from tradewind.plan.cel.error import ExpressionError
from tradewind.plan.cel.program import Program
from tradewind.plan.cel.tree import Call, Const, Ident, Literal, Loop, Node, Select, children
from tradewind.plan.dags.artifacts import KEY
from tradewind.plan.documents.nearest import choose, listed
from tradewind.plan.expressions.scope import Scope
from tradewind.plan.expressions.spelling import cel_name
from tradewind.plan.sensors.sensor import answers

_APPROVAL = ("approved", "by", "comment", "answers")
_HTTP = ("status", "body")
_NAMED = re.compile(r"\b(?:outputs|previous)\b(?:\s*\.\s*`?(?P<key>\w+))?")
_ONE = frozenset({"_[_]", "first", "last", "min", "max"})
"""Functions that return an element of a list."""
_ALL = frozenset({"slice", "reverse", "distinct"})
"""Functions that return a list of elements of a list."""


def keys(task: Task) -> tuple[str, ...] | None:
    """The outputs that a task is known to have; None if it may write any."""
    if task.compute:
        return (*task.compute,)
    own: tuple[str, ...] = ()
    if task.http:
        own = _HTTP
    elif task.approval:
        own = _APPROVAL
    elif task.sensor and answers(task.sensor):
        own = tuple(name for name, _ in answers(task.sensor))
    elif not task.outputs:
        return None
    elif task.artifacts and task.artifacts.outputs:
        own = (KEY,)
    return tuple(dict.fromkeys((*task.outputs, *own)))


@dataclass(frozen=True, slots=True)
class _Outputs:
    """The meaning of a node: the outputs of a task, or (`many`) those of all its items."""

    task: str
    many: bool = False


@dataclass(slots=True)
class _Found:
    """The outputs that an expression uses, and those that it tests first."""

    taken: list[tuple[str, str]] = field(default_factory=list)
    asked: set[tuple[str, str]] = field(default_factory=set)


def check(program: Program, scope: Scope) -> None:
    """Raises ExpressionError for the use of an output that the task does not have and that is not tested with `has()`."""
    known = {path: known for path, known in _known(program, scope) if known[1] is not None}
    if not known or not _suspect(program.expression, [named or () for _, named, _ in known.values()]):
        return
    variables = {path: _Outputs(path, many) for path, (_, _, many) in known.items()}
    for path, key in _taken(program, variables):
        name, there, _ = known[path]
        if there is not None and key not in there:
            raise ExpressionError(
                program.expression, f"there is no output {key!r} of task {name}; {_instead(key, there)}"
            )


def unknown(program: Program, there: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, str]]:
    """Variables and the fields that an expression uses although they are not `there`, with what to write instead."""
    for path, key in _taken(program, {path: _Outputs(path) for path in there}):
        if key not in there[path]:
            yield f"{path}.{key}", _instead(key, there[path])


def _instead(key: str, there: tuple[str, ...]) -> str:
    return choose(key, there, f"declared are: {listed(there)}")


def _taken(program: Program, variables: Mapping[str, _Outputs]) -> Iterator[tuple[str, str]]:
    """The fields that an expression uses without testing them first."""
    found = _Found()
    _read(program.tree.root, variables, found)
    return (each for each in found.taken if each not in found.asked)


def _known(program: Program, scope: Scope) -> Iterator[tuple[str, tuple[str, tuple[str, ...] | None, bool]]]:
    """Variable -> task, its outputs, and whether the variable is a list of them."""
    for task in scope.tasks(program.expression):
        many = task.fan_out and task.name != scope.counterpart
        yield f"tasks.{cel_name(task.name)}.outputs", (task.name, task.keys, many)
    if scope.of and (scope.loops or scope.own is not None):
        own = scope.names.tasks[cel_name(scope.of)].keys
        yield ("outputs" if scope.own is not None else "previous"), (scope.of, own, False)


def _suspect(expression: str, known: list[tuple[str, ...]]) -> bool:
    """Whether an expression may use other outputs: reading its tree takes longer than reading its text."""
    found = [match["key"] for match in _NAMED.finditer(expression)]
    return any(key is None or any(key not in there for there in known) for key in found)


def _read(node: Node, own: Mapping[str, _Outputs], found: _Found) -> _Outputs | None:
    """The meaning of a node; records the outputs used in it."""
    match node:
        case Ident():
            return own.get(node.name)
        case Select():
            of = _read(node.operand, own, found)
            if of and not of.many:
                (found.asked.add if node.test else found.taken.append)((of.task, node.field))
            return None
        case Call(function="@in", args=(Const(value=str() as key), within)):
            of = _read(within, own, found)
            if of and not of.many:
                found.asked.add((of.task, key))
            return None
        case Call():
            read = [_read(arg, own, found) for arg in node.args]
            of = read[0] if read else None
            if of and of.many and node.function in _ONE:
                return _Outputs(of.task)
            if of and of.many and node.function in _ALL:
                return of
            if of and node.function == "_[_]" and isinstance(at := node.args[1], Const) and isinstance(at.value, str):
                found.taken.append((of.task, at.value))
            return None
        case Loop():
            return _loop(node, own, found)
    for child in children(node):
        _read(child, own, found)
    return None


def _loop(loop: Loop, own: Mapping[str, _Outputs], found: _Found) -> _Outputs | None:
    over = _read(loop.over, own, found)
    _read(loop.begin, own, found)
    within = {name: of for name, of in own.items() if name not in (*loop.variables, loop.accumulator)}
    if over and over.many:
        within[loop.variables[-1]] = _Outputs(over.task)
    for part in (loop.condition, loop.step, loop.result):
        _read(part, within, found)
    kept = any(isinstance(node, Literal) and node.items == (_variable(loop, node),) for node in _below(loop.step))
    return over if kept else None


def _variable(loop: Loop, literal: Literal) -> Node | None:
    """The loop's variable, if it is the only element of a list."""
    only = literal.items[0] if len(literal.items) == 1 else None
    return only if isinstance(only, Ident) and only.name == loop.variables[-1] else None


def _below(node: Node) -> Iterator[Node]:
    """The branches of a filter's step, outermost first: one of them contains the kept element."""
    yield node
    if isinstance(node, Call) and node.function in ("_?_:_", "_+_"):
        for arg in node.args:
            yield from _below(arg)
