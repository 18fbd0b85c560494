"""The graph of a DAG: dependencies, an order in which tasks can run, and what else a task's result affects."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from tradewind.model.task import Task
from tradewind.plan import pacing


class Cycle(ValueError):
    """Tasks depend on each other in a cycle. `tasks` names them in order; first and last are the same."""

    def __init__(self, tasks: Sequence[str]) -> None:
        self.tasks = list(tasks)
        super().__init__(f"tasks depend on each other in a cycle: {self.shown()}")

    def shown(self) -> str:
        """The cycle for people: `a -> b -> a`; long ones are shortened in the middle."""
        names = self.tasks if len(self.tasks) <= 12 else [*self.tasks[:6], "...", *self.tasks[-5:]]
        text = " -> ".join(names)
        return text if len(self.tasks) <= 12 else f"{text} ({len(self.tasks) - 1} tasks)"


@dataclass(frozen=True, slots=True)
class Graph:
    """Tasks in topological order (ties by name) with their direct neighbours."""

    order: tuple[str, ...]
    upstream: Mapping[str, tuple[str, ...]]
    downstream: Mapping[str, tuple[str, ...]]

    def ancestry(self) -> dict[str, int]:
        """For each task, the tasks that end before it starts, as bits at their positions in `order`."""
        bits = {task: 1 << place for place, task in enumerate(self.order)}
        found: dict[str, int] = {}
        for task in pacing.each(self.order):
            above = 0
            for dependency in self.upstream[task]:
                above |= found[dependency] | bits[dependency]
            found[task] = above
        return found


def reach(tasks: Iterable[str], following: Mapping[str, Iterable[str]]) -> set[str]:
    """Everything after some tasks, direct or transitive; `following` gives the direct successors of each."""
    found: set[str] = set()
    stack = list(tasks)
    while stack:
        pacing.pause()
        for name in following.get(stack.pop(), ()):
            if name not in found:
                found.add(name)
                stack.append(name)
    return found


def graph(dependencies: Mapping[str, Iterable[str]]) -> Graph:
    """The graph of `{task: its dependencies}`. Raises Cycle; the validator reports dependencies that don't exist."""
    upstream = {
        task: tuple(sorted(name for name in set(dependencies[task]) if name in dependencies))
        for task in pacing.each(sorted(dependencies))
    }
    try:
        order = tuple(pacing.each(TopologicalSorter(upstream).static_order()))
    except CycleError as error:
        raise Cycle(list(reversed(error.args[1]))) from None
    downstream: dict[str, list[str]] = {task: [] for task in order}
    for task in pacing.each(order):
        for dependency in upstream[task]:
            downstream[dependency].append(task)
    return Graph(order, upstream, {task: tuple(names) for task, names in downstream.items()})


@dataclass(frozen=True, slots=True)
class Links:
    """Tasks that a task's result affects, in addition to its dependents, by task. `place` is a task's position in the topological order."""

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
