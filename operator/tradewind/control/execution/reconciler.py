"""Reconciling a run: read what is so, ask the planner, act, write down what has ended."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tradewind import metrics
from tradewind.control.dagrun import status as runstatus
from tradewind.control.dagrun.attempt_log import Packed
from tradewind.control.dagrun.cancel import cancel
from tradewind.control.dagrun.informer import RunInformer
from tradewind.control.dagrun.listener import RunListener
from tradewind.control.dagrun.origin import marked
from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dagrun.state import Line, View
from tradewind.control.dagrun.status import Asked
from tradewind.control.dagrun.unreadable import Unreadable
from tradewind.control.dagrun.writes import StatusTooLarge, save
from tradewind.control.dags.bound_approvals import reworked
from tradewind.control.dags.revisions import Revisions
from tradewind.control.dags.template_index import Templates
from tradewind.control.egress.client import HttpClient
from tradewind.control.egress.policy import USUAL, EgressPolicy
from tradewind.control.evaluation.host import Host
from tradewind.control.execution import latency, start_status
from tradewind.control.execution.forced_end import End, Ender, breaks
from tradewind.control.execution.pod_remover import PodRemover
from tradewind.control.execution.pod_starter import PodStarter
from tradewind.control.execution.reporter import RunReporter
from tradewind.control.execution.run_start import RunStarter
from tradewind.control.podless.approvals import Approvals
from tradewind.control.podless.executor import Podless
from tradewind.control.podless.sub_dags import SubDAGs
from tradewind.control.podless.work import Worker
from tradewind.control.pods.launcher import PodLauncher
from tradewind.control.pools.book import PoolBook
from tradewind.control.pools.holders import Holders
from tradewind.control.sensors.sensor_tasks import SensorTasks
from tradewind.control.shared.event_recorder import EventRecorder
from tradewind.kube import merge_patch
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError, Conflict, NotFound, Unavailable
from tradewind.kube.log_fields import FIELDS
from tradewind.kube.pod import Pod
from tradewind.kube.pod_informer import PodInformer
from tradewind.kube.resources import RUNS
from tradewind.kube.work_queue import WorkQueue
from tradewind.kube.writes import flow
from tradewind.plan import pacing
from tradewind.plan.capacity.pool_allotment import PoolId
from tradewind.plan.capacity.shard_share import WHOLE, Owned
from tradewind.plan.runs.decision import Plan
from tradewind.plan.runs.planner import Planner

log = logging.getLogger(__name__)
COALESCE, MOST_COALESCE = 0.25, 5.0
"""Seconds between two writes of a run's status, unless its phase changes."""
SHARE = 10.0
"""A run waits so many times as long as its last write took: a server that is slow, or a large run, is written to less often."""
ASIDE = 2.0
"""Seconds until a run goes on whose pass has used up its time of computing."""
CLEAN_DELAY = 5.0
"""Seconds between a run's end and the removal of its pods: by then every operator has seen the end."""


