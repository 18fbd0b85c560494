"""The variables that expressions may use.

Variables are declared by their dotted names (`params.region`, `tasks.erp.outputs`), so that the compiler itself finds
unknown names and types that don't fit. In CEL a task's `-` is written `_`: `tasks.load_erp.outputs.rows`."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tradewind.plan import pacing
from tradewind.plan.cel import compiler
from tradewind.plan.cel.compiler import ExpressionError, Program
from tradewind.plan.documents.nearest import choose, listed, nearest
from tradewind.plan.expressions.foreign import advice
from tradewind.plan.expressions.misses import missing
from tradewind.plan.expressions.spelling import Asking, asking, cel_name, path, plain
from tradewind.plan.outcomes.attempt import Attempt

_TASK = re.compile(r"\btasks\.`?([A-Za-z0-9_]+)")
_ELSEWHERE = re.compile(r"(?<![\w.])(?:params|tasks|kept|config)\.[A-Za-z_][A-Za-z0-9_]*")
_AT_START = re.compile(r"(?<![\w.])(?:kept|config)\b|\b(?:previous|lastSuccess|latest|nextDate|trigger)\b")
_VAR = re.compile(r"\s*var\s*\.")
"""Airflow's variables; CEL reserves the word, and its compiler says so only."""
_ITEM = re.compile(r"(?<![\w.])(item|index)\b")
DATED: compiler.Variables = (
    ("run.logicalDate", "string"),
    ("run.date", "string"),
    ("run.intervalStart", "string"),
    ("run.intervalEnd", "string"),
)
"""The dates of a run; `dated` gives their values."""
_RUN = (
    ("run.name", "string"),
    ("run.namespace", "string"),
    ("run.uid", "string"),
    ("run.dag", "string"),
    ("run.attempt", "integer"),
    ("run.startedAt", "string"),
    *DATED,
)
_ENDS = (
    ("run.outcome", "string"),
    ("run.message", "string"),
    ("run.duration", "string"),
    ("run.failures", "objects"),
)
_PAST = (("name", "string"), ("phase", "string"), ("logicalDate", "string"), ("outputs", "object"))
BOUND = ("run.previous", "run.lastSuccess")
"""Earlier runs that a run looks up when it starts."""
_PAST_NAMES = ", ".join(name for name, _ in _PAST)
_EARLIER = tuple((f"{root}.{key}", kind) for root in BOUND for key, kind in _PAST)
_MADE = (
    ("run.latest", "boolean"),
    ("run.nextDate", "string"),
    ("run.trigger.type", "string"),
    ("run.trigger.name", "string"),
)
"""What a run looks up about what made it when it starts."""
_FAILURE = (("reason", "string"), ("exitCode", "integer"), ("message", "string"), ("attempts", "integer"))
ENDED = (("task", "string"), ("state", "string"), *_FAILURE)
"""What a handler's `item` has."""
ATTEMPT = (("exitCode", "integer"), ("reason", "string"), ("attempt", "integer"), ("seconds", "integer"))
ROOTS = ("params", "tasks", "run", "kept", "config", "item", "index", "outputs")
"""The first parts of names in expressions."""
LONG_PATTERN = 1_000
Values = Mapping[str, Any]
"""Plain data by dotted name."""


@dataclass(frozen=True, slots=True)
class TaskNames:
    """What expressions can use of a task; for a fan-out, lists."""

    name: str
    fan_out: bool = False
    outputs: tuple[tuple[str, str], ...] = ()
    """Declared outputs, with their types."""
    unknown: bool = False
    """Whether its template is missing: expressions may use anything."""
    keys: tuple[str, ...] | None = None
    """The outputs that it has; None if they are unknown before it runs."""

    def variables(self, counterpart: bool = False) -> compiler.Variables:
        """Its variables; with `counterpart`, those of one item."""
        root = f"tasks.{cel_name(self.name)}"
        if self.unknown:
            return ((root, "any"),)
        if self.fan_out and not counterpart:
            states = (f"{root}.state", "string"), (f"{root}.states", "strings")
            return (*states, (f"{root}.outputs", "objects"), (f"{root}.failures", "objects"))
        typed = tuple((f"{root}.outputs.{key}", kind) for key, kind in self.outputs)
        failure = tuple((f"{root}.failure.{key}", kind) for key, kind in _FAILURE)
        return (
            (f"{root}.state", "string"),
            (f"{root}.outputs", "object"),
            *typed,
            (f"{root}.failure", "object"),
            *failure,
        )


