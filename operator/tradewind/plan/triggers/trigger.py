"""The variables of a trigger's expressions, whether the trigger can fire, and the params of its runs."""

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tradewind.model.duration import instant
from tradewind.model.trigger import SOURCES, TriggerSpec
from tradewind.model.value import Param
from tradewind.plan import pacing
from tradewind.plan.cel import compiler
from tradewind.plan.cel.compiler import ExpressionError, Variables
from tradewind.plan.cel.program import Program
from tradewind.plan.documents.nearest import listed
from tradewind.plan.documents.problem import Invalid, Problem
from tradewind.plan.documents.wording import quoted
from tradewind.plan.expressions import interpolation
from tradewind.plan.expressions.room import Room
from tradewind.plan.expressions.scope import DATED
from tradewind.plan.expressions.typed_values import needed
from tradewind.plan.runs.decision import dated
from tradewind.plan.sensors import sensor
from tradewind.plan.templates.inputs import unfit
from tradewind.plan.triggers import asset_update, completed_run, event, object_change
from tradewind.plan.triggers.calendar import Calendar

COMMON: Variables = (
    ("trigger.name", "string"),
    ("trigger.namespace", "string"),
    ("run.dag", "string"),
    *DATED,
)
"""Variables of all triggers."""
VARIABLES: Mapping[str, Variables] = {
    "schedule": (),
    "event": event.VARIABLES,
    "completed": completed_run.VARIABLES,
    "assets": asset_update.VARIABLES,
    "object": object_change.VARIABLES,
    "sensor.": (),
    **{f"sensor.{kind}": sensor.POLLED + answer for kind, answer in sensor.OCCASIONS.items()},
    **{f"sensor.{kind}.items": (*sensor.POLLED, *answer, ("item", "any")) for kind, answer in sensor.OCCASIONS.items()},
}
"""Additional variables of a source."""
REQUIRED = "required"
"""The problem of a param that is not given."""


@dataclass(frozen=True, slots=True)
class Firing:
    """An occasion to create a run. `suffix` is the end of the run's name: it is always the same for the same occasion."""

    suffix: str
    how: str
    """schedule, event, dag, asset, object or sensor."""
    at: datetime
    """The run's logical date, aware, in the zone that determines its date."""
    start: datetime | None = None
    end: datetime | None = None
    """The data interval; empty when absent."""
    cause: str = ""
    """What made it fire, for people: the kind and name of an object, or a time."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Values by the dotted names of VARIABLES."""
    queue: str = ""
    """Runs of the same queue run one after the other."""
    depth: int = 0
    """How many runs led to the run."""


@dataclass(frozen=True, slots=True)
class Given:
    """The values for a run."""

    params: Mapping[str, Any]
    logical_date: str
    interval_start: str
    interval_end: str


def occasion(*parts: str) -> str:
    """A suffix that identifies these texts: 75 bits of their digest."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return base64.b32encode(digest).decode().lower()[:15]


def given(name: str, namespace: str, spec: TriggerSpec, firing: Firing) -> Given | None:
    """The values for the run of an occasion; None if `when` is false. Raises ExpressionError that begins with the
    field's path."""
    values = known(name, namespace, spec, firing)
    if not _holds(spec, values):
        return None
    room = Room(what="the values of spec.params", instead="give the path of what is large")
    params = {
        name: interpolation.render_tree(value, evaluator(f"spec.params.{name}", spec.vocabulary, values), room)
        for name, value in spec.params.items()
    }
    return Given(params, *_dates(firing))


def wanted(name: str, namespace: str, spec: TriggerSpec, firing: Firing) -> bool:
    """Whether an occasion gets a run, by `when`. Raises ExpressionError."""
    return not spec.when or _holds(spec, known(name, namespace, spec, firing))


def _holds(spec: TriggerSpec, values: Mapping[str, Any]) -> bool:
    return not spec.when or bool(_evaluated("spec.when", spec.when, spec.vocabulary, values, "boolean"))


def known(name: str, namespace: str, spec: TriggerSpec, firing: Firing) -> dict[str, Any]:
    """The variables of an occasion, for a trigger's expressions."""
    own = {"trigger.name": name, "trigger.namespace": namespace, "run.dag": spec.dag}
    return {**own, **dated(*_dates(firing)), **firing.values}


def _dates(firing: Firing) -> tuple[str, str, str]:
    """The logical date of a run, and the bounds of its data interval."""
    return told(firing.at), told(firing.start or firing.at), told(firing.end or firing.at)


def told(moment: datetime) -> str:
    """A point in time in the format of runs: with `Z` for UTC, with microseconds if there are any."""
    text = moment.isoformat()
    return f"{text.removesuffix('+00:00')}Z" if text.endswith("+00:00") else text