class RunReconciler:
    """Brings every run on. `listener` hears of the runs, `foreign(run, deleted)` of those of other shards, `pool_changed` of pools whose
    status may have changed; `backfilled(run)` says whether a backfill made a run."""

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
        light: EgressPolicy = USUAL,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._revisions, self._clock = client, revisions, clock
        self._listener, self._foreign = listener, foreign
        self._teller = RunReporter(events)
        self.unreadable = Unreadable(client, clock)
        self.queue: WorkQueue[str] = WorkQueue("dagrun", self._namespace)
        self.views: dict[str, View] = {}
        self._of_dag: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        self._owned = owned
        self.book = PoolBook(self.wake, pool_changed, owned)
        self.holders = Holders(client, self.book, self._namespace, owned)
        self.pods = PodInformer(client, list(namespaces), self._pod_seen, owned.owns)
        self._starter = PodStarter(launcher, self.book, self.pods)
        self.approvals = Approvals(client, clock)
        self.subdags = SubDAGs(client, self.views, self.wake, self._teller.not_own)
        sender = HttpClient(light)
        worker = Worker(client, sender, self.approvals, self.subdags, clock)
        self.sensors = SensorTasks(client, sender, light, host, clock)
        self.podless = Podless(worker, self.sensors, self.wake, host, clock)
        self._light = light
        self._remover = PodRemover(client, revisions, self.pods)
        self._ender = Ender(client, revisions, self._remover, self.podless, self._save, self.queue.add_at, clock)
        self._beginner = RunStarter(client, revisions, templates, backfilled, clock, self._known)
        self.informer = RunInformer(client, list(namespaces), self.known, self.seen, self.missing, events)

    # What the watches say.

    def known(self, uid: str) -> int:
        """The resource version that is known of a run; 0 for none."""
        view = self.views.get(uid)
        return view.run.version if view else 0

    def seen(self, run: Run, deleted: bool) -> None:
        """A DAGRun was created, changed or deleted. Those of other shards are none of ours, but for who follows them."""
        if not self._owned.owns(run.namespace):
            self._foreign(run, deleted)
            return
        if deleted:
            self._forget(run)
            self._listener.run_seen(run, deleted=True)
        else:
            self._take(run)

    def missing(self, namespace: str | None, listed: set[str], version: int) -> None:
        """A list of the runs that have not ended is complete: those that are not on it are asked for."""
        for uid, view in self.views.items():
            if uid not in listed and view.run.version <= version and namespace in (None, view.run.namespace):
                view.stale = True
                self.queue.add(uid)

    def dag_seen(self, namespace: str, name: str) -> None:
        """A DAG, or a template that it uses, was created or changed: runs that wait for it look again."""
        for uid in self._of_dag.get((namespace, name), ()):
            if self.views[uid].run.phase in ("", "Queued"):
                self.wake(uid)

    def dag_deleted(self, namespace: str, name: str) -> None:
        """A DAG was deleted: its runs go on, and say so."""
        for uid in self._of_dag.get((namespace, name), ()):
            if self.views[uid].run.phase == "Running":
                self._teller.dag_deleted(self.views[uid].run)

    def _pod_seen(self, pod: Pod) -> None:
        self.holders.seen(pod)
        namespace, uid = pod.metadata.namespace, pod.metadata.run_uid
        view = self.views.get(uid)
        if view is None or view.run.namespace != namespace:
            self.pods.forget_gone(namespace, uid)
            return
        view.changed.add(pod.metadata.name)
        self.wake(uid)

    def _namespace(self, uid: str) -> str:
        view = self.views.get(uid)
        return view.run.namespace if view else ""

    def wake(self, uid: str) -> None:
        """Something about a run may have changed."""
        view = self.views.get(uid)
        if view is None:
            return
        if view.woken_at is None:
            view.woken_at = time.perf_counter()
        self.queue.add(uid)

    def failed(self, uid: str, error: Exception) -> float | None:
        """A reconcile raised: how long to wait at least, in seconds."""
        view = self.views.get(uid)
        name = f"{view.run.namespace}/{view.run.name}" if view else uid
        if isinstance(error, ApiError):
            log.log(logging.INFO if isinstance(error, Conflict) else logging.WARNING, "run %s: %s", name, error)
        else:
            log.error("run %s: %s", name, error, exc_info=error)
            if view:
                self.unreadable.add(view.run, f"the run can't go on: {type(error).__name__}: {error}"[:1_024])
        return error.retry_after if isinstance(error, Unavailable) else None

    # One pass.

    async def reconcile(self, uid: str) -> None:
        """Does what the planner says about one run."""
        view = self.views.get(uid)
        if view is None or view.run.deleting:
            return
        woken_at, view.woken_at = view.woken_at, None
        FIELDS.set(view.run.fields)
        with flow(view.run.namespace, uid):
            try:
                if view.stale:
                    await self._refresh(view)
                    self.queue.add(uid)
                else:
                    await self._reconcile(view, woken_at)
                view.broken = 0
            except Conflict:
                await self._refresh(view)
                raise  # And once more a little later: another operator that does the same must not keep us busy, nor we it.
            except StatusTooLarge as error:
                await self._ender.end(view, End("Failed", "StatusTooLarge", str(error)))
            except Exception as error:
                if not breaks(error) or not await self._ender.ended(view, error):
                    raise

    async def _refresh(self, view: View) -> None:
        """Our picture of the run is old: get the new one."""
        try:
            run = read_run(await self._client.get(RUNS, view.run.namespace, view.run.name))
        except NotFound:
            self.seen(view.run, deleted=True)
            return
        if run.uid != view.run.uid:
            self.seen(view.run, deleted=True)
        view.stale = False
        if run.version > view.run.version:
            self._take(run)

    async def _reconcile(self, view: View, woken_at: float | None) -> None:
        if view.run.final:
            await self._clean(view)
            return
        if await self.subdags.given_up(view.run):
            return
        if not view.run.status.get("revision") and not await self._begin(view):
            return
        run = view.run
        try:
            definition = await self._revisions.load(run.namespace, run.status["revision"])
        except NotFound:
            words = f"revision {run.status['revision']} was deleted: the run can't go on without its DAG's spec"
            await self._save(view, run, start_status.stillborn(run, "Failed", "RevisionLost", words, self._clock()))
            return
        now, run = asyncio.get_running_loop().time(), view.run
        elapsed = runstatus.elapsed(run, self._clock())  # From here on the loop's clock counts.
        planner = view.bind(definition, self.pods.of(run.namespace, run.uid), now, elapsed, self._light)
        with self._planning(view):
            view.absorb(self.pods.of(run.namespace, run.uid), now)
            self.podless.tell(view, planner, now)
            decided = planner.decide(now)
        if view.run is not run or self.views.get(run.uid) is not view:
            self.wake(run.uid)  # It has changed meanwhile.
            return
        if run.retried or len(run.edits) > run.edited:
            await self._rework(view, run, planner)
            return
        if any((start.key, start.number - 1) in view.news for start in decided.starts):
            # A new attempt starts when the end of the one before is on record: no other operator, nor the next, may make that anew.
            await self._write(view, run, planner, decided, at_once=True)
            self.wake(run.uid)
            return
        self.subdags.look(run.uid)
        await self._remover.stop(view, decided)
        if decided.phase == "Running" and view.run is run:
            ended = self.podless.start(view, planner, decided, now)
            known = len(view.news)
            held, started, more = await self._starter.start(view, planner, decided, now, woken_at)
            decided.holds += held
            decided.moving = decided.moving or started > 0
            decided.unsettled = decided.unsettled or pacing.spent()
            if (len(view.news) > known or more or ended) and not decided.unsettled:
                self.wake(run.uid)  # A pod that could not be made has ended an attempt, or more are to be made.
        if decided.unsettled:
            metrics.put_aside.inc()
            self.queue.add_at(run.uid, now + ASIDE)  # Others go first for a while; the status says why it is slow.
        blocked = [*view.blocked.values(), *([view.quota] if view.quota else [])]
        for at in (decided.wake_at, *(block.until for block in blocked)):
            if at is not None:
                self.queue.add_at(run.uid, at)
        await self._write(view, run, planner, decided)

    async def _begin(self, view: View) -> bool:
        """Binds a new run to its DAG's spec. False when it can't begin (now)."""
        run = view.run
        peers = self._of_dag[run.namespace, run.dag]
        if known := await marked(self._client, run):
            view.update(known, self.pods.of(run.namespace, run.uid))
            if view.run.final or view.run.status.get("revision"):
                self.wake(run.uid)  # What we knew was old: it has begun.
                return False
        run = view.run
        try:
            step = await self._beginner.begin(view, lambda: (self.views[uid] for uid in peers))
            for other in step.cancel if view.run is run else ():
                await cancel(self._client, other)
            if view.run is run:
                await self._save(view, run, step.status)
            if step.again:
                self.wake(run.uid)
        finally:
            view.admitted = False
            # What is known a moment later is written together with what follows.
            view.saved_at = asyncio.get_running_loop().time()
        return view.run.phase == "Running"

    async def _rework(self, view: View, run: Run, planner: Planner) -> None:
        """Does what people asked for: notes what is to be forgotten and what is said by hand. The next pass goes on from there."""
        asked = await reworked(self._client, run, planner)
        self._teller.reworked(run, asked.edits, asked.problems)
        await self._write(view, run, planner, Plan(), asked)
        self.wake(run.uid)

    async def _write(
        self, view: View, run: Run, planner: Planner, decided: Plan, asked: Asked | None = None, at_once: bool = False
    ) -> None:
        """Saves the status if it is due, and tells about what it says for the first time. What was decided about `run` is not said of
        what has become of it meanwhile."""
        if view.run is not run:
            self.wake(run.uid)
            return
        now = asyncio.get_running_loop().time()
        due = view.saved_at + min(MOST_COALESCE, max(COALESCE, SHARE * view.save_took))
        early = asked is None and not at_once and decided.phase == run.phase and now < due
        if early and view.news:
            self.queue.add_at(run.uid, due)
            return  # What has ended is packed once, when it is written.
        news = view.ends()
        status = runstatus.current(view, planner, decided, [end for _, end in news], self._clock(), asked)
        if early:
            if merge_patch.merged(run.status, status) != run.status:
                self.queue.add_at(run.uid, due)
            return
        pods = {key: view.pods.get(key) for key, _ in news}
        if asked is None:
            view.saving = (Packed.of(status), [key for key, _ in news])
        try:
            await self._save(view, run, status)
        finally:
            view.saving = None
            # Also when it was refused: two operators that disagree must not answer each other at once.
            view.saved_at = now
        for name in view.settled:
            self.pods.forget(run.namespace, run.uid, name)
        view.settled.clear()
        for key, end in news:
            self._teller.attempt(run, end)
            latency.observe(end, pods[key], view.ready_at(planner, end.attempt))
        self._teller.waiting(run, status["waiting"])
        self._teller.unproduced(run, status["failures"])
        refused = runstatus.refusals(view, planner)
        self._teller.refused(run, refused)
        view.told.update(item["task"] for item in refused)

    async def _save(self, view: View, run: Run, status: merge_patch.Status) -> None:
        """Writes a status that was worked out of `run`. Raises Conflict when the run is not so any more."""
        try:
            if not (stored := await save(self._client, view, run, status)):
                return
        except NotFound:
            self.seen(run, deleted=True)
            return
        view.update(read_run(stored), self.pods.of(run.namespace, run.uid))
        if view.run.phase != run.phase:
            self._announce(view.run, run.phase)
        elif len(view.run.status.get("produced") or ()) > len(run.status.get("produced") or ()):
            self._listener.run_seen(view.run)

    async def _clean(self, view: View) -> None:
        """After the end: removes the pods that the DAG does not keep, and forgets the run."""
        run = view.run
        if self.pods.of(run.namespace, run.uid):
            if view.saved_at > float("-inf") and asyncio.get_running_loop().time() < view.saved_at + CLEAN_DELAY:
                self.queue.add_at(run.uid, view.saved_at + CLEAN_DELAY)
                return
            await self._remover.clean(view)
        self._forget(run)

    @contextmanager
    def _planning(self, view: View) -> Iterator[None]:
        """The planner may pause inside. What the watch tells of the run meanwhile is taken after."""
        view.planning, view.incoming = True, None
        try:
            yield
        finally:
            view.planning = False
            if view.incoming and self.views.get(view.run.uid) is view:
                self._take(view.incoming)

    def _take(self, run: Run) -> None:
        view = self.views.get(run.uid)
        if view and view.planning:
            if view.incoming is None or view.incoming.version < run.version:
                view.incoming = run
            return
        try:
            if view is None:
                if run.final and not self.pods.of(run.namespace, run.uid):
                    self._listener.run_seen(run)
                    return
                view = self.views[run.uid] = View(run)
                # What we have not followed from its beginning may have ended since, and its pods be gone: an old event, an old list.
                view.stale = bool(run.status.get("revision"))
                self._of_dag[run.namespace, run.dag].add(run.uid)
                view.changed.update(self.pods.of(run.namespace, run.uid))
            else:
                before = view.run
                if not view.update(run, self.pods.of(run.namespace, run.uid)):
                    return
                if before.final != run.final or before.deleting != run.deleting:
                    self._make_room(run)
        except ValueError as error:
            self._teller.unreadable(run, error)
            self.unreadable.add(run, f"{error}; the run is left alone until its status is fixed")
            self._forget(run, for_now=True)
            return
        self._listener.run_seen(run)
        self.wake(run.uid)

    def _known(self, uid: str) -> View | None:
        """A run that has begun, as it is in memory."""
        view = self.views.get(uid)
        return view if view and view.run.status.get("revision") else None

    def _forget(self, run: Run, for_now: bool = False) -> None:
        uid = run.uid
        view = self.views.pop(uid, None)
        self.queue.forget(uid)
        if not for_now:
            self.pods.forget_over(run.namespace, uid)
        self.podless.forget(uid)
        self.book.forget(uid)
        self._beginner.run_gone(uid)
        if view is not None:
            key = (view.run.namespace, view.run.dag)
            self._of_dag[key].discard(uid)
            if not self._of_dag[key]:
                del self._of_dag[key]
                self._beginner.forget(*key)
            elif not view.run.final:
                self._make_room(view.run, view.line)

    def _announce(self, run: Run, before: str) -> None:
        self._listener.run_seen(run)
        self._teller.phase(run, before)
        if run.final:
            self.book.forget(run.uid)
            self.wake(run.uid)  # To be cleaned up: the watch does not tell of versions that we know already.
        if run.phase != "Queued":
            self._make_room(run)

    def _make_room(self, run: Run, line: Line = None) -> None:
        """A run has begun, ended or gone: those that are next look again."""
        if own := self.views.get(run.uid):
            line = own.line
        peers = self._of_dag.get((run.namespace, run.dag), ())
        for view in self._beginner.next_in_line(run, line, (self.views[uid] for uid in peers)):
            self.wake(view.run.uid)
