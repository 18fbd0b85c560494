"""How tasks of other runs have ended, for sensors."""

from collections.abc import Awaitable, Callable

from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.state import RunState, picture
from tradewind.control.sensors.bucket_probe import ProbeFailedError
from tradewind.kube.errors import NotFound
from tradewind.plan.dags.definition import Definition
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.outcomes.attempt import parse_key
from tradewind.plan.outcomes.state import FINAL, State
from tradewind.plan.runs.planner import Planner

Load = Callable[[str, str], Awaitable[Definition]]
"""The definition in a revision, by namespace and name. Raises NotFound and Invalid."""


class TaskStates:
    """Finds how tasks of runs have ended. `begun` gives the state of a run that is active, by its uid: only that knows which attempts
    are live. The states of an ended run follow from its status and its revision."""

    def __init__(self, load: Load, begun: Callable[[str], RunState | None]) -> None:
        self._load, self._begun = load, begun

    async def end(self, run: Run, key: str) -> str:
        """The final state of a task or item; empty before its end. Raises ProbeFailedError, and errors of the API."""
        if not run.final:
            state = self._begun(run.uid)
            if state is None or state.stale or state.planner is None:
                return ""
            # An end counts once it is on record: before that, another operator may see it otherwise.
            fresh = any(parse_key(news)[0] == parse_key(key)[0] for news, _ in state.attempts.news)
            return "" if fresh else _end(run, state.planner, key)
        if not run.status.get("revision"):
            return State.CANCELLED
        try:
            planner = picture(run, await self._load(run.namespace, str(run.status["revision"])), {}).planner
        except (NotFound, Invalid, ValueError) as error:
            raise ProbeFailedError(f"the tasks of run {run.name} can't be read: {error}") from None
        assert planner is not None  # noqa: S101 - the picture has bound it
        found = _end(run, planner, key)
        if not found and planner.decide(0.0).unsettled:
            raise ProbeFailedError(f"the expressions of run {run.name} need more CPU time than one poll allows")
        return found or State.CANCELLED


def _end(run: Run, planner: Planner, key: str) -> str:
    """The final state of a task or item, as far as the planner knows. Raises ProbeFailedError if there is no such one."""
    task, index = parse_key(key)
    known = planner.ledger.states.get(task)
    if known is None:
        raise ProbeFailedError(f"run {run.name} of DAG {run.dag} has no task {task}")
    if index is None:
        return known if known in FINAL else ""
    if unit := planner.ledger.units.get(key):
        return unit.state if unit.state in FINAL else ""
    if task not in planner.ledger.groups:
        raise ProbeFailedError(f"{task} of run {run.name} is no fan-out: name it without an index")
    if known in FINAL and (units := planner.ledger.members(task)):
        raise ProbeFailedError(f"{task} of run {run.name} has {len(units)} items, counted from 0")
    return known if known in FINAL else ""
