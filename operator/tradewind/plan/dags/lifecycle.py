"""Implicit dependencies: teardowns on everything that needs their setups, exit tasks on all other tasks."""

from collections.abc import Iterator, Mapping

from tradewind.model.task import Task
from tradewind.plan import pacing
from tradewind.plan.dags.graph import reach
from tradewind.plan.documents.nearest import listed
from tradewind.plan.documents.problem import Problem

PAIRS = 1_000_000
"""The product of teardowns plus exit tasks and all tasks: each of the former may depend on each of the latter."""


def too_many(tasks: Mapping[str, Task]) -> Problem | None:
    """A problem if there are too many teardowns and exit tasks, which depend on very many others."""
    found = sum(bool(task.teardown or task.on_exit) for task in tasks.values())
    if found * len(tasks) <= PAIRS:
        return None
    most = (
        f"a DAG of {len(tasks)} tasks may have {PAIRS // len(tasks)} teardowns and exit tasks, and this one has {found}"
    )
    return Problem("spec.tasks", most, "let one of them do the work of several")


def dependencies(tasks: Mapping[str, Task]) -> dict[str, set[str]]:
    """Every task with all its dependencies."""
    found = {name: {*task.depends_on, *(task.teardown.of if task.teardown else ())} for name, task in tasks.items()}
    downstream: dict[str, list[str]] = {}
    for name, above in found.items():
        for other in above:
            downstream.setdefault(other, []).append(name)
    teardowns = {name: frozenset(task.teardown.of) for name, task in tasks.items() if task.teardown}
    after = {name: reach([name], downstream) for name in pacing.each(teardowns)}
    for name, setups in pacing.each(teardowns.items()):
        needing = reach(setups, downstream)
        others = {other for other, of in teardowns.items() if of & setups}
        # Tasks after this teardown, or after another one of the same setups, don't need the setups.
        beyond = others.union(*(after[other] for other in others))
        found[name] |= {other for other in needing - beyond if not tasks[other].on_exit}
    rest = [name for name, task in tasks.items() if not task.on_exit]
    for name, task in pacing.each(tasks.items()):
        if task.on_exit:
            found[name] |= set(rest)
    return found


def problems(tasks: Mapping[str, Task]) -> Iterator[Problem]:
    """Problems with teardowns and exit tasks."""
    exits = {name for name, task in tasks.items() if task.on_exit}
    if len(exits) == len(tasks):
        yield Problem("spec.tasks", "all tasks are exit tasks", "remove onExit from the tasks that do the work")
    there = ""
    for name, task in pacing.each(tasks.items()):
        path = f"spec.tasks.{name}"
        if task.teardown and task.on_exit:
            yield Problem(f"{path}.onExit", "a teardown runs at its own time", "leave out onExit or teardown")
        if task.teardown and task.trigger_rule != "AllSucceeded":
            yield Problem(f"{path}.triggerRule", "a teardown runs whenever its setup ran", "leave out triggerRule")
        for index, setup in enumerate(task.teardown.of if task.teardown else ()):
            where = f"{path}.teardown.of[{index}]"
            if setup not in tasks:
                there = there or f"there are: {listed(tasks)}"
                yield Problem(where, f"there is no task {setup!r}", there)
            elif setup in exits or tasks[setup].teardown or setup == name:
                yield Problem(
                    where, f"{setup} is not a setup", "name a task that is neither a teardown nor an exit task"
                )
        for index, other in enumerate(task.depends_on):
            where = f"{path}.dependsOn[{index}]"
            if other in exits and name not in exits:
                yield Problem(where, f"{other} is an exit task", "only exit tasks can depend on exit tasks")
            elif name in exits and other in tasks and other not in exits:
                yield Problem(where, f"an exit task runs after {other} anyway", "name only exit tasks, or remove it")
