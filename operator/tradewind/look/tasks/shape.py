"""The shape of a DAG, as columns: names, kinds, edges and groups."""

from dataclasses import dataclass, field

from tradewind.model.task import Task
from tradewind.plan import pacing
from tradewind.plan.dags.definition import Definition

KINDS = ("http", "sensor", "wait", "approval", "compute", "dag")
"""Kinds of tasks that have a field of this name; all others are pods."""


@dataclass(slots=True)
class Shape:
    """The tasks of a DAG in an order in which they can run. `edges` are pairs of places in `names`."""

    names: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    fan: list[bool] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    """The DAG that a task calls; empty for none."""
    edges: list[int] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    group: list[int] = field(default_factory=list)
    """By name: place in `groups`, -1 for none."""


def kind_of(task: Task) -> str:
    """What a task does: pod, http, sensor, wait, approval, compute or dag."""
    return next((kind for kind in KINDS if getattr(task, kind)), "pod")


def called(task: Task) -> str:
    """The DAG that a task calls."""
    return (task.dag.name or task.dag.local) if task.dag else ""


def group_of(task: Task) -> str:
    """The heading under which a task belongs, besides the tasks proper."""
    if task.teardown:
        return "teardowns"
    if task.on_exit:
        return "exit tasks"
    return "handlers" if task.handles else ""


def shape(definition: Definition) -> Shape:
    """The shape of a definition."""
    found, places = Shape(), {}
    for name in pacing.each(definition.graph.order):
        task = definition.tasks[name]
        places[name] = len(found.names)
        found.names.append(name)
        found.kinds.append(kind_of(task))
        found.fan.append(task.for_each is not None)
        found.calls.append(called(task))
        heading = group_of(task)
        if heading and heading not in found.groups:
            found.groups.append(heading)
        found.group.append(found.groups.index(heading) if heading else -1)
        for other in definition.graph.upstream[name]:
            found.edges += (places[other], places[name])
    return found
