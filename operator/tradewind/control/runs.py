"""Reconciling a run: read what is so, ask the planner, act, write down what has ended."""

import asyncio
import contextlib
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from tradewind import metrics
from tradewind.control import latency, runstatus
from tradewind.control.events import EventSink
from tradewind.control.launch import Held, Launched, Launcher, Refused
from tradewind.control.observe import Ended
from tradewind.control.podbuild import RunFacts
from tradewind.control.revisions import Revisions
from tradewind.control.view import Blocked, Observed, Run, View, gather, outputs_of, read_run
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import ApiError, Conflict, NotFound, Unavailable
from tradewind.kube.informer import PodInformer
from tradewind.kube.pod import Pod
from tradewind.kube.resources import DAGS, PODS, RUNS
from tradewind.kube.workqueue import WorkQueue
from tradewind.model.run import FINAL_PHASES
from tradewind.plan.attempt import CANCELLED
from tradewind.plan.definition import Definition, define
from tradewind.plan.params import resolve
from tradewind.plan.planner import Hold, Plan, Start, State, plan
from tradewind.plan.problem import Invalid, summary

log = logging.getLogger(__name__)
COALESCE = 0.25
"""Seconds between two writes of a run's status, unless its phase changes."""
RETRY_BLOCKED = 5.0
"""Seconds after which a pod that a quota refused is tried again."""
CHUNK = 48
"""Pods created at once; a quota that refuses one of them spares the server the rest."""
CLEAN_DELAY = 5.0
"""Seconds between a run's end and the removal of its pods: by then every operator has seen the end."""


