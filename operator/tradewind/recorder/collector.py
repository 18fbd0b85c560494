"""Follows the runs of a cluster and writes those that have ended, or are deleted, to the store: in batches, one at a time."""

import asyncio
import hashlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError
from tradewind.kube.lists import ListMetadata
from tradewind.kube.pages import items, parse_page
from tradewind.kube.reflector import Reflector
from tradewind.kube.resources import RUNS, Resource
from tradewind.recorder.origin import Origins
from tradewind.recorder.record import RAW, Unreadable, has_ended, identity, record_of
from tradewind.recorder.store.database import Database, StoreError
from tradewind.recorder.store.writing import Batch, Place, Position, Unread, write

log = logging.getLogger(__name__)
PAGE = 100
"""Runs read at once; fewer where they are large."""
BATCH, BATCH_BYTES = 200, 8 * 2**20
"""Runs, and bytes of them, that are written together."""
WAITING_BYTES = 32 * 2**20
"""Bytes of runs in memory. While there are more, nothing is read."""
MARK = 200
"""Bytes for which a mark counts."""
PAUSES = (0.2, 30.0)
"""Seconds between two tries while the store is away: at first, at most."""


class Seen(NamedTuple):
    """A run to write."""

    raw: bytes
    deleted: bool
    at: int
    """Epoch milliseconds."""


class Mark(NamedTuple):
    """Everything up to this version was seen before."""

    namespace: str
    version: int


class PacedClient(Client):
    """A client that reads no further list or watch event while there is no room for what it would bring."""

    room: Callable[[], Awaitable[None]]

    async def list_raw(self, resource: Resource, namespace: str | None = None, **query: Any) -> bytes:
        """As in Client."""
        await self.room()
        return await super().list_raw(resource, namespace, **query)

    async def watch(self, resource: Resource, namespace: str | None, **query: str) -> AsyncIterator[bytes]:
        """As in Client."""
        async for line in super().watch(resource, namespace, **query):
            await self.room()
            yield line


class Backlog:
    """What was seen and is not written yet, bounded in bytes."""

    def __init__(self) -> None:
        self._waiting: deque[Seen | Mark] = deque()
        self._bytes = 0
        self.wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, item: Seen | Mark) -> None:
        """Adds something. A mark right after one of the same namespace replaces it."""
        last = self._waiting[-1] if self._waiting else None
        if isinstance(item, Mark) and isinstance(last, Mark) and last.namespace == item.namespace:
            self._waiting.pop()
            self._bytes -= _size(last)
        self._waiting.append(item)
        self._bytes += _size(item)
        if self._bytes > WAITING_BYTES:
            self._room.clear()
        self.wake.set()

    async def room(self) -> None:
        """Waits until there is room."""
        await self._room.wait()

    def first(self) -> list[Seen | Mark]:
        """What is written next. It stays until `drop`."""
        found: list[Seen | Mark] = []
        size = runs = 0
        for item in self._waiting:
            if isinstance(item, Seen):
                if runs == BATCH or (runs and size + len(item.raw) > BATCH_BYTES):
                    break
                runs, size = runs + 1, size + len(item.raw)
            found.append(item)
        return found

    def drop(self, written: Sequence[Seen | Mark]) -> None:
        """Drops what was written. A mark may have been replaced by a later one in the meantime: that stays."""
        for item in written:
            if self._waiting and self._waiting[0] is item:
                self._waiting.popleft()
                self._bytes -= _size(item)
        if not self._waiting:
            self.wake.clear()
        if self._bytes <= WAITING_BYTES:
            self._room.set()


def _size(item: Seen | Mark) -> int:
    return len(item.raw) if isinstance(item, Seen) else MARK


class _Watch(Reflector):
    """Follows runs from where the store is."""

    resource = RUNS
    listing: Mapping[str, str] = {"limit": str(PAGE)}
    watching: Mapping[str, str] = {}
    lists_again = False

    def __init__(
        self, client: Client, namespaces: Sequence[str | None], backlog: Backlog, clock: Callable[[], float]
    ) -> None:
        super().__init__(client, namespaces)
        self._backlog, self._clock = backlog, clock

    def resume(self, reached: Mapping[str | None, int]) -> None:
        """Begins the watches of these namespaces at versions that the store has reached."""
        for namespace, version in reached.items():
            self._reached[namespace] = str(version)
            self._unsynced.discard(namespace)
        if not self._unsynced:
            self.synced.set()

    def restart(self) -> None:
        """Makes every watch list again when it next begins."""
        self._reached.clear()

    def begin_list(self, namespace: str | None) -> None:
        """Does nothing: a list that is not completed has written some runs."""

    def take_page(self, namespace: str | None, raw: bytes) -> ListMetadata:
        """Takes the runs that have ended."""
        page = parse_page(raw)
        for item in page.items:
            self.take_event("ADDED", item)
        return page.metadata

    def end_list(self, namespace: str | None, version: int) -> None:
        """All runs that had ended before `version` were seen."""
        self._backlog.add(Mark(namespace or "", version))

    def take_event(self, kind: str, raw: bytes) -> None:
        """Takes a run that has ended or is deleted."""
        body = bytes(raw)
        if kind == "DELETED" or has_ended(body):
            self._backlog.add(Seen(body, kind == "DELETED", round(self._clock() * 1_000)))

    def take(self, namespace: str | None, line: bytes) -> None:
        """As in Reflector; then everything before is seen."""
        super().take(namespace, line)
        self._backlog.add(Mark(namespace or "", int(self._reached[namespace])))