def check(spec: TriggerSpec, declared: Mapping[str, Param] | None) -> list[Problem]:
    """What is wrong with a trigger. `declared` are the params of its DAG, None if they are unknown."""
    there = [source for source in SOURCES if getattr(spec, source) is not None]
    found: list[Problem] = []
    if len(there) != 1:
        what = f"{' and '.join(there)} are given" if there else "nothing fires it"
        none = Problem("spec", what, f"write one of {', '.join(SOURCES)}")
        found.append(none if there else none.resting(*(f"spec.{source}" for source in SOURCES)))
    return [*found, *_source(spec), *_expressions(spec, known=len(there) == 1), *misfits(spec, declared)]


def _source(spec: TriggerSpec) -> Iterator[Problem]:
    try:
        if spec.schedule:
            Calendar(spec.schedule)
    except Invalid as error:
        yield from error.problems
    if spec.sensor:
        yield from sensor.check_trigger("spec.sensor", spec.sensor)
    yield from event.check(spec)
    if spec.completed:
        yield from completed_run.check(spec.dag, spec.completed)
        for index, dag in enumerate(spec.completed.dags):
            if dag.when:
                yield from compiles(f"spec.completed.dags[{index}].when", dag.when, "completed", "boolean")
    if spec.assets:
        yield from asset_update.check(spec.assets)
    if spec.object:
        yield from object_change.check(spec.object)
    if spec.failures_since:
        try:
            instant(spec.failures_since)
        except ValueError as error:
            yield Problem("spec.failuresSince", str(error))


def _expressions(spec: TriggerSpec, known: bool) -> Iterator[Problem]:
    """Expressions that don't compile; without a `known` source, those that would have its variables are left out."""
    if spec.event and spec.event.key:
        yield from compiles("spec.event.key", spec.event.key, "event", "string", "integer")
    if not known:
        return
    parts = ("items", *sensor.OCCASIONS) if spec.sensor else ()
    for problem in _in_vocabulary(spec):
        yield problem.resting(*(f"spec.sensor.{part}" for part in parts))


def _in_vocabulary(spec: TriggerSpec) -> Iterator[Problem]:
    if spec.when:
        yield from compiles("spec.when", spec.when, spec.vocabulary, "boolean")
    for path, text in interpolation.leaves(spec.params, "spec.params"):
        try:
            found = interpolation.expressions(text)
        except ExpressionError as error:
            yield Problem(path, str(error))
            continue
        for expression in found:
            yield from compiles(path, expression, spec.vocabulary)


def misfits(spec: TriggerSpec, declared: Mapping[str, Param] | None) -> list[Problem]:
    """Params that don't fit those that the trigger's DAG declares; None if these are unknown."""
    return [] if declared is None else [*_misfits(spec, declared)]


def _misfits(spec: TriggerSpec, declared: Mapping[str, Param]) -> Iterator[Problem]:
    there = ""
    for name, value in pacing.each(spec.params.items()):
        if name not in declared:
            there = there or f"DAG {spec.dag} declares: {listed(declared)}"
            yield Problem(f"spec.params.{name}", "no such param", quoted(name) or there)
        elif wrong := unfit(declared[name], value):
            yield Problem(f"spec.params.{name}", wrong.what, wrong.instead)
    for name, param in declared.items():
        if param.required and name not in spec.params:
            yield Problem(
                f"spec.params.{name}", REQUIRED, f"give {needed(param)}: DAG {spec.dag} has no default for it"
            )


def compiles(path: str, expression: str, source: str, *wanted: str) -> Iterator[Problem]:
    """A problem if an expression of a trigger does not compile, or has the wrong type."""
    try:
        compiled(expression, source, *wanted)
    except ExpressionError as error:
        yield Problem(path, str(error))


def compiled(expression: str, source: str, *wanted: str) -> Program:
    """An expression of a trigger, compiled. Raises ExpressionError."""
    variables = COMMON + VARIABLES[source]

    def explained(problem: str) -> str:
        unknown = compiler.undeclared(problem)
        return f"there is no {unknown!r}; there are {', '.join(name for name, _ in variables)}" if unknown else problem

    return compiler.compiled(expression, variables, explained, *wanted)


def _evaluated(path: str, expression: str, source: str, values: Mapping[str, Any], *wanted: str) -> Any:
    try:
        return compiler.run(compiled(expression, source, *wanted), values)
    except ExpressionError as error:
        raise ExpressionError(error.expression, f"{path}: {error.problem}") from None


def evaluator(path: str, source: str, values: Mapping[str, Any]) -> Callable[[str], Any]:
    """Evaluates expressions of a trigger's source. The returned function raises ExpressionError."""
    return lambda expression: _evaluated(path, expression, source, values)
