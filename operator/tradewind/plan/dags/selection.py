"""A run of some of a DAG's tasks only."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tradewind.plan.dags.definition import Definition
from tradewind.plan.dags.graph import reach
from tradewind.plan.documents.nearest import unknown_tasks
from tradewind.plan.documents.problem import Problem
from tradewind.plan.outcomes.state import State

LEFT_OUT = "not run: this run leaves it out"


@dataclass(frozen=True, slots=True)
class Selection:
    """The tasks that a run leaves out, with the state that they count as; and those that decide how it ends."""

    left_out: Mapping[str, State]
    deciding: frozenset[str]
    unneeded: frozenset[str] = frozenset()
    """Those left out on which nothing depends that runs."""


def select(definition: Definition, only: Sequence[str] = (), until: Sequence[str] = ()) -> Selection:
    """The tasks of a run that runs `only` these tasks, or these and all that they need; without either, all tasks."""
    if not only and not until:
        return Selection({}, definition.deciding)
    chosen = set(only) if only else _needed(definition, until)
    above = reach(only, definition.graph.upstream)
    left_out = {
        name: State.SUCCEEDED if name in above else State.SKIPPED for name in definition.tasks if name not in chosen
    }
    needed = reach(chosen, definition.graph.upstream)
    return Selection(left_out, frozenset(definition.last_of(chosen)), frozenset(left_out.keys() - needed))


def _needed(definition: Definition, until: Sequence[str]) -> set[str]:
    """These tasks and all before them, teardowns of what runs, handlers and exit tasks."""
    found = {*until, *reach(until, definition.graph.upstream)}
    for name, task in definition.tasks.items():
        if task.on_exit or task.handles or (task.teardown and not found.isdisjoint(task.teardown.of)):
            found.add(name)
    return found


def selection_problems(definition: Definition, only: Sequence[str], until: Sequence[str]) -> Iterator[Problem]:
    """Tasks that don't exist."""
    if only and until:
        yield Problem("spec.until", "only and until exclude each other", "write one of them")
    named = [
        (f"spec.{field}[{index}]", name)
        for field, names in (("only", only), ("until", until))
        for index, name in enumerate(names)
    ]
    yield from unknown_tasks(((path, name) for path, name in named if name not in definition.tasks), definition.tasks)


def bypassed(
    definition: Definition, only: Sequence[str], until: Sequence[str], asking: Collection[str]
) -> Iterator[Problem]:
    """Approvals that a run of `only` these tasks, or `until` these, would bypass; `asking` are the tasks that ask for one."""
    left_out = select(definition, until=until).left_out
    if left := [name for name in asking if name in left_out]:
        for name in definition.exits:
            # A rejection ends the run as Failed, and a person can cancel it: other exit tasks wait for no approval.
            if set(definition.tasks[name].on_exit) <= {"Succeeded"}:
                what = f"exit task {name} runs after a success, which needs approval {left[0]}, and this run leaves that out"
                yield Problem(
                    "spec.until", what, f"name {left[0]} too, or write spec.only, with which no exit task runs"
                )
    above = reach(only, definition.graph.upstream)
    for name in asking:
        if name in above and name not in only:
            what = f"approval {name} is needed before what this run does"
            yield Problem("spec.only", what, "write spec.until instead: it runs what comes before, too")
        elif name in only and (missing := sorted(reach([name], definition.graph.upstream) - set(only))):
            what = f"approval {name} is about {missing[0]}, which this run leaves out"
            yield Problem("spec.only", what, "write spec.until instead: it runs what comes before, too")