@dataclass(slots=True)
class Progress:
    """How far the recorder is, for metrics and the watermark."""

    written: int = 0
    """Runs written since the start."""
    unreadable: int = 0
    error: str = ""
    """Why the store can't be written now; empty if it can."""
    failed_at: float | None = None
    """Monotonic seconds since when."""


class Collector:
    """Watches and writes. Without a `PacedClient` nothing bounds what it reads while the store is away."""

    def __init__(
        self,
        client: Client,
        database: Database,
        origins: Origins,
        namespaces: Sequence[str | None] = (None,),
        clock: Callable[[], float] = time.time,
        resting: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`clock` returns epoch seconds."""
        self._client, self._database, self._origins, self._clock = client, database, origins, clock
        self._namespaces, self._resting = namespaces, resting
        self.backlog = Backlog()
        if isinstance(client, PacedClient):
            client.room = self.backlog.room
        self.watch = _Watch(client, namespaces, self.backlog, clock)
        self.progress = Progress()
        self.positions: dict[str, Position] = {}
        self._thread = ThreadPoolExecutor(1, "recorder-writer")
        self.epoch = 0

    @property
    def reached(self) -> int | None:
        """The version up to which everything of all namespaces is written; None while it is not known."""
        names = [namespace or "" for namespace in self._namespaces]
        if any(name not in self.positions for name in names):
            return None
        return min(self.positions[name].version for name in names)

    async def run(self) -> None:
        """Watches and writes. Never returns."""
        await asyncio.gather(self.watch.run(), self.write_all())

    async def write_all(self) -> None:
        """Writes what was seen, as it comes. Never returns."""
        while True:
            await self.backlog.wake.wait()
            await self.write_next()

    async def write_next(self) -> None:
        """Writes one batch, and tries again for as long as the store is away. What can't be written is kept: nothing is skipped."""
        found = self.backlog.first()
        pause = PAUSES[0]
        while found:
            try:
                batch = await self._batch(found)
                written = await asyncio.get_running_loop().run_in_executor(self._thread, write, self._database, batch)
            except (StoreError, ApiError) as error:
                if not self.progress.error:
                    log.warning("runs can't be recorded now, and are kept back: %s", error)
                self.progress.error = str(error)
                self.progress.failed_at = self.progress.failed_at or time.monotonic()
                await self._resting(pause)
                pause = min(pause * 2, PAUSES[1])
                continue
            if self.progress.error:
                log.info("runs are recorded again")
            self.progress.error, self.progress.failed_at = "", None
            self.progress.written += written
            self.progress.unreadable += len(batch.unreadable)
            self.positions |= batch.positions
            self.backlog.drop(found)
            return

    async def _batch(self, found: Sequence[Seen | Mark]) -> Batch:
        batch = Batch()
        loop = asyncio.get_running_loop()
        for item in found:
            if isinstance(item, Mark):
                position = Position(self._origins.cluster, self.epoch, item.version, round(self._clock() * 1_000))
                batch.positions[item.namespace] = position
                continue
            try:
                record = await loop.run_in_executor(
                    self._thread, record_of, item.raw, item.at if item.deleted else None
                )
            except Unreadable as error:
                batch.unreadable.append(_unread(item, str(error)))
                continue
            home = await self._origins.uid(record.namespace, record.created)
            batch.runs.append((Place(self._origins.cluster, home, self.epoch), record))
        batch.revisions = await self._origins.revisions(self._database, batch.runs)
        return batch

    async def finish(self, closing: bool = False) -> None:
        """Reads all runs once more and writes what is left; `closing`: those that have not ended too, as their cluster ends."""
        for namespace in self._namespaces:
            async for raw in items(self._client, RUNS, namespace, PAGE):
                await self.backlog.room()
                ended = has_ended(raw)
                if ended or closing:
                    self.backlog.add(Seen(raw, not ended, round(self._clock() * 1_000)))
        while len(self.backlog):
            await self.write_next()

    def close(self) -> None:
        """Ends the thread that writes, after its last batch."""
        self._thread.shutdown()


def _unread(item: Seen, error: str) -> Unread:
    uid, namespace, name, version = identity(item.raw)
    key = f"{uid}/{version}" if uid else hashlib.sha256(item.raw).hexdigest()
    return Unread(key, namespace, name, version, error.replace("\0", ""), item.raw[:RAW], item.at)
