"""The operator: kopf watches DAGs and runs, everything else happens in the reconcilers."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, cast

from tradewind import GROUP, VERSION, metrics
from tradewind.control.dags import DAGReconciler
from tradewind.control.events import EventSink
from tradewind.control.history import HistoryReconciler
from tradewind.control.launch import Launcher
from tradewind.control.lean import kopf
from tradewind.control.poolstatus import PoolReconciler
from tradewind.control.revisions import Revisions
from tradewind.control.runs import RunReconciler
from tradewind.control.view import Run
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.errors import ApiError
from tradewind.kube.informer import PodInformer
from tradewind.kube.lease import Lease

log = logging.getLogger(__name__)
WORKERS = 32
"""Runs that are reconciled at the same time. Passes wait for the API server most of the time."""


@dataclass(frozen=True)
class Options:
    """How an operator runs. No namespaces means all of them."""

    namespaces: tuple[str, ...] = ()
    lease_namespace: str = "default"
    lease_name: str = "tradewind-operator"
    identity: str = field(default_factory=socket.gethostname)
    """In a cluster the pod's name: a container that is restarted goes on with the lease of the one before."""
    image: str = field(default_factory=lambda: os.environ.get("TRADEWIND_IMAGE", "tradewind"))


class _NoDiffBase(kopf.DiffBaseStorage):
    """kopf's own storage copies every body on every event, for handlers that are not used here."""

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None