class RunReconciler:
    """Brings every run on. `ended(run)` is told of phases, for the DAG's status."""

    def __init__(
        self,
        client: Client,
        revisions: Revisions,
        launcher: Launcher,
        events: EventSink,
        phase_changed: Callable[[Run], None],
        namespaces: Sequence[str | None] = (None,),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._revisions, self._launcher, self._events = client, revisions, launcher, events
        self._phase_changed, self._clock = phase_changed, clock
        self.queue: WorkQueue[str] = WorkQueue("dagrun")
        self.views: dict[str, View] = {}
        self._without_dag: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        self.pods = PodInformer(client, list(namespaces), self.wake)

    # What the watches say.

    def seen(self, body: Object, deleted: bool) -> None:
        """A DAGRun was created, changed or deleted."""
        run = read_run(body)
        if deleted:
            self._forget(run.uid)
        else:
            self._take(run)

    def dag_seen(self, namespace: str, name: str) -> None:
        """A DAG was created or changed: runs that wait for it look again."""
        for uid in self._without_dag.pop((namespace, name), ()):
            self.wake(uid)

    def dag_deleted(self, namespace: str, name: str) -> None:
        """A DAG was deleted: its runs go on, and say so."""
        for view in list(self.views.values()):
            run = view.run
            if (run.namespace, run.dag) == (namespace, name) and run.phase == "Running":
                words = f"DAG {name} was deleted; this run goes on with revision {run.status.get('revision')}"
                self._event(run, "DAGDeleted", words, warning=True)

    def wake(self, uid: str) -> None:
        """Something about a run may have changed."""
        view = self.views.get(uid)
        if view is None:
            self.pods.forget_gone(uid)
            return
        if view.woken_at is None:
            view.woken_at = time.perf_counter()
        self.queue.add(uid)

    def failed(self, uid: str, error: Exception) -> float | None:
        """A reconcile raised: how long to wait at least, in seconds."""
        view = self.views.get(uid)
        name = f"{view.run.namespace}/{view.run.name}" if view else uid
        if isinstance(error, ApiError):
            log.warning("run %s: %s", name, error)
        else:
            log.error("run %s: %s", name, error, exc_info=error)
        return error.retry_after if isinstance(error, Unavailable) else None

    def count(self) -> None:
        """Sets the gauges of runs and tasks."""
        runs = Counter(view.run.phase or "Queued" for view in self.views.values() if not view.run.final)
        for phase in ("Queued", "Running"):
            metrics.runs.labels(phase).set(runs[phase])
        tasks = Counter(state for view in self.views.values() if not view.run.final for state in view.states.values())
        for state in State:
            metrics.tasks.labels(state).set(tasks[state])

    # One pass.

    async def reconcile(self, uid: str) -> None:
        """Does what the planner says about one run."""
        view = self.views.get(uid)
        if view is None or view.run.deleting:
            return
        woken_at, view.woken_at = view.woken_at, None
        try:
            await self._reconcile(view, woken_at)
        except Conflict:
            # Our picture of the run is old: get the new one and look again.
            self._take(read_run(await self._client.get(RUNS, view.run.namespace, view.run.name)))
            self.queue.add(uid)

    async def _reconcile(self, view: View, woken_at: float | None) -> None:
        if view.run.final:
            await self._clean(view)
            return
        if not view.run.status.get("revision") and not await self._begin(view):
            return
        run = view.run
        try:
            definition = await self._revisions.load(run.namespace, run.status["revision"])
        except NotFound:
            words = f"revision {run.status['revision']} was deleted: the run can't go on without its DAG's spec"
            await self._save(view, runstatus.stillborn(run, "Failed", "RevisionLost", words, self._clock()))
            return
        now = asyncio.get_running_loop().time()
        observed = gather(view, self.pods.of(run.uid), definition.tasks, now)
        decided = plan(definition.graph, definition.terms, observed.facts, now)
        view.states = decided.states
        await self._stop(view, decided, observed)
        holds = [*decided.holds, *await self._start(view, decided, definition, observed, now, woken_at)]
        if decided.wake_at is not None:
            self.queue.add_at(run.uid, decided.wake_at)
        await self._write(view, decided, observed, holds, definition, now)

    async def _begin(self, view: View) -> bool:
        """Binds a new run to its DAG's spec. False when it can't begin (now)."""
        run, now = view.run, self._clock()
        if run.cancelled:
            await self._save(view, runstatus.stillborn(run, "Cancelled", CANCELLED, "cancelled before it began", now))
            return False
        try:
            dag = await self._client.get(DAGS, run.namespace, run.dag)
        except NotFound:
            self._without_dag[run.namespace, run.dag].add(run.uid)
            words = f"there is no DAG {run.dag!r} in namespace {run.namespace}: the run begins when it is applied"
            await self._save(view, runstatus.queued(run, "DAGNotFound", words, now))
            return False
        try:
            definition = define(dag["spec"])
        except Invalid as error:
            words = f"DAG {run.dag} is invalid: {error}"
            await self._save(view, runstatus.stillborn(run, "Failed", "InvalidDAG", words, now))
            return False
        params, problems = resolve(definition.spec.params, run.params)
        if problems:
            await self._save(view, runstatus.stillborn(run, "Failed", "InvalidParams", summary(problems), now))
            return False
        generation = int(dag["metadata"].get("generation") or 1)
        revision = await self._revisions.bind(run.namespace, run.dag, dag["spec"], definition, generation)
        await self._save(view, runstatus.begun(run, revision, params, len(definition.tasks), now))
        return True

    async def _stop(self, view: View, decided: Plan, observed: Observed) -> None:
        for stop in decided.stops:
            pod = observed.pods[stop.task, stop.number]
            view.stopped[pod.metadata.uid] = stop
            await self._delete(pod)
        for pod in observed.lingering:
            await self._delete(pod)

    async def _delete(self, pod: Pod) -> None:
        with contextlib.suppress(NotFound, Conflict):
            await self._client.delete(PODS, pod.metadata.namespace, pod.metadata.name, uid=pod.metadata.uid)

    async def _start(
        self, view: View, decided: Plan, definition: Definition, observed: Observed, now: float, woken_at: float | None
    ) -> list[Hold]:
        """Creates pods; what could not be created now is returned as holds."""
        run = view.run
        facts = RunFacts(
            run.name,
            run.namespace,
            run.uid,
            run.dag,
            run.status.get("params") or {},
            outputs_of(run.status, observed.news),
        )
        view.blocked = {task: block for task, block in view.blocked.items() if block.until > now}
        due = [start for start in decided.starts if start.task not in view.blocked]
        errors: list[BaseException] = []
        for at in range(0, len(due), CHUNK):
            chunk = due[at : at + CHUNK]
            results = await asyncio.gather(
                *(self._launcher.launch(start, definition, facts, woken_at) for start in chunk), return_exceptions=True
            )
            full = False
            for start, result in zip(chunk, results, strict=True):
                match result:
                    case Launched(pod):
                        self.pods.put(pod)
                    case Refused(end):
                        view.refused[start.task, start.number] = end
                        self.wake(run.uid)
                    case Held(hold):
                        view.blocked[start.task] = Blocked(now + RETRY_BLOCKED, hold)
                        full = full or hold.reason == "QuotaExceeded"
                    case _:
                        errors.append(result)
            if full:
                self._block_rest(view, due[at + CHUNK :], now)
                break
        if view.blocked:
            self.queue.add_at(run.uid, min(block.until for block in view.blocked.values()))
        if errors:
            raise errors[0]
        return [block.hold for block in view.blocked.values()]

    def _block_rest(self, view: View, starts: Sequence[Start], now: float) -> None:
        for start in starts:
            hold = Hold(start.task, "QuotaExceeded", "waits behind tasks that a quota holds back")
            view.blocked[start.task] = Blocked(now + RETRY_BLOCKED, hold)

    async def _write(
        self, view: View, decided: Plan, observed: Observed, holds: Sequence[Hold], definition: Definition, now: float
    ) -> None:
        """Saves the status if it is due, and tells about what it says for the first time."""
        status = runstatus.current(view, decided, observed.news, holds, self._clock())
        due = view.saved_at + COALESCE
        if decided.phase == view.run.phase and now < due:
            if runstatus.difference(view.run.status, status):
                self.queue.add_at(view.run.uid, due)
            return
        known = {(item["task"], item["reason"]) for item in view.run.status.get("waiting") or []}
        await self._save(view, status)
        view.saved_at = now
        for pod in observed.settled:
            self.pods.forget(view.run.uid, pod.metadata.name)
        for end in observed.news:
            self._tell(view.run, end)
            latency.observe(
                end, observed.pods.get((end.attempt.task, end.attempt.number)), definition.graph, observed.facts.ended
            )
        for item in status["waiting"]:
            if (item["task"], item["reason"]) not in known and item["reason"] != "BackOff":
                key = f"{item['task']}/{item['reason']}"
                self._event(view.run, "TaskWaiting", f"{item['task']}: {item['message']}", warning=True, key=key)

    async def _save(self, view: View, status: runstatus.Status) -> None:
        """Patches the status, on condition that the run is as we know it. Raises Conflict when it is not."""
        run = view.run
        patch = runstatus.difference(run.status, status)
        if not patch:
            return
        body = {"metadata": {"resourceVersion": str(run.version)}, "status": patch}
        try:
            answer = await self._client.patch(RUNS, run.namespace, run.name, body, "status")
        except NotFound:
            self._forget(run.uid)
            return
        view.update(read_run(answer))
        if view.run.phase != run.phase:
            self._announce(view.run)

    async def _clean(self, view: View) -> None:
        """After the end: removes the pods that the DAG does not keep, and forgets the run."""
        run, pods = view.run, self.pods.of(view.run.uid)
        if not pods:
            self._forget(run.uid)
            return
        if view.saved_at > float("-inf") and asyncio.get_running_loop().time() < view.saved_at + CLEAN_DELAY:
            self.queue.add_at(run.uid, view.saved_at + CLEAN_DELAY)
            return
        try:
            retention = (await self._revisions.load(run.namespace, run.status.get("revision", ""))).spec.pod_retention
        except (NotFound, Invalid):
            retention = "Always"
        for pod in list(pods.values()):
            unwanted = retention == "Never" or (retention == "OnFailure" and pod.status.phase == "Succeeded")
            if not pod.gone and pod.metadata.deletion_timestamp is None and (unwanted or pod.lingers()):
                await self._delete(pod)
        self._forget(run.uid)

    # Memory and news.

    def _take(self, run: Run) -> None:
        view = self.views.get(run.uid)
        if view is None:
            if run.final and not self.pods.of(run.uid):
                self._phase_changed(run)
                return
            view = self.views[run.uid] = View(run)
        try:
            if not view.update(run):
                return
        except ValueError as error:
            log.error("run %s/%s: %s; left alone", run.namespace, run.name, error)
            self._event(run, "StatusUnreadable", f"{error}; the run is left alone", warning=True)
            del self.views[run.uid]
            return
        self._phase_changed(run)
        self.wake(run.uid)

    def _forget(self, uid: str) -> None:
        self.views.pop(uid, None)
        self.queue.forget(uid)
        self.pods.forget(uid)

    def _announce(self, run: Run) -> None:
        self._phase_changed(run)
        if run.phase == "Running":
            self._event(run, "RunStarted", f"started with revision {run.status.get('revision')}")
        elif run.phase == "Queued":
            self._event(run, "RunQueued", str(run.status.get("message")), warning=True)
        if run.phase in FINAL_PHASES:
            self._event(run, f"Run{run.phase}", str(run.status.get("message")), warning=run.phase == "Failed")
            began, over = run.status.get("startedAt"), run.status.get("finishedAt")
            if began and over:
                metrics.run_duration.labels(run.phase).observe(runstatus.between(began, over))

    def _tell(self, run: Run, end: Ended) -> None:
        attempt = end.attempt
        metrics.task_duration.labels(attempt.reason or "Succeeded").observe(attempt.end - attempt.start)
        if attempt.reason and attempt.reason != CANCELLED:
            words = f"{attempt.task}, attempt {attempt.number}: {attempt.reason}: {end.message}"
            self._event(run, "TaskFailed", words, warning=True, key=f"{attempt.task}/{attempt.number}")

    def _event(self, run: Run, reason: str, message: str, *, warning: bool = False, key: str = "") -> None:
        self._events.post("DAGRun", run.namespace, run.name, run.uid, reason, message, warning=warning, key=key)
