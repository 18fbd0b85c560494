"""An operator that leads: informers watch, reconcilers work, and kopf manages the process."""

import asyncio
import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from tradewind import metrics
from tradewind.control.backfills.reconciler import BackfillReconciler
from tradewind.control.dagrun.listener import RunListener
from tradewind.control.dagrun.run import Run
from tradewind.control.dags.reconciler import DAGReconciler
from tradewind.control.dags.revisions import Revisions
from tradewind.control.dags.template_index import Templates
from tradewind.control.dags.template_reconciler import TemplateReconciler
from tradewind.control.egress.policy import USUAL, EgressPolicy
from tradewind.control.evaluation.host import Host, Refusing
from tradewind.control.evaluation.workers import Evaluator
from tradewind.control.execution.dag_metrics import DAGMetrics
from tradewind.control.execution.reconciler import RunReconciler
from tradewind.control.manager import kopf_process
from tradewind.control.manager.gauges import count
from tradewind.control.manager.memory import trimmer
from tradewind.control.pods.launcher import PodLauncher
from tradewind.control.pools.reconciler import PoolReconciler
from tradewind.control.retention.recorded import Recorded, RecorderOptions
from tradewind.control.retention.revisions import RevisionHistory
from tradewind.control.retention.runs import HistoryReconciler
from tradewind.control.shared.event_recorder import EventRecorder
from tradewind.control.shared.isolation import isolate_errors
from tradewind.control.shared.task_groups import tasks
from tradewind.control.triggers.assembly import Triggers
from tradewind.kube.client import Client, Object
from tradewind.kube.object_informer import ObjectInformer
from tradewind.kube.pod_informer import PodInformer
from tradewind.kube.resources import (
    APPROVALS,
    BACKFILLS,
    CLUSTER_POOLS,
    DAGS,
    NAMESPACES,
    POOLS,
    TEMPLATES,
    TRIGGERS,
    Resource,
    deleting,
)
from tradewind.kube.work_queue import WorkQueue
from tradewind.plan import pacing
from tradewind.plan.capacity.shard_share import WHOLE, Owned

log = logging.getLogger(__name__)
K = TypeVar("K")
WORKERS = 32
"""Runs that are reconciled concurrently. Passes mostly wait for the API server."""
TRIM = 6
"""Number of counts after which free memory is returned."""
TRIGGER_WORKERS = 32
"""Triggers that are reconciled concurrently: many fire on the hour."""
DAG_WORKERS = 4
"""DAGs whose specs are recorded concurrently."""
FIRST = (POOLS, CLUSTER_POOLS, TRIGGERS, BACKFILLS)
"""Objects that must be known before anything is reconciled: pools decide what may start, the others what may be deleted."""


Seen = Callable[[Object, bool], None]
"""Takes an object, and whether it was deleted."""


