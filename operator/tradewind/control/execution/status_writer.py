"""Writing the status of runs: when it is due, on condition that the run is still as it was, and telling of what it says."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

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
"""Seconds between two writes of a run's status, unless its phase changes."""
SHARE = 10.0
"""A run waits so many times as long as its last write took: a server that is slow, or a large run, is written to less often."""


@dataclass(slots=True)
class Written:
    """When (the loop's time) the status of a run was written last, and how long that took, its wait for a place included."""

    at: float = float("-inf")
    took: float = 0.0

    @property
    def due(self) -> float:
        """When the next may follow."""
        return self.at + min(MOST_COALESCE, max(COALESCE, SHARE * self.took))


class RunStatusWriter:
    """Writes what was worked out of runs. `changed(run, phase before)` is told of a run that has come into another phase or has updated
    an asset, `gone(run)` of one that is not there any more."""

    def __init__(
        self,
        client: Client,
        table: RunTable,
        pods: PodInformer,
        teller: RunReporter,
        changed: Callable[[Run, str], None],
        gone: Callable[[Run], None],
        clock: Callable[[], float],
    ) -> None:
        self._client, self._table, self._pods, self._teller = client, table, pods, teller
        self._changed, self._gone, self._clock = changed, gone, clock
        self._written: WeakKeyDictionary[RunState, Written] = WeakKeyDictionary()

    def written_at(self, state: RunState) -> float:
        """When (the loop's time) the status of a run was last written; minus infinity when it was not by this process."""
        return self._of(state).at

    async def write(
        self, state: RunState, run: Run, planner: Planner, plan: Plan, asked: Asked | None = None, at_once: bool = False
    ) -> None:
        """Saves the status if it is due, and tells about what it says for the first time. What was decided about `run` is not said of
        what has become of it meanwhile."""
        if self._table.overtaken(state, run):
            self._table.wake(run.uid)
            return
        now, due = asyncio.get_running_loop().time(), self._of(state).due
        early = asked is None and not at_once and plan.phase == run.phase and now < due
        if early and state.attempts.news:
            self._table.queue.add_at(run.uid, due)
            return  # What has ended is packed once, when it is written.
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
            # Also when it was refused: two operators that disagree must not answer each other at once.
            self.not_before(state, now)
        for name in state.pods.take_settled():
            self._pods.forget(run.namespace, run.uid, name)
        for key, end in news:
            self._teller.attempt(run, end, pods[key], state.attempts.ready_at(planner, end.attempt))
        self._teller.waiting(run, status["waiting"])
        self._teller.unproduced(run, status["failures"])
        refused = runstatus.refusals(state, planner)
        self._teller.refused(run, refused)
        state.attempts.mark_reported(refused)

    async def save(self, state: RunState, run: Run, status: merge_patch.Status) -> None:
        """Writes a status that was worked out of `run`, at once. Raises Conflict when the run is not so any more."""
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
        if now.phase != run.phase or len(now.status.get("produced") or ()) > len(run.status.get("produced") or ()):
            self._changed(now, run.phase)

    def not_before(self, state: RunState, now: float) -> None:
        """What is known a moment after `now` is written together with what follows."""
        self._of(state).at = now

    def _of(self, state: RunState) -> Written:
        return self._written.setdefault(state, Written())
