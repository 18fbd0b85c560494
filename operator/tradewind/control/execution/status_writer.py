"""Writes the status of runs when it is due and the run has not changed meanwhile, and reports its news."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from tradewind.control.dagrun import deadlines
from tradewind.control.dagrun import status as runstatus
from tradewind.control.dagrun.attempt_log import Packed
from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dagrun.state import RunState
from tradewind.control.dagrun.status import Asked
from tradewind.control.dagrun.writes import save
from tradewind.control.execution.reporter import RunReporter
from tradewind.control.execution.run_table import RunTable
from tradewind.kube import merge_patch
from tradewind.kube.client import Client
from tradewind.kube.errors import NotFound
from tradewind.kube.pod_informer import PodInformer
from tradewind.plan.runs.decision import Plan
from tradewind.plan.runs.planner import Planner

COALESCE, MOST_COALESCE = 0.25, 5.0
"""Minimum and maximum seconds between two writes of a run's status, unless its phase changes."""
SHARE = 10.0
"""The pause after a write, as a multiple of the time it took: slow servers and large runs get fewer writes."""


@dataclass(slots=True)
class Written:
    """When (the loop's time) the status of a run was last written, and how long that took, including the wait for a place."""

    at: float = float("-inf")
    took: float = 0.0

    @property
    def due(self) -> float:
        """When the next write may follow."""
        return self.at + min(MOST_COALESCE, max(COALESCE, SHARE * self.took))


class RunStatusWriter:
    """Writes statuses computed from runs. `changed(run, phase before)` is called after a change of phase or an asset update, `gone(run)`
    for a deleted run, `saved(run)` after each write."""

    def __init__(
        self,
        client: Client,
        table: RunTable,
        pods: PodInformer,
        teller: RunReporter,
        changed: Callable[[Run, str], None],
        gone: Callable[[Run], None],
        saved: Callable[[Run], None],
        clock: Callable[[], float],
    ) -> None:
        self._client, self._table, self._pods, self._teller = client, table, pods, teller
        self._changed, self._gone, self._saved, self._clock = changed, gone, saved, clock
        self._written: WeakKeyDictionary[RunState, Written] = WeakKeyDictionary()

    def written_at(self, state: RunState) -> float:
        """When (the loop's time) this process last wrote the status of a run; minus infinity if it has not."""
        return self._of(state).at

    async def write(
        self, state: RunState, run: Run, planner: Planner, plan: Plan, asked: Asked | None = None, at_once: bool = False
    ) -> None:
        """Writes the status if it is due, and reports its news. If the run is no longer `run`, it is woken instead."""
        if self._table.overtaken(state, run):
            self._table.wake(run.uid)
            return
        now, due = asyncio.get_running_loop().time(), self._of(state).due
        early = asked is None and not at_once and plan.phase == run.phase and now < due
        if early and state.attempts.news:
            self._table.queue.add_at(run.uid, due)
            return  # Ended attempts are compressed only when they are written.
        news = state.attempts.ends()
        status = runstatus.current(state, planner, plan, [end for _, end in news], self._clock(), asked)
        if early:
            if merge_patch.merged(run.status, status) != run.status:
                self._table.queue.add_at(run.uid, due)
            return
        pods = {key: state.pods.unsaved.get(key) for key, _ in news}
        try:
            if asked is None:
                with state.attempts.saving(Packed.of(status), [key for key, _ in news]):
                    await self.save(state, run, status)
            else:
                await self.save(state, run, status)
        finally:
            # Also after a refusal: two operators that disagree must not answer each other at once.
            self.not_before(state, now)
        for name in state.pods.take_settled():
            self._pods.forget(run.namespace, run.uid, name)
        for key, end in news:
            self._teller.report_attempt(run, end, pods[key], state.attempts.ready_at(planner, end.attempt))
        self._teller.report_waiting(run, status["waiting"])
        self._teller.report_unproduced(run, status["failures"])
        refused = runstatus.refusals(state, planner)
        self._teller.report_failures(run, refused)
        state.attempts.mark_reported(refused)

    async def save(self, state: RunState, run: Run, status: merge_patch.Status) -> None:
        """Writes a status computed from `run` at once. Raises Conflict if the run has changed since."""
        began = asyncio.get_running_loop().time()
        try:
            if not (stored := await save(self._client, run, status)):
                return
        except NotFound:
            self._gone(run)
            return
        self._of(state).took = asyncio.get_running_loop().time() - began
        state.update(read_run(stored), self._pods.of(run.namespace, run.uid))
        now = state.run
        self._saved(now)
        late = (words := deadlines.told(status)) and words != deadlines.told(run.status)
        if late:
            self._teller.report_late(now, words)
        produced = len(now.status.get("produced") or ()) > len(run.status.get("produced") or ())
        if late or produced or now.phase != run.phase:
            self._changed(now, run.phase)

    def not_before(self, state: RunState, now: float) -> None:
        """Delays the next write, so that what becomes known shortly after `now` is included."""
        self._of(state).at = now

    def _of(self, state: RunState) -> Written:
        return self._written.setdefault(state, Written())