class Engine:
    """Works on what is `owned`, starting from nothing: all its knowledge is read from the API server."""

    def __init__(
        self,
        client: Client,
        namespaces: tuple[str, ...],
        image: str,
        identity: str,
        owned: Owned = WHOLE,
        egress: EgressPolicy = USUAL,
        clock: Callable[[], float] = time.time,
        host: Host | None = None,
        dag_metrics: DAGMetrics | None = None,
        recorder: RecorderOptions | None = None,
    ) -> None:
        """`clock` returns epoch seconds. `host` runs work whose size tenants decide; by default the engine has its own. With a `recorder`,
        runs are deleted when they are on record."""
        self._dag_metrics = dag_metrics or DAGMetrics()
        self.host = host or Host(Evaluator())
        recorded = Recorded(client, recorder) if recorder else None
        self._client, self._namespaces, self._identity, self._owned = client, namespaces, identity, owned
        self.events = EventRecorder(client, clock)
        revisions = Revisions(client)
        self.templates = Templates(client, whole=not namespaces)
        self.dags = DAGReconciler(client, self.events, revisions, self.templates, self._rendered, clock)
        self.template_status = TemplateReconciler(client, self.templates, self.events, clock)
        self.revisions = RevisionHistory(client, revisions, list(namespaces) or [None], owned)
        self.runs = RunReconciler(
            client,
            revisions,
            self.templates,
            PodLauncher(client, image),
            self.events,
            self,
            lambda pool: self.pools.changed(pool),
            lambda run, deleted: self._facts.run_seen(run, deleted),
            lambda run: self.backfills.made(run),
            self.host,
            list(namespaces) or [None],
            owned,
            egress,
            clock,
            recorded,
        )
        self.pools = PoolReconciler(client, self.runs.book, clock)

        def watched(namespace: str) -> bool:
            return namespace in (namespaces or (namespace,))

        made = Triggers(client, self.events, self.runs.sensors, self._made, watched, clock)
        self.triggers, self._facts, self._objects = made.reconciler, made.facts, made.objects
        self.backfills = BackfillReconciler(
            client,
            self.events,
            self.triggers.dags,
            lambda namespace, dag: self.history.check_again(namespace, dag),
            self._made,
            clock,
        )
        self.history = HistoryReconciler(
            client,
            self.backfills.holds,
            self.runs.states.__contains__,
            self.triggers.when_settled,
            clock,
            recorded,
            self.events,
        )
        self._listeners: Sequence[RunListener] = (
            self.runs.subdags,  # First: callers of the run are woken, whatever happens to the others here.
            self.runs.start_values,
            self.runs.previous_tasks,  # After the index of runs, which it asks.
            self.dags,
            self._dag_metrics,
            self.triggers,  # It counts the runs of a trigger before any of its sources is polled.
            made.posted,
            self.backfills,
            self._facts,
            self.revisions,
            self.history,  # Last: it may delete the run, so everything that needs it must know of it.
        )
        self.definitions = {resource: self._informer(resource, seen) for resource, seen in self.heard.items()}
        self.ready = asyncio.Event()

    @property
    def pods(self) -> PodInformer:
        """The pods of all runs."""
        return self.runs.pods

    async def run(self, stop: asyncio.Event, watching: Callable[[], None], interrupted: Callable[[], None]) -> None:
        """Works until `stop` is set or something fails, and raises the failure. `watching` is called when kopf has installed its signal
        handlers; `interrupted` is called for a signal that came before."""
        work = [
            self.pods.run(),
            self.runs.informer.run(),
            *(informer.run() for informer in self.definitions.values()),
            self.events.run(),
            self.runs.sensors.poller.run(),
            self._update_gauges(),
            self._work(watching, interrupted),
        ]
        with pacing.at(Refusing()):  # Outside a host, no evaluation may take long.
            await self._together(work, stop)

    async def _together(self, work: list[Coroutine[Any, Any, None]], stop: asyncio.Event) -> None:
        async with tasks(work) as running:
            try:
                await asyncio.wait([*running, asyncio.ensure_future(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
            finally:
                self.ready.clear()
                await self.runs.podless.close()
                await self.host.close()
                await self._objects.close()
                metrics.runs.clear()  # Other replicas report them from now on.
                metrics.tasks.clear()
                self._dag_metrics.clear()
            for task in running:
                if task.done() and not task.cancelled():
                    task.result()

    def _rendered(self, namespace: str, dag: str, spec: Any) -> None:
        self.history.spec_seen(namespace, dag, spec)
        self._dag_metrics.spec_seen(namespace, dag, spec)
        self.revisions.spec_seen(namespace, dag, spec)
        self.triggers.dags.spec_seen(namespace, dag, spec)
        self.backfills.dag_seen(namespace, dag)

    def _made(self, run: Run) -> None:
        """A trigger or a backfill has made a run, which counts as unfinished. It is known from now on, so that its deletion is noticed even
        if the watch never reported it."""
        self.runs.feed.seen(run, deleted=False)

    def run_seen(self, run: Run, deleted: bool = False) -> None:
        """A run was created or deleted, or changed its phase. The listeners are called in their order."""
        for listener in self._listeners:
            listener.run_seen(run, deleted)

    async def _work(self, watching: Callable[[], None], interrupted: Callable[[], None]) -> None:
        """Starts reconciling when every pod and every run is known: plans from partial knowledge would start tasks twice, or too many."""
        first = [self.definitions[resource] for resource in FIRST if resource in self.definitions]
        for informer in (self.pods, self.runs.informer, *first):
            await informer.synced.wait()
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._worker(self.runs.queue, self.runs.reconcile, self.runs.failed))
            feed = self.runs.feed
            group.create_task(self._worker(feed.changed_dags, feed.wake_waiting, feed.failed))
            group.create_task(self._worker(feed.freed, feed.wake_next, feed.failed))
            group.create_task(self.runs.holders.queue.work(self.runs.holders.check, self.runs.holders.failed))
            unreadable = self.runs.unreadable
            group.create_task(unreadable.queue.work(unreadable.write, unreadable.failed))
            for _ in range(DAG_WORKERS):
                group.create_task(self._worker(self.dags.queue, self.dags.reconcile, self.dags.failed))
            group.create_task(self.history.queue.work(self.history.reconcile, self.history.failed))
            group.create_task(self._worker(self.revisions.queue, self.revisions.reconcile, self.revisions.failed))
            group.create_task(self.revisions.watch())
            group.create_task(self.pools.queue.work(self.pools.reconcile, self.pools.failed))
            for _ in range(TRIGGER_WORKERS):
                group.create_task(self._worker(self.triggers.queue, self.triggers.reconcile, self.triggers.failed))
            for _ in range(DAG_WORKERS):
                group.create_task(self.triggers.saving.work(self.triggers.save, self.triggers.failed))
            group.create_task(self.triggers.watch_clock())
            for _ in range(DAG_WORKERS):
                group.create_task(self._worker(self.backfills.queue, self.backfills.reconcile, self.backfills.failed))
            status = self.template_status
            group.create_task(self._worker(status.queue, status.reconcile, status.failed))
            group.create_task(self.runs.informer.read_ended(self.dags.all_seen))
            group.create_task(self._kopf(watching, interrupted))

    async def _worker(
        self,
        queue: WorkQueue[K],
        reconcile: Callable[[K], Awaitable[None]],
        failed: Callable[[K, Exception], float | None],
    ) -> None:
        """Handles keys. Never returns. The host runs it, so that large work pauses and takes turns."""

        async def handle(key: K) -> None:
            self.host.begin(queue.namespace(key))
            await reconcile(key)

        await self.host.run("", queue.work(handle, failed))

    async def _kopf(self, watching: Callable[[], None], interrupted: Callable[[], None]) -> None:
        connection, ready = self._client.connection, self.ready.set
        await kopf_process.run(connection, self._namespaces, self._identity, watching, ready, interrupted)

    def _informer(self, resource: Resource, seen: Seen) -> ObjectInformer:
        def isolate(body: Object, deleted: bool) -> None:
            with isolate_errors(self.events, resource.kind, body):
                seen({"kind": resource.kind, **body}, deleted)

        namespaces = self._namespaces if resource.namespaced and self._namespaces else (None,)
        return ObjectInformer(self._client, namespaces, resource, isolate)

    @property
    def heard(self) -> dict[Resource, Seen]:
        """The handlers of objects by kind, called for every existing object and every change."""
        kinds: dict[Resource, Seen] = {
            DAGS: self._dag,
            POOLS: self._pool,
            APPROVALS: lambda body, deleted: self.runs.approvals.seen(body),
            TRIGGERS: self._trigger,
            BACKFILLS: self._backfill,
        }
        if not self._namespaces:  # An operator restricted to namespaces has no rights beyond them.
            kinds[CLUSTER_POOLS] = self._pool
            kinds[NAMESPACES] = self.runs.book.namespace_seen
        templates = [resource for resource in TEMPLATES.values() if resource.namespaced or not self._namespaces]
        return kinds | dict.fromkeys(templates, self._template)

    def _dag(self, body: Object, deleted: bool) -> None:
        namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
        if not self._owned.owns(namespace):
            self.triggers.dags.foreign_seen(body, deleted)
            return
        if not deleted and deleting(
            body
        ):  # Its status stays as it is; triggers, backfills and runs wait as without it.
            self.triggers.dags.seen(body, deleted)
            self.backfills.dag_seen(namespace, name)
            self.runs.feed.dag_seen(body, deleted)
            return
        self.dags.seen(body, deleted)
        self.history.dag_seen(body, deleted)
        self._dag_metrics.dag_seen(body, deleted)
        self.revisions.dag_seen(body, deleted)
        self.triggers.dags.seen(body, deleted)
        self.backfills.dag_seen(namespace, name)
        self.runs.feed.dag_seen(body, deleted)

    def _pool(self, body: Object, deleted: bool) -> None:
        namespace = body["metadata"].get("namespace")
        if namespace and not self._owned.owns(namespace):
            return
        self.runs.book.pool_seen(body, deleted)
        if namespace or 0 in self._owned.shards:  # One replica writes the status of shared objects.
            self.pools.seen(body, deleted)

    def _trigger(self, body: Object, deleted: bool) -> None:
        namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
        (self.triggers.seen if self._owned.owns(namespace) else self.triggers.others_seen)(body, deleted)
        self.backfills.trigger_seen(namespace, name)

    def _backfill(self, body: Object, deleted: bool) -> None:
        if self._owned.owns(body["metadata"]["namespace"]):
            self.backfills.seen(body, deleted)

    def _template(self, body: Object, deleted: bool) -> None:
        namespace = body["metadata"].get("namespace")
        if namespace and not self._owned.owns(namespace):
            return
        for user in self.templates.seen(body, deleted):
            if user[0] == "DAG":
                self.dags.template_changed(user[1:])
                self.runs.feed.template_changed(user[1:])
            else:
                self.template_status.queue.add(user)
        if namespace or 0 in self._owned.shards:
            self.template_status.seen(body, deleted)

    async def _update_gauges(self) -> None:
        """Updates the gauges of runs and tasks, and returns free memory now and then."""
        give_back = trimmer()
        for turn in itertools.count(1):
            count(self.runs.states.values())
            await asyncio.sleep(5)
            if turn % TRIM == 0:
                give_back()
