"""Reconciles a run: observe, plan, stop, start, report."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from tradewind import metrics
from tradewind.control.dagrun import deadlines
from tradewind.control.dagrun.listener import RunListener
from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.state import RunState
from tradewind.control.dagrun.task_states import TaskStates, claims
from tradewind.control.dagrun.unreadable import Unreadable
from tradewind.control.dagrun.writes import StatusTooLarge
from tradewind.control.dags.bound_approvals import read_edits
from tradewind.control.dags.previous_tasks import PreviousTasks
from tradewind.control.dags.revisions import Revisions
from tradewind.control.dags.start_values import StartValues
from tradewind.control.dags.template_index import Templates
from tradewind.control.egress.client import HttpClient
from tradewind.control.egress.policy import USUAL, EgressPolicy
from tradewind.control.evaluation.footprints import OWN_LIMIT
from tradewind.control.evaluation.host import Host
from tradewind.control.execution.forced_end import End, Ender, breaks
from tradewind.control.execution.observer import Observed, Observer
from tradewind.control.execution.pod_remover import PodRemover
from tradewind.control.execution.pod_starter import NOTHING, PodStarter, Started, hold_back
from tradewind.control.execution.reporter import RunReporter
from tradewind.control.execution.run_binder import RunBinder
from tradewind.control.execution.run_feed import RunFeed
from tradewind.control.execution.run_start import RunStarter
from tradewind.control.execution.run_table import RunTable
from tradewind.control.execution.status_writer import RunStatusWriter
from tradewind.control.podless.approvals import Approvals
from tradewind.control.podless.executor import Podless
from tradewind.control.podless.sub_dags import SubDAGs
from tradewind.control.podless.work import Worker
from tradewind.control.pods.launcher import PodLauncher
from tradewind.control.pools.book import PoolBook
from tradewind.control.pools.holders import Holders
from tradewind.control.retention.recorded import AGAIN, Recorded
from tradewind.control.sensors.sensor_tasks import SensorTasks
from tradewind.control.shared.coalesced_reads import CoalescingReader
from tradewind.control.shared.event_recorder import EventRecorder
from tradewind.control.triggers.run_ticks import RunTicks
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError, Conflict, Unavailable
from tradewind.kube.log_fields import FIELDS
from tradewind.kube.writes import flow
from tradewind.plan import pacing
from tradewind.plan.capacity.pool_allotment import PoolId
from tradewind.plan.capacity.shard_share import WHOLE, Owned
from tradewind.plan.runs.decision import Plan

log = logging.getLogger(__name__)
ASIDE = 2.0
"""Seconds until a run continues whose pass has used up its budget."""
CLEAN_DELAY = 5.0
"""Seconds between a run's end and the removal of its pods: by then every operator has seen the end."""


