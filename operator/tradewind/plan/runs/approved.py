"""Approvals: only an approval's own decision ends it, and the decision applies to the results upstream of it.

So tasks before an approval can't be marked as ended, nor rerun alone, and tasks after it can neither be marked nor
reused from another run while the decision is missing. Otherwise users who may edit or create runs could bypass
approvals."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from tradewind.model.base import Model
from tradewind.model.dag import DAGSpec
from tradewind.plan import pacing
from tradewind.plan.dags.definition import Definition
from tradewind.plan.dags.graph import reach
from tradewind.plan.outcomes.attempt import parse_key
from tradewind.plan.outcomes.state import State
from tradewind.plan.runs.decision import RunFacts
from tradewind.plan.runs.planner import Planner

DECIDED = "decided in run "
"""The beginning of the explanation of a decision reused from another run. Explanations of edits begin differently,
whatever people write."""
MARKED = "marked by hand"
"""The beginning of the explanation of an edit, which stays when the result is reused."""


@dataclass(frozen=True)
class Approvals:
    """The tasks of a DAG that ask for an approval: themselves, or in a run of one of the DAGs (`SubDAG.key`) in `within`. Sets of
    tasks are bits, at the tasks' positions in the order of the graph, where whole DAGs are compared."""

    definition: Definition
    within: Collection[str] = ()
    unneeded: Collection[str] = ()
    """Tasks that the run leaves out, as well as all that depends on them: they ask for nothing."""

    @cached_property
    def asking(self) -> tuple[str, ...]:
        """These tasks, in order."""
        tasks = self.definition.tasks

        def asks(name: str) -> bool:
            dag = tasks[name].dag
            asks = tasks[name].approval is not None or (dag is not None and dag.key in self.within)
            return asks and name not in self.unneeded

        return tuple(name for name in pacing.each(self.definition.graph.order) if asks(name))

    @cached_property
    def sealed(self) -> Mapping[str, str]:
        """Tasks that are an approval or come before one -> the first such approval in order."""
        graph, asking, found = self.definition.graph, set(self.asking), dict[str, str]()
        for task in pacing.each(reversed(graph.order)):
            after = {found[name] for name in graph.downstream[task] if name in found}
            if task in asking or after:
                found[task] = task if task in asking else min(after, key=self._place.__getitem__)
        return found

    @cached_property
    def _place(self) -> Mapping[str, int]:
        return {task: place for place, task in enumerate(self.definition.graph.order)}

    @cached_property
    def _above(self) -> Mapping[str, int]:
        """All tasks upstream of each task. Not cached with the definition: it is large."""
        return self.definition.graph.ancestry()

    def bits(self, tasks: Iterable[str]) -> int:
        """Tasks as bits."""
        found = 0
        for task in pacing.each(tasks):
            found |= 1 << self._place[task]
        return found

    def waits(self, task: str, others: int) -> bool:
        """Whether a task is downstream of one of the others."""
        return bool(others and self._above[task] & others)

    def first(self, task: str, others: int) -> str | None:
        """The first of the others that a task is downstream of."""
        found = others and self._above[task] & others
        return self.definition.graph.order[(found & -found).bit_length() - 1] if found else None

    def before(self, *tasks: str) -> set[str]:
        """All tasks upstream of some."""
        return reach(tasks, self.definition.graph.upstream)

    def after(self, *tasks: str) -> set[str]:
        """All tasks downstream of some."""
        return reach(tasks, self.definition.graph.downstream)

    def open(self, planner: Planner) -> int:
        """Approvals that were neither given nor skipped. One that the run leaves out is open."""
        left_out = planner.selection.left_out
        return self.bits(
            name
            for name in self.asking
            if not ((passed_over(planner, name) and name not in left_out) or given(planner, name))
        )

    def anew(self, undone: Iterable[str]) -> int:
        """Approvals that are among the tasks and items in `undone`, or were about some of them: their decisions don't
        count any more."""
        again = {parse_key(key)[0] for key in pacing.each(undone)} if self.asking else set()
        bits = self.bits(again)
        return self.bits(name for name in self.asking if name in again or self.waits(name, bits))


def marked(planner: Planner, task: str) -> bool:
    """Whether a person has set the state of a task, or of an item, here or in the run whose result this one reuses."""
    group = planner.ledger.groups.get(task)
    whys = [unit.why for unit in planner.ledger.members(task)] + ([group.why] if group else [])
    return any(why.startswith(MARKED) for why in whys)


def passed_over(planner: Planner, task: str) -> bool:
    """Whether a task was skipped before it had an attempt: one that was declined may end as skipped, too."""
    skipped = planner.ledger.states.get(task) is State.SKIPPED
    return skipped and not any(unit.ended for unit in planner.ledger.members(task))


def decided(planner: Planner, task: str) -> bool:
    """Whether an approval, or a run that asks for some, ended by itself, here or in the run whose decisions this one
    reuses. An item that was declined and ended as skipped (skipOn) is no decision in its favour."""
    units = planner.ledger.members(task) if planner.ledger.states.get(task) is State.SUCCEEDED else ()
    if any(unit.state is State.SKIPPED and unit.ended for unit in units):
        return False
    return bool(units) and all(
        unit.state is not State.SUCCEEDED
        or unit.why.startswith(DECIDED)
        or not (planner.fixed(unit.key) or planner.fixed(task))
        for unit in units
    )


def given(planner: Planner, task: str) -> bool:
    """Whether it was approved."""
    asks = planner.definition.tasks[task].approval is not None
    return decided(planner, task) and all(
        not asks
        or unit.state is not State.SUCCEEDED
        or planner.ledger.outputs.get(unit.key, {}).get("approved") is True
        for unit in planner.ledger.members(task)
    )


def same(planner: Planner, definition: Definition, run: RunFacts, same_calls: bool = False) -> bool:
    """Whether a run was of this exact DAG, with the params and dates of `run` and what that has read of earlier runs and
    ConfigMaps, and bound to the same revisions of all DAGs that it calls (`same_calls`): otherwise its decisions were
    about something else."""
    return (
        (same_calls or not any(task.dag for task in definition.tasks.values()))
        and planner.ledger.run.dates == run.dates
        and _canonical(dict(planner.ledger.run.params)) == _canonical(dict(run.params))
        and _canonical(dict(planner.ledger.run.bound)) == _canonical(dict(run.bound))
        and _same_spec(planner.definition.spec, definition.spec)
    )


def _same_spec(one: DAGSpec, other: DAGSpec) -> bool:
    """Compares task by task: there may be thousands."""

    def equal(this: Model, that: Model) -> bool:
        return this == that and _canonical(this.model_dump(mode="json")) == _canonical(that.model_dump(mode="json"))

    return (
        one.tasks.keys() == other.tasks.keys()
        and all(equal(one.tasks[name], other.tasks[name]) for name in pacing.each(one.tasks))
        and equal(one.model_copy(update={"tasks": {}}), other.model_copy(update={"tasks": {}}))
    )


def _canonical(value: Any) -> bytes:
    """The value as JSON: there false is not 0, as it is in Python."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
