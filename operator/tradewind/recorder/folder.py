"""History in a folder of this machine: what `--data DIR` records to, and reads."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

from tradewind.control.shared.task_groups import tasks
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError
from tradewind.kube.resources import NAMESPACES
from tradewind.recorder.collector import Collector
from tradewind.recorder.logs.collector import LogCollector
from tradewind.recorder.logs.shelf import Shelf
from tradewind.recorder.origin import Origins
from tradewind.recorder.store.database import SQLite, StoreError
from tradewind.recorder.store.migration import migrate

log = logging.getLogger(__name__)
HISTORY = "history.db"
PATIENCE = 20.0
"""Seconds to write what is left when a session ends."""


def open_history(folder: Path, make: bool = False) -> SQLite:
    """The history in a folder, in the newest schema. Raises StoreError; without `make` also where there is none."""
    path = folder / HISTORY
    if not make and not path.exists():
        words = "name the folder that `tradewind dev --data` or `tradewind run -f … --data` recorded to"
        raise StoreError(f"{folder} has no {HISTORY}: {words}")
    database = SQLite(path)
    try:
        migrate(database)
    except StoreError:
        database.close()
        raise
    return database


@contextlib.asynccontextmanager
async def recording(client: Client, folder: Path) -> AsyncIterator[Collector]:
    """Records the runs and logs of a session while the context is open; when it is left, those that have not ended too. Raises StoreError."""
    database = await asyncio.to_thread(open_history, folder, True)
    cluster = str((await client.get(NAMESPACES, "", "kube-system"))["metadata"]["uid"])
    origins = Origins(client, cluster)
    collector = Collector(client, database, origins)
    shelf = Shelf(folder, database)
    logs = LogCollector(client, database, shelf, origins, collector.in_writer)
    try:
        try:
            async with tasks([collector.run(), logs.run()]):
                yield collector
        finally:
            await _finish(collector, logs)
    finally:
        logs.close()
        collector.close()
        shelf.close()
        database.close()


async def _finish(collector: Collector, logs: LogCollector) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            await collector.finish(closing=True)
            await logs.finish()
    except (TimeoutError, ApiError) as error:
        log.warning("the history lacks the latest runs: %s", collector.progress.error or error)