class RunReconciler:
    """Reconciles every run. `listener` follows runs, `foreign(run, deleted)` those of other shards, `pool_changed` pools whose status may
    have changed; `backfilled(run)` returns whether a backfill made a run. With `recorded`, pods wait until their logs are stored."""

    def __init__(
        self,
        client: Client,
        revisions: Revisions,
        templates: Templates,
        launcher: PodLauncher,
        events: EventRecorder,
        listener: RunListener,
        pool_changed: Callable[[PoolId], None],
        foreign: Callable[[Run, bool], None],
        backfilled: Callable[[Run], bool],
        host: Host,
        namespaces: Sequence[str | None] = (None,),
        owned: Owned = WHOLE,
        egress: EgressPolicy = USUAL,
        clock: Callable[[], float] = time.time,
        recorded: Recorded | None = None,
    ) -> None:
        self._client, self._clock = client, clock
        table = self.table = RunTable()
        self.queue, self.states = table.queue, table.states
        self._teller = RunReporter(events)
        self.unreadable = Unreadable(client, clock)
        self.book = PoolBook(table.wake, pool_changed, owned)
        self.holders = Holders(client, self.book, table.namespace, partial(claims, revisions.load), owned)
        self.approvals = Approvals(client, clock)
        self.subdags = SubDAGs(client, table.states, table.wake, self._teller.report_not_own, revisions)
        sender = HttpClient(egress)
        worker = Worker(client, sender, self.approvals, self.subdags, clock)
        ends = TaskStates(revisions.load, table.begun)
        self.sensors = SensorTasks(client, sender, egress, host, ends, clock)
        self.podless = Podless(worker, self.sensors, table.wake, host, clock)
        reader = CoalescingReader(client)
        self.start_values = StartValues(client, reader, RunTicks(client, reader, clock).of)
        self.previous_tasks = PreviousTasks(client, self.start_values, ends, table.states, self.queue.add_after)
        beginner = RunStarter(
            client,
            reader,
            revisions,
            templates,
            backfilled,
            clock,
            self.start_values,
            table.begun,
            self.subdags.waits_for,
        )
        self.feed = RunFeed(
            client,
            table,
            listener,
            foreign,
            beginner,
            self.podless,
            self.book,
            self.holders,
            self._teller,
            self.unreadable,
            events,
            namespaces,
            owned,
        )
        self.pods, self.informer = self.feed.pods, self.feed.informer
        self._writer = RunStatusWriter(
            client,
            table,
            self.pods,
            self._teller,
            self.feed.changed,
            self.feed.gone,
            self.previous_tasks.run_seen,
            clock,
        )
        self._binder = RunBinder(client, table, self.pods, beginner, self._writer)
        self._observer = Observer(revisions, table, self.feed, self.podless, self._writer, egress, clock)
        self._starter = PodStarter(launcher, self.book, self.pods)
        self._remover = PodRemover(client, revisions, self.pods, recorded, clock)
        self._ender = Ender(client, revisions, self._remover, self.podless, self._writer.save, self.queue.add_at, clock)

    async def reconcile(self, uid: str) -> None:
        """Makes one pass over a run."""
        state = self.states.get(uid)
        if state is None:
            return
        woken_at, run = self.table.take_woken_at(uid), state.run
        FIELDS.set(run.fields)
        with flow(run.namespace, uid):
            try:
                if state.stale:
                    await self.feed.refresh(state)
                    self.queue.add(uid)
                else:
                    await self._reconcile(state, woken_at)
                self._ender.clear(state)
            except Conflict:
                await self.feed.refresh(state)
                raise  # The retry is delayed, so that two operators that do the same don't keep each other busy.
            except StatusTooLarge as error:
                await self._ender.end(state, End("Failed", "StatusTooLarge", str(error)))
            except Exception as error:
                if not breaks(error) or not await self._ender.end_if_due(state, error):
                    raise

    async def _reconcile(self, state: RunState, woken_at: float | None) -> None:
        if state.run.final:
            await self._clean(state)
            return
        if await self.subdags.stays_ended(state.run):
            self._teller.report_stays_ended(state.run)
            await self._clean(state)
            return
        if await self.subdags.cancel_unwanted(state.run) or not await self._binder.bind(state):
            return
        seen = await self._observer.observe(state)
        for pod in state.pods.take_strangers():
            self._teller.report_stranger(state.run, pod)
        plan = await self._plan(state, seen) if seen else None
        if seen is None or plan is None or await self._record_first(state, seen, plan):
            return
        await self._stop(state, plan)
        started = await self._start(state, seen, plan, woken_at)
        await self._report(state, seen, plan, started)

    async def _plan(self, state: RunState, seen: Observed) -> Plan | None:
        """The plan, after the planner was told what tasks wait for in the run before. None if the run has changed meanwhile."""
        plan = self._observer.plan(state, seen)
        if plan is None or plan.phase != "Running":
            return plan
        again = await self.previous_tasks.inform(seen.run, seen.planner)
        if again is not None:
            self.queue.add_at(seen.run.uid, seen.now + again)
        return self._observer.plan(state, seen) if seen.planner.asks_previous() else plan

    async def _record_first(self, state: RunState, seen: Observed, plan: Plan) -> bool:
        """Writes what must be recorded before anything is done. Returns whether there was anything; then the next pass continues."""
        run, planner = seen.run, seen.planner
        if run.retried or len(run.edits) > run.edited:
            if plan.unsettled:  # What has failed is not all known yet: a retry would miss it.
                await self._stop(state, plan)
                self._put_aside(seen)
                return True
            # Requested edits are recorded first, with the resulting changes.
            asked = await read_edits(self._client, run, planner)
            self._teller.report_edits(run, asked.edits, asked.problems)
            await self._writer.write(state, run, planner, Plan(), asked)
        elif state.attempts.unrecorded(plan.starts):
            # A new attempt starts once the end of the previous one is recorded, so that nobody can start the same one again.
            await self._writer.write(state, run, planner, plan, at_once=True)
        else:
            return False
        self.table.wake(run.uid)
        return True

    async def _stop(self, state: RunState, plan: Plan) -> None:
        """Stops attempts, and wakes runs of sub-DAGs that are no longer needed."""
        self.subdags.wake_unwanted(state.run.uid)
        await self._remover.stop(state, plan)

    async def _start(self, state: RunState, seen: Observed, plan: Plan, woken_at: float | None) -> Started:
        """Starts attempts unless the run is ending, and returns the result."""
        if plan.phase != "Running" or self.table.overtaken(state, seen.run):
            return NOTHING
        run, rooms = seen.run, self.table.footprints
        crowded = self.podless.size(run.uid) >= OWN_LIMIT or rooms.crowded(run.namespace, run.uid, bool(run.caller))
        plan, held = hold_back(plan, seen.planner.definition.tasks, crowded)
        chosen = self._starter.choose(state, seen.planner, plan, seen.now, self.podless.active(state.run.uid))
        failed_as, late_in = self.podless.give_up(state, seen.planner, chosen.waiting)
        plan = replace(plan, podless=[*chosen.podless])
        podless, known = self.podless.start(state, seen.planner, plan, seen.now), len(state.attempts.news)
        started = await self._starter.start(state, seen.planner, chosen, seen.now, woken_at)
        # A pod that could not be created has ended an attempt, or more are to be created.
        again = started.again or podless or failed_as or len(state.attempts.news) > known
        looks = rooms.wait(run.namespace, run.uid, bool(held) or seen.planner.hungry)
        retry_at = started.retry_at if late_in is None else [*started.retry_at, seen.now + late_in]
        retry_at = retry_at if looks is None else [*retry_at, seen.now + looks]
        holds = [*started.holds, *held]
        return replace(started, again=again, retry_at=retry_at, holds=holds, unsettled=pacing.spent())

    async def _report(self, state: RunState, seen: Observed, plan: Plan, started: Started) -> None:
        """Writes what was planned and done, and schedules the next pass."""
        run, unsettled = seen.run, plan.unsettled or started.unsettled
        if started.again and not unsettled:
            self.table.wake(run.uid)
        if unsettled:
            self._put_aside(seen)
        for at in (plan.wake_at, *started.retry_at):
            if at is not None:
                self.queue.add_at(run.uid, at)
        late_at = deadlines.next_due(run, seen.planner, self._clock())
        if late_at is not None and plan.phase == "Running":
            self.queue.add_at(run.uid, seen.now + late_at - self._clock())
        moving, holds = plan.moving or started.made > 0, [*plan.holds, *started.holds]
        done = replace(plan, holds=holds, moving=moving, unsettled=unsettled)
        await self._writer.write(state, run, seen.planner, done)

    def _put_aside(self, seen: Observed) -> None:
        """The pass has used up its time: others go first for a while; the status says why the run is slow."""
        metrics.put_aside.inc()
        self.queue.add_at(seen.run.uid, seen.now + ASIDE)

    async def _clean(self, state: RunState) -> None:
        """After the end, removes the pods that the DAG does not keep and drops the run."""
        run = state.run
        if self.pods.of(run.namespace, run.uid):
            written_at = self._writer.written_at(state)
            if asyncio.get_running_loop().time() < written_at + CLEAN_DELAY:
                self.queue.add_at(run.uid, written_at + CLEAN_DELAY)
                return
            if not await self._remover.clean(state):
                self.queue.add_after(run.uid, AGAIN)
                return
        self.feed.forget(run)

    def failed(self, uid: str, error: Exception) -> float | None:
        """Handles a failed reconcile. Returns the minimum seconds to wait before the next."""
        state = self.states.get(uid)
        name = f"{state.run.namespace}/{state.run.name}" if state else uid
        if isinstance(error, ApiError):
            log.log(logging.INFO if isinstance(error, Conflict) else logging.WARNING, "run %s: %s", name, error)
        else:
            log.error("run %s: %s", name, error, exc_info=error)
            if state:
                self.unreadable.add(state.run, f"the run can't continue: {type(error).__name__}: {error}"[:1_024])
        return error.retry_after if isinstance(error, Unavailable) else None
