"""Tasks that a task's result affects, in addition to its dependents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tradewind.model.task import Task
from tradewind.plan.dags.graph import Graph


@dataclass(frozen=True, slots=True)
class Links:
    """Links by task. `place` is a task's position in the topological order."""

    place: Mapping[str, int]
    chained: Mapping[str, Sequence[str]]
    """Fan-outs over its items (itemsOf)."""
    watchers: Mapping[str, Sequence[str]]
    """Tasks whose expressions name it and that do not depend on it directly."""
    teardowns: Mapping[str, Sequence[str]]
    """Teardowns of this setup."""
    handlers: Mapping[str, Sequence[str]]
    """Handlers of its ends."""
    retry_handlers: Mapping[str, Sequence[str]]
    """Those of them that handle retries."""


def links(tasks: Mapping[str, Task], graph: Graph, needs: Mapping[str, Sequence[str]]) -> Links:
    """The links of a DAG; `needs` are the tasks that expressions name, by task."""
    chained: dict[str, list[str]] = {}
    watchers: dict[str, list[str]] = {}
    teardowns: dict[str, list[str]] = {}
    handlers: dict[str, list[str]] = {}
    retry_handlers: dict[str, list[str]] = {}
    for name, task in tasks.items():
        for setup in task.teardown.of if task.teardown else ():
            teardowns.setdefault(setup, []).append(name)
        for other in graph.upstream[name] if task.handles else ():
            handlers.setdefault(other, []).append(name)
            if task.handles and "Retry" in task.handles.ends:
                retry_handlers.setdefault(other, []).append(name)
        if task.for_each and task.for_each.items_of:
            chained.setdefault(task.for_each.items_of, []).append(name)
        for need in needs.get(name, ()):
            if need not in graph.upstream[name]:
                watchers.setdefault(need, []).append(name)
    places = {task: place for place, task in enumerate(graph.order)}
    return Links(places, chained, watchers, teardowns, handlers, retry_handlers)