@dataclass(frozen=True, slots=True)
class Names:
    """The names that a DAG declares: params and kept values (name, type), ConfigMaps, and tasks by their names in CEL."""

    params: tuple[tuple[str, str], ...] = ()
    tasks: Mapping[str, TaskNames] = field(default_factory=dict)
    kept: tuple[tuple[str, str], ...] = ()
    config: tuple[str, ...] = ()
    open: frozenset[str] = frozenset()
    """The roots of names, such as `params`, under which there may be others."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The names for the expressions of one task. `upstream` says whether a task has ended before this one starts."""

    names: Names
    upstream: Callable[[str], bool]
    item: bool = False
    """Whether there is an `item` and an `index`."""
    handles: bool = False
    """Whether the item is the end of another task."""
    counterpart: str = ""
    """The fan-out of which expressions see the counterpart item only."""
    ends: bool = False
    """Whether the run's outcome is known."""
    started: bool = True
    """Whether the run has started, and so has read what earlier runs left, and ConfigMaps."""
    loops: bool = False
    """Whether there is an `iteration` and a `previous`."""
    own: tuple[tuple[str, str], ...] | None = None
    """For the expression that decides whether a loop continues: the declared outputs of its task, with their types."""
    answer: compiler.Variables = ()
    """The result of a sensor's poll."""
    fragment: bool = False
    """Whether expressions may use params, tasks and items of an unknown DAG."""
    vague: bool = False
    """Whether expressions may use items, iterations and the run's outcome, since the task could not be read completely."""
    of: str = ""
    """The task of the expressions; empty for those of the DAG."""

    def variables(self, expression: str) -> compiler.Variables:
        """The variables that an expression may use, without those of tasks that it does not name."""
        found: list[tuple[str, str]] = [*_RUN]
        found += [(f"params.{name}", kind) for name, kind in self.names.params if kind != "secret"]
        found += self._read_at_start(expression)
        for task in self.tasks(expression):
            counterparts = self.vague and task.fan_out and not self.counterpart
            found += (
                replace(task, unknown=True).variables()
                if counterparts
                else task.variables(task.name == self.counterpart)
            )
        if self.item and self.handles:
            found += [*((f"item.{name}", kind) for name, kind in ENDED), ("index", "integer")]
        elif self.item or ((self.fragment or self.vague) and names_item(expression)):
            found += [("item", "any"), ("index", "integer")]
        if self.ends or self.vague:
            found += _ENDS
        if self.loops or (self.vague and self.own is None):
            found += [("iteration", "integer"), ("previous", "object")]
        if self.own is not None:
            found += [("iteration", "integer"), ("outputs", "object")]
            found += [(f"outputs.{name}", kind) for name, kind in self.own]
        found += self.answer
        if self.fragment or self.names.open:
            known = {name for name, _ in found}
            named = [name for name in dict.fromkeys(_ELSEWHERE.findall(expression)) if name not in known]
            found += [(name, "any") for name in named if self.fragment or name.partition(".")[0] in self.names.open]
        return tuple(found)

    def _read_at_start(self, expression: str) -> list[tuple[str, str]]:
        if not self.started or not _AT_START.search(expression):
            return []
        kept = [(f"kept.{name}", kind) for name, kind in self.names.kept]
        return [*_EARLIER, *_MADE, *kept, *((f"config.{name}", "object") for name in self.names.config)]

    def tasks(self, expression: str) -> list[TaskNames]:
        """The upstream tasks that an expression names."""
        named = (self.names.tasks.get(name) for name in dict.fromkeys(_TASK.findall(plain(expression))))
        return [task for task in named if task is not None and self.upstream(task.name)]


