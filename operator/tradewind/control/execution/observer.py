"""The first two steps of a pass over a run: observe its state, and plan what to do."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from tradewind.control.dagrun import status as runstatus
from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.state import RunState
from tradewind.control.dags.revisions import Revisions
from tradewind.control.egress.policy import EgressPolicy
from tradewind.control.execution import start_status
from tradewind.control.execution.run_feed import RunFeed
from tradewind.control.execution.run_table import RunTable
from tradewind.control.execution.status_writer import RunStatusWriter
from tradewind.control.podless.executor import Podless
from tradewind.kube.errors import NotFound
from tradewind.plan.runs.decision import Plan
from tradewind.plan.runs.planner import Planner


@dataclass(frozen=True, slots=True)
class Observed:
    """A run as a pass found it, and its informed planner. `now` is the loop's time."""

    run: Run
    planner: Planner
    now: float


class Observer:
    """Informs planners and asks them."""

    def __init__(
        self,
        revisions: Revisions,
        table: RunTable,
        feed: RunFeed,
        podless: Podless,
        writer: RunStatusWriter,
        egress: EgressPolicy,
        clock: Callable[[], float],
    ) -> None:
        self._revisions, self._table, self._feed, self._podless = revisions, table, feed, podless
        self._writer, self._egress, self._clock = writer, egress, clock

    async def observe(self, state: RunState) -> Observed | None:
        """Informs the planner of everything known. None if the run can't continue or has changed meanwhile; then it is reconciled again."""
        run = state.run
        try:
            definition = await self._revisions.load(run.namespace, run.status["revision"])
        except NotFound:
            words = f"revision {run.status['revision']} was deleted: the run can't continue without its DAG's spec"
            lost = start_status.stillborn(run, "Failed", "RevisionLost", words, self._clock())
            await self._writer.save(state, run, lost)
            return None
        now, run = asyncio.get_running_loop().time(), state.run
        elapsed = runstatus.elapsed(run, self._clock())  # Elapsed time is taken from here on by the loop's clock.
        pods = self._feed.pods.of(run.namespace, run.uid)
        with self._feed.at_work(state):
            planner = state.bind(definition, pods, now, elapsed, self._egress)
            state.absorb(pods, now)
            self._podless.tell(state, planner, now)
        planner.tell_crowded(self._table.footprints.crowded(run.namespace, run.uid, run.caller is not None))
        return None if self._overtaken(state, run) else Observed(run, planner, now)

    def plan(self, state: RunState, seen: Observed) -> Plan | None:
        """The planner's decision. None if the run has changed meanwhile; then it is reconciled again."""
        with self._feed.at_work(state):
            plan = seen.planner.decide(seen.now)
        if self._overtaken(state, seen.run):  # It may be gone, and then takes nothing any more.
            return None
        size = seen.planner.ledger.footprint + self._podless.size(seen.run.uid)
        self._table.footprints.note(seen.run.namespace, seen.run.uid, size)
        return plan

    def _overtaken(self, state: RunState, run: Run) -> bool:
        if overtaken := self._table.overtaken(state, run):
            self._table.wake(run.uid)
        return overtaken
