"""Validation of documents: one function for the operator, the admission webhook and `tradewind lint`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import orjson

from tradewind.control.pods.builder import build
from tradewind.control.pods.rendering import Unrenderable
from tradewind.model.approval import ApprovalSpec
from tradewind.model.backfill import BackfillSpec
from tradewind.model.base import Model
from tradewind.model.crd import KINDS, manifest
from tradewind.model.pool import ClusterPoolSpec, PoolSpec
from tradewind.model.run import DAGRunSpec
from tradewind.model.task import Task
from tradewind.model.trigger import TriggerSpec
from tradewind.model.value import Param
from tradewind.plan import pacing
from tradewind.plan.dags import constants, uninterpolated
from tradewind.plan.dags.compile import TemplateNotFound, examined, ready
from tradewind.plan.dags.definition import Definition
from tradewind.plan.dags.validate import expressions as check_expressions
from tradewind.plan.documents import budget
from tradewind.plan.documents.problem import Invalid, Problem, at_most
from tradewind.plan.documents.read import read_partly
from tradewind.plan.documents.unread import Unread
from tradewind.plan.expressions.interpolation import Evaluate, leaves
from tradewind.plan.expressions.typed_values import resolve
from tradewind.plan.pods import container_values, fields
from tradewind.plan.runs.decision import RunFacts, Start
from tradewind.plan.schema_rules import broken
from tradewind.plan.templates.render import Rendering, nowhere, render
from tradewind.plan.triggers.backfill import review as review_backfill
from tradewind.plan.triggers.backfill import source
from tradewind.plan.triggers.trigger import REQUIRED, check, misfits


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The problems of a `spec`, and its content, as far as it can be read: a Definition, a DAGRunSpec or a PoolSpec; None if nothing can."""

    problems: Sequence[Problem] = ()
    content: Any = None
    unread: Unread = field(default_factory=Unread)
    """What of the content could not be read."""


def review(kind: str, spec: Any) -> Reviewed:
    """All problems of an object's `spec` that can be found without a cluster."""
    return REVIEWS[kind](spec)


User = DAGRunSpec | TriggerSpec | BackfillSpec
"""A document that names a DAG and gives it params."""


def against(declared: Mapping[str, Param], user: User) -> list[Problem]:
    """Problems that a run, a trigger or a backfill has only with a DAG that declares these params. The params of a backfill's trigger are
    not known here."""
    match user:
        case TriggerSpec():
            return misfits(user, declared)
        case BackfillSpec():
            found = misfits(source(user, None), declared)
            return [problem for problem in found if problem.what != REQUIRED] if user.trigger else found
        case _:
            return resolve(declared, user.params)[1]


def sound(rendering: Rendering) -> Definition:
    """The definition of a rendered DAG. Raises Invalid with all problems that can be found without an API server."""
    if not rendering.problems and not rendering.missing:
        ready(rendering)
    with budget.document():
        seen = examined(rendering)
        more = more_problems(seen.definition, rendering, seen.problems) if seen.definition else ()
    problems = [*seen.problems, *more]
    if rendering.missing:
        missing = TemplateNotFound(rendering.missing)
        raise Invalid([*missing.problems, *problems]) if problems else missing
    if problems or seen.definition is None:
        raise Invalid(problems)
    return seen.definition


def more_problems(definition: Definition, rendering: Rendering, known: Sequence[Problem]) -> list[Problem]:
    """Problems that would only show in a run, except at the places of `known` ones."""
    places = {problem.path for problem in known}
    parts = (
        problem.moved(base)
        for base, part in definition.parts
        for problem in part.unread.without_followers(doomed(part))
    )
    return [problem for problem in map(rendering.told, parts) if problem.path not in places]


def check_pods(definition: Definition, rendering: Rendering) -> None:
    """Raises Invalid for problems that would only show in a run."""
    if problems := more_problems(definition, rendering, ()):
        raise Invalid(problems)


def doomed(definition: Definition) -> list[Problem]:
    """Problems that every run of a DAG, local DAGs aside, would have: impossible values in pods, podTemplates that don't form a pod, constants that can't be
    computed."""
    values = (
        problem
        for name, task in pacing.each(definition.tasks.items())
        for problem in container_values.problems(f"spec.tasks.{name}", task)
    )
    scripts = uninterpolated.scripts(definition.tasks)
    found = [*at_most(values, "spec.tasks"), *at_most(scripts, "spec.tasks")]
    if constants.suspect(definition):
        found += at_most(check_expressions(definition, constants.check), "spec.tasks")
    return [*found, *pod_problems(definition)]