def names_item(expression: str) -> bool:
    """Whether an expression uses an item."""
    return _ITEM.search(expression) is not None


def compile_in(expression: str, scope: Scope, *wanted: str) -> Program:
    """The compiled expression. Raises ExpressionError with the position and, for unknown names, the existing ones."""
    return _compiled(expression, scope, *wanted)[0]


def _compiled(expression: str, scope: Scope, *wanted: str) -> tuple[Program, Asking]:
    written = plain(expression)
    variables = scope.variables(written)
    asked = asking(written, variables)
    variables += tuple((name, "boolean") for name in asked.variables)
    try:
        return compiler.compiled(asked.text, variables, lambda words: _explained(words, scope, written), *wanted), asked
    except ExpressionError as error:
        raise ExpressionError(expression, error.problem, error.column) from None


def evaluate(expression: str, scope: Scope, values: Values, of_task: Callable[[str], Values]) -> Any:
    """The value as plain data. `values` are those of run, params and item; `of_task` gives those of a task. Raises
    ExpressionError."""
    program, asked = _compiled(expression, scope)
    given = dict(values)
    for task in scope.tasks(expression):
        given |= of_task(task.name)
    given |= {variable: name in given for variable, name in asked.variables.items()}
    try:
        return compiler.run(program, given)
    except ExpressionError as error:
        raise ExpressionError(expression, missing(error.problem, plain(expression), given)) from None


def _explained(problem: str, scope: Scope, expression: str) -> str:
    """The compiler's message, with what the user may have meant."""
    name = compiler.undeclared(problem)
    if not name:
        return f"there is no 'var'; {advice('var', expression)}" if _VAR.match(expression) else problem
    root, _, rest = name.partition(".")
    if root not in ROOTS and (instead := advice(name, expression)):
        return f"there is no {name!r}; {instead}"
    first = rest.partition(".")[0]
    if root == "params":
        return _explained_param(first, scope)
    if scope.handles and root == "item":
        return f"there is no {name}; a handler's item has {', '.join(name for name, _ in ENDED)}"
    if scope.handles and root == "tasks":
        return f"there is no {name} here: while a handler runs, other tasks may not have ended; it can use item"
    if root == "tasks" and scope.own is None:
        return _explained_task(first, scope, rest.partition(".")[2])
    if root == "run":
        if name in dict(_ENDS):
            return f"{name} is known to exit tasks only: give the task an onExit"
        if name in dict((*_EARLIER, *_MADE)):
            return f"{name} is known to runs that have started only"
        there = ", ".join(name for name, _ in (*_RUN, *_MADE))
        return f"there is no {name}; there are {there}, and for run.previous and run.lastSuccess {_PAST_NAMES}"
    if root in ("kept", "config"):
        return _explained_start_value(root, first, scope)
    if root in ("item", "index"):
        return f"there is no {root} here: only expressions of a task with forEach can use it"
    if root in ("iteration", "previous"):
        return f"there is no {root} here: only values of a task with loop can use it"
    if scope.own is not None and scope.answer:
        there = ", ".join(name for name, _ in scope.answer)
        return f"there is no {name!r}; skipOn can use {there}, outputs.NAME, params.NAME and run.name"
    if scope.own is not None:
        return (
            f"there is no {name!r}; loop.until and produces can use outputs.NAME, iteration, params.NAME and run.name"
        )
    if scope.answer:
        there = ", ".join(name for name, _ in scope.answer)
        return (
            f"there is no {name!r}; a sensor's until can use {there}, params.NAME, tasks.NAME.outputs.KEY and run.name"
        )
    there = "expressions name params.NAME, tasks.NAME.outputs.KEY, tasks.NAME.state and run.name"
    return f"there is no {name!r}; {choose(root, ROOTS, there)}"


