"""Implicit dependencies: teardowns on everything that needs their setups, handlers on what they handle, exit tasks on all
other tasks."""

from collections.abc import Iterator, Mapping

from tradewind.model.task import HANDLED, Task
from tradewind.plan import pacing
from tradewind.plan.dags.graph import reach
from tradewind.plan.documents.nearest import listed, unknown_tasks
from tradewind.plan.documents.problem import Problem

PAIRS = 1_000_000
"""The product of teardowns, exit tasks and handlers together, and all tasks: each of the former may depend on each of the
latter."""


def pairs(tasks: Mapping[str, Task]) -> int:
    """How many dependencies the teardowns, exit tasks and handlers may have."""
    return len(tasks) * sum(bool(task.teardown or task.on_exit or task.handles) for task in tasks.values())


def too_many(tasks: Mapping[str, Task], left: int = PAIRS) -> Problem | None:
    """A problem if there are too many teardowns, exit tasks and handlers, which depend on very many others. `left` is what
    other DAGs of the same manifest leave of PAIRS."""
    if pairs(tasks) <= left:
        return None
    found = pairs(tasks) // len(tasks)
    if left < PAIRS:
        most = f"together with the other DAGs of this manifest, {found} teardowns, exit tasks and handlers are too many"
        return Problem("spec.tasks", most, "let one of them do the work of several, or make a DAG of its own")
    most = f"a DAG of {len(tasks)} tasks may have {PAIRS // len(tasks)} teardowns, exit tasks and handlers, and this one has {found}"
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
    for name, task in pacing.each(tasks.items()):
        if task.handles:
            found[name] |= set(handled(name, tasks))
    rest = [name for name, task in tasks.items() if not task.on_exit]
    for name, task in pacing.each(tasks.items()):
        if task.on_exit:
            found[name] |= set(rest)
    return found


def handled(name: str, tasks: Mapping[str, Task]) -> list[str]:
    """The tasks that a handler handles, as far as they exist."""
    handles = tasks[name].handles
    named = handles.of if handles else ()
    if "*" in named:
        return [other for other, task in tasks.items() if not (task.handles or task.on_exit)]
    return [other for other in named if other in tasks and other != name]


def _handler_problems(path: str, name: str, tasks: Mapping[str, Task]) -> Iterator[Problem]:
    task = tasks[name]
    if task.for_each is not HANDLED:
        yield Problem(f"{path}.forEach", "a handler runs for each end that it handles", "leave out forEach or handles")
    for field, given in (
        ("dependsOn", task.depends_on),
        ("triggerRule", task.trigger_rule != "AllSucceeded"),
        ("teardown", task.teardown),
        ("onExit", task.on_exit),
    ):
        if given:
            yield Problem(f"{path}.{field}", "a handler runs as soon as a task ends", f"leave out {field} or handles")
    if task.approval:
        yield Problem(f"{path}.approval", "a handler decides nothing", "write an approval that depends on the task")
    named = [
        (f"{path}.handles.of[{index}]", other) for index, other in enumerate(task.handles.of if task.handles else ())
    ]
    yield from unknown_tasks(((where, other) for where, other in named if other != "*" and other not in tasks), tasks)
    for where, other in named:
        if other in tasks and (tasks[other].handles or tasks[other].on_exit):
            kind = "a handler" if tasks[other].handles else "an exit task"
            yield Problem(where, f"{other} is {kind}", "name tasks that are neither handlers nor exit tasks")


def problems(tasks: Mapping[str, Task]) -> Iterator[Problem]:
    """Problems with teardowns, exit tasks and handlers."""
    exits = {name for name, task in tasks.items() if task.on_exit}
    handlers = {name for name, task in tasks.items() if task.handles}
    if len(exits | handlers) == len(tasks) and handlers:
        yield Problem("spec.tasks", "no task does the work", "add tasks that are neither handlers nor exit tasks")
    elif len(exits) == len(tasks):
        yield Problem("spec.tasks", "all tasks are exit tasks", "remove onExit from the tasks that do the work")
    there = ""
    for name, task in pacing.each(tasks.items()):
        path = f"spec.tasks.{name}"
        if task.handles:
            yield from _handler_problems(path, name, tasks)
        if task.wait_for_previous and (task.teardown or task.on_exit or task.handles):
            what = "teardowns, exit tasks and handlers run at their own time"
            yield Problem(f"{path}.waitForPrevious", what, "leave it out")
        if task.teardown and task.on_exit:
            yield Problem(f"{path}.onExit", "a teardown runs at its own time", "leave out onExit or teardown")
        if task.teardown and task.trigger_rule != "AllSucceeded":
            yield Problem(f"{path}.triggerRule", "a teardown runs whenever its setup ran", "leave out triggerRule")
        for index, setup in enumerate(task.teardown.of if task.teardown else ()):
            where = f"{path}.teardown.of[{index}]"
            if setup not in tasks:
                there = there or f"there are: {listed(tasks)}"
                yield Problem(where, f"there is no task {setup!r}", there)
            elif setup in exits or setup in handlers or tasks[setup].teardown or setup == name:
                what = "name a task that is neither a teardown nor an exit task nor a handler"
                yield Problem(where, f"{setup} is not a setup", what)
        for index, other in enumerate(task.depends_on):
            where = f"{path}.dependsOn[{index}]"
            if other in handlers and not task.handles:
                found = Problem(where, f"{other} is a handler", "depend on what it handles, or use onExit")
                yield found.resting(f"{path}.handles")
            elif other in exits and name not in exits:
                found = Problem(where, f"{other} is an exit task", "only exit tasks can depend on exit tasks")
                yield found.resting(f"{path}.onExit")
            elif name in exits and other in tasks and other not in exits:
                found = Problem(where, f"an exit task runs after {other} anyway", "name only exit tasks, or remove it")
                yield found.resting(f"spec.tasks.{other}.onExit")
