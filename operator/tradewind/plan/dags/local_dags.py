"""DAGs within a DAG's manifest, and how tasks call them. Each is judged as a DAG of its own."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tradewind.model.base import DNS_LABEL, MAX_TASKS
from tradewind.model.dag import DAGSpec
from tradewind.model.local_dag import MOST_LOCAL_DAGS, OF_LABELS, LocalDAG
from tradewind.model.task import Task
from tradewind.plan import pacing
from tradewind.plan.dags.definition import Definition
from tradewind.plan.documents.nearest import choose, listed
from tradewind.plan.documents.parts import held, tasks
from tradewind.plan.documents.problem import Problem
from tradewind.plan.documents.read import read_partly
from tradewind.plan.expressions import interpolation
from tradewind.plan.expressions.typed_values import NO_SUCH_PARAM, resolve_each
from tradewind.plan.templates.overlay import overlaid

MOST_DEEP = 8
"""Levels of runs within runs."""
INHERITED = ("artifacts", "defaults", "podRetention", "priority")
"""Fields of a DAG's spec that apply to its local DAGs."""
_OWN = frozenset(str(field.alias) for field in LocalDAG.model_fields.values())
_OF_DAGS = frozenset(str(field.alias) for field in DAGSpec.model_fields.values())


def shape(data: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with `spec.dags` itself. After a problem at that very path no local DAG is read."""
    dags = data["dags"]
    if not isinstance(dags, dict):
        return [*read_partly(DAGSpec, {"dags": dags}).problems]
    if len(dags) > MOST_LOCAL_DAGS:
        what = f"{len(dags)} DAGs; at most {MOST_LOCAL_DAGS}"
        return [Problem("spec.dags", what, "make them DAGs of their own")]
    if (total := sum(1 for _ in tasks(data))) > MAX_TASKS:
        what = f"{total} tasks with those of spec.tasks; at most {MAX_TASKS} together"
        return [Problem("spec.dags", what, "make some of them DAGs of their own")]
    return [
        Problem(f"spec.dags.{name[:80]}", "not a name of a DAG", f"use at most 63 {OF_LABELS}")
        for name in dags
        if isinstance(name, str) and not re.fullmatch(DNS_LABEL, name)
    ]


def alone(data: Mapping[str, Any], name: str, without: frozenset[str]) -> tuple[Any, list[Problem]]:
    """A local DAG as the spec of a DAG of its own, and the fields that only whole DAGs have. Fields of the DAG's spec
    `without` which it is made can't be read."""
    body = held(data)[name]
    if not isinstance(body, dict):
        return None, [*read_partly(LocalDAG, body, "spec").problems]
    if "tasks" not in body:
        return None, [Problem("spec.tasks", "required", "write tasks by name: {NAME: {image: ...}}")]
    found = {field: data[field] for field in INHERITED if field in data and field not in without}
    own = {field: value for field, value in body.items() if field in _OWN or field not in _OF_DAGS}
    problems = [
        Problem(f"spec.{field}", "a local DAG has no such field", "write it in spec, or make a DAG of its own")
        for field in body
        if field in _OF_DAGS - _OWN
    ]
    if isinstance(found.get("defaults"), dict) and isinstance(own.get("defaults"), dict):
        own["defaults"] = overlaid(found["defaults"], own["defaults"])
    return {**found, **own}, problems


def problems(definition: Definition, unread: frozenset[str]) -> Iterator[Problem]:
    """What is wrong with how tasks of a DAG call its local DAGs. `unread` are names of local DAGs that can't be read."""
    names = {*definition.local, *unread}
    for base, part in definition.parts:
        for name, task in pacing.each(part.tasks.items()):
            path = f"{base}.tasks.{name}"
            if task.wait_for_previous and part is not definition:
                what = "runs of a local DAG have no order"
                yield Problem(f"{path}.waitForPrevious", what, "set it on the task that calls the DAG")
            if task.dag is None or not task.dag.local or task.dag.name:
                continue
            if called := definition.local.get(task.dag.local):
                found = part.unread.without_followers(misfits(f"spec.tasks.{name}", task, called))
                yield from (problem.moved(base) for problem in found)
            elif task.dag.local not in names:
                there = f"spec.dags has: {listed(names)}"
                what = f"there is no local DAG {task.dag.local!r}"
                yield Problem(f"{path}.dag.local", what, choose(task.dag.local, names, there))
    yield from _circles(definition)


def misfits(path: str, task: Task, called: Definition) -> Iterator[Problem]:
    """Problems with the params that a task passes to a DAG and the results that it expects."""
    assert task.dag is not None  # noqa: S101 - the caller knows
    given = task.dag.params
    rendered = {name for name, value in given.items() if interpolation.leaves(value, "")}
    for problem in fitting(
        called, resolve_each(called.spec.params, given, f"{path}.dag.params", f"{task.dag} declares")[1]
    ):
        if problem.what == NO_SUCH_PARAM or problem.path.rpartition(".")[2] not in rendered:
            yield problem
    for name in task.outputs if not called.unread.holds("spec.outputs") else ():
        if name not in called.spec.outputs:
            has = listed(called.spec.outputs)
            what = f"{task.dag} has no output {name!r}"
            yield Problem(f"{path}.outputs.{name}", what, choose(name, called.spec.outputs, f"it has: {has}"))


def fitting(dag: Definition, misfits: list[Problem]) -> list[Problem]:
    """Problems with values for a DAG's params, without those of params that could not be read."""
    murky = {name for task, name in dag.unread.murky if not task}
    found = [problem for problem in misfits if problem.path.rpartition(".")[2] not in murky]
    unsure = dag.unread.holds("spec.params")
    return [problem for problem in found if problem.what != NO_SUCH_PARAM] if unsure else found


def uncalled(definition: Definition) -> Iterator[str]:
    """Local DAGs that no task calls, not even those of other local DAGs that are called."""
    seen, left = set[str](), [definition]
    while left:
        calls = {task.dag.local for task in left.pop().tasks.values() if task.dag} & definition.local.keys()
        left += [definition.local[name] for name in calls - seen]
        seen |= calls
    yield from (name for name in definition.local if name not in seen)


def _circles(definition: Definition) -> Iterator[Problem]:
    """Local DAGs that call each other in a circle, each circle once, and chains of calls that are too long."""
    calls = {name: dict(_calls(part, definition.local)) for name, part in definition.local.items()}
    height: dict[str, int] = {}
    way: list[str] = []

    def climb(name: str) -> Iterator[Problem]:
        way.append(name)
        for other, task in calls[name].items():
            path = f"spec.dags.{name}.tasks.{task}.dag.local"
            if other in way:
                ring = " -> ".join([*way[way.index(other) :], other])
                yield Problem(path, f"local DAGs run each other in a circle: {ring}", "break it")
            elif other not in height:
                yield from climb(other)
        way.pop()
        height[name] = 1 + max((height.get(other, 0) for other in calls[name]), default=0)
        if height[name] == MOST_DEEP + 1:
            what = f"more than {MOST_DEEP} DAGs within each other"
            yield Problem(f"spec.dags.{name}", what, "let fewer of them call each other")

    for name in calls:
        if name not in height:
            yield from climb(name)


def _calls(part: Definition, known: Mapping[str, Definition]) -> Iterator[tuple[str, str]]:
    """The local DAGs that tasks of a part call, each with a calling task."""
    for name, task in pacing.each(part.tasks.items()):
        if task.dag and task.dag.local in known:
            yield task.dag.local, name
