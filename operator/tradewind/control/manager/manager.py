"""The operator: waits until it leads or owns shards, then works."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from tradewind import metrics
from tradewind.control.egress.policy import EgressPolicy
from tradewind.control.evaluation.host import BUDGET, Host
from tradewind.control.evaluation.workers import DEADLINE, Evaluator
from tradewind.control.execution.dag_metrics import DAGMetrics, Limits
from tradewind.control.manager.engine import Engine
from tradewind.control.retention.recorded import RecorderOptions
from tradewind.control.shared.task_groups import tasks, wait_for_first
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.lease import Lease
from tradewind.kube.shards import Shards
from tradewind.plan.capacity.shard_share import WHOLE, Owned

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """Settings of an operator. No namespaces means all."""

    namespaces: tuple[str, ...] = ()
    lease_namespace: str = "default"
    lease_name: str = "tradewind-operator"
    identity: str = field(default_factory=socket.gethostname)
    """The pod's name in a cluster, so that a restarted container keeps its predecessor's lease."""
    shards: int = 1
    """Number of parts into which namespaces are divided among replicas. With one, one replica leads and the others stand by."""
    egress: EgressPolicy = EgressPolicy()
    evaluation: float = DEADLINE
    """Seconds of CPU time of one expression that takes longer than microseconds."""
    budget: float = BUDGET
    """Seconds of computing time of one pass over a run before others go first."""
    dag_metrics: Limits = Limits()
    """Number of DAGs with metrics of their own."""
    recorder: RecorderOptions | None = None
    """With one, runs are deleted when they are on record."""
    image: str = field(default_factory=lambda: os.environ.get("TRADEWIND_IMAGE", "tradewind"))


class Operator:
    """One operator process: `run` it until `stop` is set."""

    def __init__(self, connection: Connection, options: Options) -> None:
        self._options = options
        self.client = Client(connection)
        self.engine = self._engine(WHOLE)
        self.leading = False
        self.heartbeat = time.monotonic()
        """When the event loop last ran its own timer, in monotonic seconds."""

    async def run(self, stop: asyncio.Event, on_signal: Callable[[], None] | None = None) -> None:
        """Waits for the lease, then reconciles until `stop` is set or the lease is lost, which raises Lost. SIGINT and SIGTERM call
        `on_signal`, by default `stop.set`."""
        self._on_signal = on_signal or stop.set
        self._listen()
        async with self.client, tasks([self._beat()]):
            await (self._lead(stop) if self._options.shards == 1 else self._share(stop))

    async def _lead(self, stop: asyncio.Event) -> None:
        """Works while this replica is the leader."""
        options = self._options
        lease = Lease(self.client, options.lease_namespace, options.lease_name, options.identity)
        await wait_for_first(lease.acquire(), stop.wait())
        if stop.is_set():
            return
        self.leading = True
        self.client.may_write = lease.holds
        try:
            await self._work(stop, lease.hold(stop.set))
        finally:
            await lease.release()

    async def _share(self, stop: asyncio.Event) -> None:
        """Works on the shards of this replica. When these change, it starts over with the new ones: everything is derived, and they seldom
        change."""
        options = self._options
        shards = Shards(self.client, options.lease_namespace, options.lease_name, options.identity, options.shards)
        self.client.may_write = shards.holds
        async with tasks([shards.run()]) as (holding,):
            try:
                while not stop.is_set() and not holding.done():
                    shards.changed.clear()
                    self.leading = bool(shards.held)
                    if not shards.held:
                        await wait_for_first(shards.changed.wait(), stop.wait(), asyncio.shield(holding))
                        continue
                    self.engine = self._engine(shards.owned)
                    await self._work(stop, shards.changed.wait())
            finally:
                self.leading = False
                await shards.release()
            if holding.done():
                holding.result()

    async def _work(self, stop: asyncio.Event, until: Coroutine[Any, Any, Any]) -> None:
        """Runs the engine until `stop` is set or `until` returns. Raises what either raised."""
        ending = asyncio.Event()
        async with tasks([self.engine.run(ending, self._listen, self._on_signal)]) as (working,):
            others = [asyncio.ensure_future(until), asyncio.ensure_future(stop.wait())]
            try:
                await asyncio.wait([working, *others], return_when=asyncio.FIRST_COMPLETED)
                ending.set()
                if not working.done():
                    await asyncio.wait([working], timeout=10)
            finally:
                for task in others:
                    task.cancel()
                ended = await asyncio.gather(*others, return_exceptions=True)
            if working.done():
                working.result()
            for answer in ended:
                if isinstance(answer, Exception):
                    raise answer

    def _engine(self, owned: Owned) -> Engine:
        options = self._options
        host = Host(Evaluator(options.evaluation), options.budget)
        return Engine(
            self.client,
            options.namespaces,
            options.image,
            options.identity,
            owned,
            options.egress,
            time.time,
            host,
            DAGMetrics(options.dag_metrics),
            options.recorder,
        )

    def _listen(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                with contextlib.suppress(NotImplementedError):
                    asyncio.get_running_loop().add_signal_handler(number, self._on_signal)

    async def _beat(self) -> None:
        """Measures the delay of the event loop."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.5)
            self.heartbeat = time.monotonic()
            metrics.loop_lag.observe(max(0.0, self.heartbeat - began - 0.5))
