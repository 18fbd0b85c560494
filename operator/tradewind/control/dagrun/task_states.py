"""How tasks of other runs have ended."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.state import RunState, picture
from tradewind.kube.errors import NotFound
from tradewind.plan.dags.definition import Definition
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.outcomes.attempt import parse_key
from tradewind.plan.outcomes.state import FINAL, State
from tradewind.plan.runs.planner import Planner

Load = Callable[[str, str], Awaitable[Definition]]
"""The definition in a revision, by namespace and name. Raises NotFound and Invalid."""


class TasksUnreadable(Exception):
    """How a task of a run has ended can't be found; the message says why."""


class NoSuchTask(TasksUnreadable):
    """The run's DAG has no such task, or the fan-out no such item."""


@dataclass(frozen=True, slots=True)
class TaskEnds:
    """How the tasks of a run have ended. `planner` is None while nothing is known of them."""

    run: Run
    planner: Planner | None = None
    news: frozenset[str] = frozenset()
    """Tasks with an end that is not on record: until it is, another operator may see it otherwise."""

    def of(self, key: str) -> str:
        """The final state of a task or item; empty before its end. A run that ends without having run a task cancels it. Raises
        TasksUnreadable."""
        if self.planner is None:
            return State.CANCELLED if self.run.final else ""
        found = "" if parse_key(key)[0] in self.news else _end(self.run, self.planner, key)
        if found or not self.run.final:
            return found
        if self.planner.decide(0.0).unsettled:
            raise TasksUnreadable(f"the expressions of run {self.run.name} need more CPU time than one pass allows")
        return State.CANCELLED


class TaskStates:
    """Reads how tasks of runs have ended. `begun` gives the state of a run that is active, by its uid: only that knows which attempts
    are live. The states of an ended run follow from its status and its revision."""

    def __init__(self, load: Load, begun: Callable[[str], RunState | None]) -> None:
        self._load, self._begun = load, begun

    async def read(self, run: Run) -> TaskEnds:
        """How the tasks of a run have ended. Raises TasksUnreadable, and errors of the API."""
        if not run.final:
            state = self._begun(run.uid)
            if state is None or state.stale or state.planner is None:
                return TaskEnds(run)
            return TaskEnds(run, state.planner, frozenset(parse_key(key)[0] for key, _ in state.attempts.news))
        if not run.status.get("revision"):
            return TaskEnds(run)
        try:
            return TaskEnds(run, picture(run, await self._load(run.namespace, str(run.status["revision"])), {}).planner)
        except (NotFound, Invalid, ValueError) as error:
            raise TasksUnreadable(f"the tasks of run {run.name} can't be read: {error}") from None


def _end(run: Run, planner: Planner, key: str) -> str:
    """The final state of a task or item, as far as the planner knows. Raises NoSuchTask."""
    task, index = parse_key(key)
    known = planner.ledger.states.get(task)
    if known is None:
        raise NoSuchTask(f"run {run.name} of DAG {run.dag} has no task {task}")
    if index is None:
        return known if known in FINAL else ""
    if unit := planner.ledger.units.get(key):
        return unit.state if unit.state in FINAL else ""
    if task not in planner.ledger.groups:
        raise NoSuchTask(f"{task} of run {run.name} is no fan-out: name it without an index")
    if known in FINAL and (units := planner.ledger.members(task)):
        raise NoSuchTask(f"{task} of run {run.name} has {len(units)} items, counted from 0")
    return known if known in FINAL else ""