def _explained_param(name: str, scope: Scope) -> str:
    if (name, "secret") in scope.names.params:
        return f"params.{name} is a secret: it can only be the whole value of an environment variable"
    known = [path("params", param) for param, _ in scope.names.params]
    there = listed(known)
    declare = "" if known else "; declare it under spec.params"
    meant = nearest(name, [param for param, kind in scope.names.params if kind != "secret"])
    guess = f"did you mean {path('params', meant)}? " if meant else ""
    instead = f"{guess}declared are: {there}{declare}"
    return f"there is no params.{name}; {instead}" if name else f"name a param: {there}"


def _explained_start_value(root: str, name: str, scope: Scope) -> str:
    if not scope.started:
        return f"{root} is known to runs that have started only"
    declared = [kept for kept, _ in scope.names.kept] if root == "kept" else scope.names.config
    field = {"kept": "spec.keep", "config": "spec.config"}[root]
    if not declared:
        return f"there is no {root}.{name}; declare it under {field}"
    return f"there is no {root}.{name}; {choose(name, declared, f'declared under {field} are: {listed(declared)}')}"


def _explained_task(name: str, scope: Scope, field: str = "") -> str:
    known = scope.names.tasks.get(name)
    if known and scope.upstream(known.name):
        fields = ("state", "states", "outputs", "failures") if known.fan_out else ("state", "outputs", "failure")
        if like := nearest(field, fields) if field else "":
            return f"there is no tasks.{name}.{field}; did you mean tasks.{name}.{like}?"
        more = ", `state`, `states` and `failures`" if known.fan_out else ", `state` and `failure`"
        return f"tasks.{name} has only `outputs`{more}: write tasks.{name}.outputs.NAME"
    upstream = [task.name for task in pacing.each(scope.names.tasks.values()) if scope.upstream(task.name)]
    there = f"upstream are: {listed(path('tasks', task) for task in upstream)}"
    if not name:
        return f"write tasks.NAME.outputs.KEY; {there}"
    if known:
        return f"tasks.{name} is not upstream of this task; {there}; add {known.name} to dependsOn"
    meant = nearest(name, upstream)
    guess = f"did you mean {path('tasks', meant)}? " if meant else ""
    return f"there is no task {name!r}; {guess}{there}"


# Expressions with a scope of their own.


def retry_rule(rule: str) -> Any:
    """A rule of `retries` about an ended attempt, compiled. Raises ExpressionError."""

    def explained(problem: str) -> str:
        name = compiler.undeclared(problem)
        return f"there is no {name!r}; there are {', '.join(name for name, _ in ATTEMPT)}" if name else problem

    return compiler.compiled(rule, ATTEMPT, explained, "boolean")


def retry_matches(rule: str, attempt: Attempt) -> bool:
    """Whether a rule of `retries` matches an attempt. Raises ExpressionError."""
    return bool(compiler.run(retry_rule(rule), of_attempt(attempt)))


def of_attempt(attempt: Attempt) -> Values:
    """The variables of an ended attempt."""
    return {
        "exitCode": exit_code(attempt),
        "reason": attempt.reason,
        "attempt": attempt.number,
        "seconds": attempt.end - attempt.start,
    }


def exit_code(attempt: Attempt) -> int:
    """The exit code as expressions see it: 0 after a success, -1 if there is none."""
    return attempt.exit_code if attempt.exit_code is not None else 0 if attempt.succeeded else -1


def search(pattern: str, text: str) -> bool:
    """Whether a regular expression (RE2) matches somewhere in a text. Raises ExpressionError for an invalid one."""
    if not pattern:
        return True
    written = json.dumps(pattern)
    short = len(written) < LONG_PATTERN  # the cost of compiling a literal is known
    program = compiler.compiled(
        f"text.matches({written if short else 'pattern'})", (("pattern", "string"), ("text", "string")), str
    )
    try:
        return bool(compiler.run(program, {"text": text, "pattern": pattern}))
    except ExpressionError as error:
        raise ExpressionError(pattern, error.problem) from None
