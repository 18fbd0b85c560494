"""The recorder of a cluster: watches, writes, publishes how far it is, and expires what is old."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tradewind import metrics
from tradewind.control.shared.task_groups import tasks
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError, Forbidden
from tradewind.kube.resources import NAMESPACES
from tradewind.recorder import self_signed
from tradewind.recorder.api import Api
from tradewind.recorder.collector import Collector, PacedClient
from tradewind.recorder.gate import Gate
from tradewind.recorder.logs.collector import LogCollector
from tradewind.recorder.logs.shelf import EXPIRED, Shelf
from tradewind.recorder.origin import Origins
from tradewind.recorder.store.database import Database, StoreError
from tradewind.recorder.store.queries import PURGED, expire
from tradewind.recorder.watermark import Publisher, newest_version

log = logging.getLogger(__name__)
AGAIN = 5.0
"""Seconds until the API server, or the store, is asked again at the start."""
EXPIRY = 3600.0
"""Seconds between two searches for runs to expire."""
MEASURE = 5.0
"""Seconds between two updates of the metrics."""


@dataclass(frozen=True, slots=True)
class LogOptions:
    """That logs are collected."""

    folder: Path
    """Where they are stored, in files."""
    keep: float = 30 * 86_400.0
    """Seconds for which a log stays."""


class Recorder:
    """One recorder process: `run` it until it is cancelled."""

    def __init__(
        self,
        paced: PacedClient,
        pods: PacedClient,
        client: Client,
        database: Database,
        namespaces: Sequence[str],
        watermark: tuple[str, str],
        keep: float,
        port: int | None = None,
        logs: LogOptions | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`paced` reads runs and `pods` pods, and both may pause for long; `client` does all else. `watermark` is the ConfigMap's namespace and name, `keep` the seconds
        for which a run stays on record after its end, `port` that of the read API, if there is to be one. With `logs`,
        these are collected too. Raises StoreError."""
        self._shelf = Shelf(logs.folder, database) if logs else None
        self._log_options = logs
        self.logs: LogCollector | None = None
        self._port, self._pods = port, pods
        self._paced, self._client, self._database, self._watermark = paced, client, database, watermark
        self._namespaces: Sequence[str | None] = tuple(namespaces) or (None,)
        self._keep, self._clock = keep, clock
        self.collector: Collector | None = None
        self.publisher: Publisher | None = None
        self._trouble = "the API server has not answered yet"

    async def run(self) -> None:
        """Works. Never returns."""
        collector, publisher, origins = await self._begin()
        work = [collector.run(), publisher.run(), self._expire(collector), self._measure(collector)]
        if self.logs:
            work.append(self.logs.run())
        async with contextlib.AsyncExitStack() as stack:
            if self._port is not None:
                folder = self._log_options.folder if self._log_options else None
                api = Api(self._database, Gate(self._client.connection), origins, collector.in_writer, folder)
                await stack.enter_async_context(api.serve(self._port, await asyncio.to_thread(self_signed.context)))
            running = await stack.enter_async_context(tasks(work))
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in running:
                if task.done():
                    task.result()

    async def _begin(self) -> tuple[Collector, Publisher, Origins]:
        """Reads where it is, as soon as that can be read."""
        first = self._namespaces[0]
        while True:
            try:
                cluster = await self._cluster(first)
                origins = Origins(self._client, cluster, self._clock)
                collector = Collector(self._paced, self._database, origins, self._namespaces, self._clock)
                await collector.resume(await newest_version(self._client, first))
                break
            except (ApiError, StoreError) as error:
                self._trouble = str(error)
                log.warning("the recorder can't begin yet: %s", error)
                await asyncio.sleep(AGAIN)
        self.collector = collector
        if self._shelf:
            write = collector.in_writer
            logs = LogCollector(self._pods, self._database, self._shelf, origins, write, self._namespaces, self._clock)
            self.logs, collector.began_again = logs, logs.begin_again
        self.publisher = Publisher(
            self._client,
            self._watermark,
            collector,
            cluster,
            first,
            collector.fresh,
            lambda: self.logs.reached if self.logs else 0,
            self._clock,
        )
        return collector, self.publisher, origins

    async def _cluster(self, first: str | None) -> str:
        """The uid of the cluster, or of a namespace for who may not ask for that."""
        try:
            return str((await self._client.get(NAMESPACES, "", "kube-system"))["metadata"]["uid"])
        except Forbidden:
            if first is None:
                raise
            return str((await self._client.get(NAMESPACES, "", first))["metadata"]["uid"])

    def readiness(self) -> tuple[bool, str]:
        """Whether it records, and why not."""
        if self.collector is None:
            return False, self._trouble
        trouble = self.collector.progress.error or (self.publisher.trouble if self.publisher else "")
        if trouble:
            return False, trouble
        return (
            self.collector.watch.synced.is_set(),
            "ok" if self.collector.watch.synced.is_set() else "runs are not known yet",
        )

    async def _expire(self, collector: Collector) -> None:
        while True:
            try:
                await self._expire_all(collector, self._keep, PURGED, expire, self._database)
                if self._shelf and self._log_options:
                    await self._expire_all(collector, self._log_options.keep, EXPIRED, self._shelf.expire)
            except StoreError as error:
                log.warning("what is old can't be deleted from the record: %s", error)
            await asyncio.sleep(EXPIRY)

    async def _expire_all(
        self, collector: Collector, keep: float, most: int, function: Callable[..., int], *arguments: Any
    ) -> None:
        """Deletes what is older than `keep` seconds, `most` at once."""
        before = round((self._clock() - keep) * 1_000)
        while await collector.in_writer(function, *arguments, before) == most:
            pass

    async def _measure(self, collector: Collector) -> None:
        written = unreadable = stored = incomplete = 0
        while True:
            progress = collector.progress
            metrics.recorded_runs.inc(progress.written - written)
            metrics.recorded_unreadable.inc(progress.unreadable - unreadable)
            written, unreadable = progress.written, progress.unreadable
            metrics.recorder_waiting.set(len(collector.backlog))
            oldest = collector.backlog.oldest
            metrics.recorder_lag.set(max(0.0, self._clock() - oldest / 1_000) if oldest is not None else 0)
            failing = progress.failed_at
            metrics.recorder_failing.set(time.monotonic() - failing if failing is not None else 0)
            if self.logs:
                metrics.recorded_logs.inc(self.logs.stored - stored)
                metrics.recorded_logs_incomplete.inc(self.logs.incomplete - incomplete)
                metrics.recorder_logs_waiting.set(self.logs.waiting)
                stored, incomplete = self.logs.stored, self.logs.incomplete
            metrics.recorder_bytes.set(await asyncio.to_thread(self._database.size))
            await asyncio.sleep(MEASURE)

    def close(self) -> None:
        """Ends its threads."""
        if self.logs:
            self.logs.close()
        if self.collector:
            self.collector.close()
        if self._shelf:
            self._shelf.close()