class Operator:
    """One operator process: `run` it until `stop` is set."""

    def __init__(self, connection: Connection, options: Options) -> None:
        self._connection, self._options = connection, options
        self.client = Client(connection)
        self.events = EventSink(self.client, time.time)
        self.dags = DAGReconciler(self.client, self.events)
        revisions, launcher = Revisions(self.client), Launcher(self.client, options.image)
        namespaces: list[str | None] = list(options.namespaces) or [None]
        self.pools = PoolReconciler(self.client)
        self.history = HistoryReconciler(self.client)
        self.runs = RunReconciler(
            self.client,
            revisions,
            launcher,
            self.events,
            self._phase_changed,
            lambda run: self.history.run_seen(run, deleted=True),
            self.pools.changed,
            namespaces,
        )
        self.pools.book = self.runs.book
        self.lease = Lease(self.client, options.lease_namespace, options.lease_name, options.identity)
        self.ready = asyncio.Event()
        self.leading = False
        self.heartbeat = time.monotonic()
        """When the event loop last ran its own timer, on the monotonic clock."""

    def _phase_changed(self, run: Run) -> None:
        self.dags.run_seen(run)
        self.history.run_seen(run)

    @property
    def pods(self) -> PodInformer:
        """The pods of all runs."""
        return self.runs.pods

    async def run(self, stop: asyncio.Event, on_signal: Callable[[], None] | None = None) -> None:
        """Waits for the lease, then reconciles until `stop` is set or the lease is lost (which raises Lost). SIGINT and SIGTERM
        call `on_signal`, by default `stop.set`."""
        self._on_signal = on_signal or stop.set
        self._listen()
        async with self.client, self._tasks([self._beat()]):
            await _first(self.lease.acquire(), stop.wait())
            if stop.is_set():
                return
            self.leading = True
            work = [
                self.lease.hold(stop.set),
                self.pods.run(),
                self.runs.informer.run(),
                self.events.run(),
                self._census(),
                self._work(stop),
            ]
            async with self._tasks(work) as running:
                try:
                    await asyncio.wait(
                        [*running, asyncio.ensure_future(stop.wait())], return_when=asyncio.FIRST_COMPLETED
                    )
                finally:
                    self.ready.clear()
                    await self.lease.release()
                for task in running:
                    if task.done() and not task.cancelled():
                        task.result()

    async def _work(self, stop: asyncio.Event) -> None:
        """Reconciles only once every pod and every run is known: a plan made from half of them would start tasks twice, or too many."""
        await self.pods.synced.wait()
        await self.runs.informer.synced.wait()
        await self._prime()
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self.runs.queue.work(self.runs.reconcile, self.runs.failed))
            group.create_task(self.dags.queue.work(self.dags.reconcile, self.dags.failed))
            group.create_task(self.history.queue.work(self.history.reconcile, self.history.failed))
            group.create_task(self.pools.queue.work(self.pools.reconcile, self.pools.failed))
            group.create_task(self.runs.informer.read_ended())
            group.create_task(self._kopf(stop))

    async def _prime(self) -> None:
        """What may start depends on the pools: read them first, as often as it takes."""
        delay = 0.1
        while True:
            try:
                await self.runs.prime()
                return
            except ApiError as error:
                log.warning("reading the pools: %s", error)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 15)

    async def _kopf(self, stop: asyncio.Event) -> None:
        ready = asyncio.Event()
        operator = asyncio.ensure_future(
            kopf.operator(
                registry=self._registry(),
                settings=self._settings(),
                clusterwide=not self._options.namespaces,
                namespaces=self._options.namespaces,
                standalone=True,
                identity=cast(
                    Any, self._options.identity
                ),  # kopf would ask for a user name, which a container need not have
                stop_flag=stop,
                ready_flag=ready,
            )
        )
        try:
            await _first(ready.wait(), asyncio.shield(operator))
            self._listen()  # kopf has put its own handlers in place
            self.ready.set()
            log.info("ready")
            await operator
            if not stop.is_set():
                self._on_signal()  # a signal came before the handlers were ours again
        finally:
            operator.cancel()

    def _listen(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                with contextlib.suppress(NotImplementedError):
                    asyncio.get_running_loop().add_signal_handler(number, self._on_signal)

    def _settings(self) -> kopf.OperatorSettings:
        settings = kopf.OperatorSettings()
        settings.persistence.diffbase_storage = _NoDiffBase()
        settings.posting.enabled = False
        settings.scanning.disabled = True
        settings.queueing.idle_timeout = 0.2
        logging.getLogger("kopf.objects").setLevel(logging.WARNING)
        logging.getLogger("kopf.activities").setLevel(logging.WARNING)
        return settings

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        async def login(**_: Any) -> kopf.ConnectionInfo:
            return _for_kopf(self._connection)

        async def dag(event: Any, **_: Any) -> None:
            metrics.watch_last_event.labels("dags").set(time.time())
            body, deleted = dict(event["object"]), event["type"] == "DELETED"
            self.dags.seen(body, deleted)
            self.history.dag_seen(body, deleted)
            meta = body["metadata"]
            (self.runs.dag_deleted if deleted else self.runs.dag_seen)(meta["namespace"], meta["name"])

        async def pool(event: Any, **_: Any) -> None:
            metrics.watch_last_event.labels("pools").set(time.time())
            body, deleted = dict(event["object"]), event["type"] == "DELETED"
            self.pools.seen(body, deleted)
            self.runs.book.pool_seen(body, deleted)

        kopf.on.login(registry=registry)(login)
        kopf.on.event(GROUP, VERSION, "dags", registry=registry)(dag)
        kopf.on.event(GROUP, VERSION, "pools", registry=registry)(pool)
        if not self._options.namespaces:  # An operator of some namespaces has no rights beyond them.
            kopf.on.event(GROUP, VERSION, "clusterpools", registry=registry)(pool)
        return registry

    async def _beat(self) -> None:
        """Measures how late the loop is."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.5)
            self.heartbeat = time.monotonic()
            metrics.loop_lag.observe(max(0.0, self.heartbeat - began - 0.5))

    async def _census(self) -> None:
        """Counts runs by phase and tasks by state; derived, so it can't drift."""
        while True:
            self.runs.count()
            await asyncio.sleep(5)

    @contextlib.asynccontextmanager
    async def _tasks(self, coroutines: list[Coroutine[Any, Any, None]]) -> AsyncIterator[list[asyncio.Task[None]]]:
        tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
        try:
            yield tasks
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _first(*coroutines: Any) -> None:
    """Waits until one of them ends, and cancels the others."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _for_kopf(connection: Connection) -> kopf.ConnectionInfo:
    """A connection in kopf's words."""
    scheme, _, token = (connection.authorization() or "").partition(" ")
    return kopf.ConnectionInfo(
        server=connection.server,
        ca_path=connection.ca_path,
        certificate_path=connection.certificate_path,
        private_key_path=connection.private_key_path,
        insecure=connection.insecure or None,
        scheme=scheme or None,
        token=token or None,
        default_namespace=connection.namespace,
    )