def review_dag(rendering: Rendering) -> Reviewed:
    """As `sound`, but returns the problems."""
    try:
        return Reviewed(content=sound(rendering))
    except Invalid as error:
        return Reviewed(error.problems)


def _reads(model: type[Model], more: Callable[[Any], Sequence[Problem]] = lambda _: ()) -> Callable[[Any], Reviewed]:
    """A review by the model, by the CRD's rules beside it and, where those hold, by `more`."""

    @budget.document()
    def reads(spec: Any) -> Reviewed:
        reading = read_partly(model, spec)
        unread = Unread(reading.unread, reading.meant)
        if reading.value is None:
            return Reviewed(reading.problems)
        rules = [
            Problem(item.path, item.message, rests=item.rests)
            for item in broken(_schema(model), reading.data, None, "spec")
            if not item.failed
        ]
        places = {problem.path for problem in rules}
        rest = [problem for problem in more(reading.value) if problem.path not in places]
        problems = (*reading.problems, *unread.without_followers([*rules, *rest]))
        return Reviewed(problems, reading.value, unread)

    return reads


@cache
def _schema(model: type[Model]) -> Any:
    """The CRD's schema of a spec."""
    kind = next(kind for kind in KINDS if kind.model_fields["spec"].annotation is model)
    return manifest(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]


def _trigger(spec: TriggerSpec) -> list[Problem]:
    """Problems of a trigger, whatever its DAG declares."""
    return check(spec, None)


REVIEWS: Mapping[str, Callable[[Any], Reviewed]] = {
    "DAG": lambda spec: review_dag(render(spec, nowhere)),
    "DAGRun": _reads(DAGRunSpec),
    "Pool": _reads(PoolSpec),
    "ClusterPool": _reads(ClusterPoolSpec),
    "Approval": _reads(ApprovalSpec),
    "Trigger": _reads(TriggerSpec, _trigger),
    "Backfill": _reads(BackfillSpec, review_backfill),
}
"""Kind -> the function that reviews its `spec`."""


def templated(definition: Definition) -> dict[str, Task]:
    """The tasks with a podTemplate, reduced to what affects it, so that a pod can be built before a run exists."""
    return {
        name: task.model_copy(
            update={
                "env": {}, "args": [], "command": [], "http": None,
                "image": task.image if task.image and "$[[" not in task.image else "image",
            }
        )
        for name, task in pacing.each(definition.tasks.items())
        if task.pod_template is not None
    }  # fmt: skip


def bare_pod(name: str, namespace: str, bare: Task, evaluate: Evaluate) -> bytes:
    """The pod of such a task; equal templates make equal pods. Raises Unrenderable where `evaluate` raises ExpressionError."""
    facts, start = RunFacts("run", namespace, "uid", "dag"), Start("task", None, 1, "")
    return build(name, start, bare, facts, evaluate, "image")


def pod_problems(definition: Definition) -> list[Problem]:
    """Tasks whose podTemplate does not form a pod. Only the API server can check more."""
    return [*at_most(_pod_problems(definition), "spec.tasks")]


def _pod_problems(definition: Definition) -> Iterator[Problem]:
    known: dict[bytes, list[str]] = {}
    """Pod -> its fields that no pod has. Most tasks share the template of spec.defaults."""
    for name, task in pacing.each(templated(definition).items()):
        path = f"spec.tasks.{name}.podTemplate"
        try:
            pod = bare_pod("pod", "default", task, lambda _: "")
        except Unrenderable as error:
            if not leaves(task.pod_template, ""):  # Values of expressions are checked when they are evaluated.
                where, _, words = str(error).partition(": ")
                yield Problem(path + where.partition(".podTemplate")[2], words)
            continue
        if pod not in known:
            known[pod] = [f".{path}" for path in fields.unknown_fields(orjson.loads(pod))]
        for unknown in known[pod]:
            guess = fields.meant(unknown)
            instead = f"did you mean {guess}?" if guess else "see `kubectl explain pod.spec`"
            yield Problem(f"{path}{unknown}", "a pod has no such field", instead)
