"""Follows the runs of a cluster and writes those that have ended, or are deleted, to the store: in batches, one at a time."""

import asyncio
import contextlib
import hashlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from tradewind.control.shared.task_groups import tasks
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError
from tradewind.kube.lists import ListMetadata
from tradewind.kube.pages import items, parse_page
from tradewind.kube.reflector import Reflector
from tradewind.kube.resources import RUNS, Resource
from tradewind.recorder.origin import Origins
from tradewind.recorder.record import RAW, RunRecord, Unreadable, has_ended, identity, record_of
from tradewind.recorder.store.database import Database, StoreError
from tradewind.recorder.store.writing import Batch, Place, Position, Unread, positions, write

log = logging.getLogger(__name__)
T = TypeVar("T")
PAGE = 100
"""Runs read at once; fewer where they are large."""
BATCH, BATCH_BYTES = 200, 8 * 2**20
"""Runs, and bytes of them, that are written together."""
WAITING_BYTES = 32 * 2**20
"""Bytes of runs in memory. While there are more, nothing is read."""
MARK = 200
"""Bytes for which a mark counts."""
RECENT = 600.0
"""Seconds after which a position is not resumed, and everything is listed: etcd keeps changes for five minutes or so."""
GATHER, QUIET = 0.05, 1.0
"""Seconds for which runs are gathered to be written together; and for which the position is not written while no run ends."""
DRAIN = 0.05
"""Seconds between two looks whether all is written."""
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
        """Set while anything waits."""
        self.runs = asyncio.Event()
        """Set while a run waits."""
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
        if isinstance(item, Seen):
            self.runs.set()

    @property
    def full(self) -> bool:
        """Whether nothing more should be read."""
        return not self._room.is_set()

    async def room(self) -> None:
        """Waits until there is room."""
        await self._room.wait()

    @property
    def oldest(self) -> int | None:
        """When the first run that waits was seen (epoch milliseconds); None if none does."""
        return next((item.at for item in self._waiting if isinstance(item, Seen)), None)

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
        if self.oldest is None:
            self.runs.clear()
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
        self._again = asyncio.Event()
        self.progress = Progress()
        self.positions: dict[str, Position] = {}
        self._thread = ThreadPoolExecutor(1, "recorder-writer")
        self.epoch = 0
        self.began_again: Callable[[], None] = lambda: None
        """Called when all is read again."""
        self.fresh = True
        """Whether the store knows nothing of this cluster's versions."""

    async def resume(self, current: int) -> None:
        """Continues where the store is, if that was a moment ago in this cluster; else everything is listed. `current` is the newest version
        of the API server. Raises StoreError."""
        stored = await asyncio.to_thread(positions, self._database)
        mine = {name: at for name in self._namespaces if (at := stored.get(name or ""))}
        self.epoch = max((position.epoch for position in stored.values()), default=0)
        if any(position.cluster != self._origins.cluster or position.version > current for position in stored.values()):
            self.epoch += 1
            log.warning("another cluster, or etcd was restored to an older version: all runs are read again")
            return
        self.fresh = not stored
        recent = self._clock() * 1_000 - RECENT * 1_000
        if len(mine) == len(self._namespaces) and all(position.at >= recent for position in mine.values()):
            self.watch.resume({name: position.version for name, position in mine.items()})
            self.positions = {name or "": position for name, position in mine.items()}

    def begin_again(self) -> None:
        """Reads all runs again: the API server's versions have begun again below those seen before."""
        self._again.set()
        self.began_again()

    @property
    def reached(self) -> int | None:
        """The version up to which everything of all namespaces is written; None while it is not known."""
        if self._again.is_set():
            return None
        names = [namespace or "" for namespace in self._namespaces]
        if any(name not in self.positions for name in names):
            return None
        return min(self.positions[name].version for name in names)

    async def run(self) -> None:
        """Watches and writes. Never returns."""
        async with tasks([self.write_all()]) as (writing,):
            while True:
                async with tasks([self.watch.run()]) as (watching,):
                    again = asyncio.ensure_future(self._again.wait())
                    await asyncio.wait([writing, watching, again], return_when=asyncio.FIRST_COMPLETED)
                    again.cancel()
                    for task in (writing, watching):
                        if task.done():
                            task.result()
                while len(self.backlog):  # What is left of before is written as that.
                    await asyncio.sleep(DRAIN)
                self.epoch += 1
                self.positions = {}
                log.warning("etcd was restored to an older version: all runs are read again")
                self.watch = _Watch(self._client, self._namespaces, self.backlog, self._clock)
                self._again.clear()

    async def write_all(self) -> None:
        """Writes what was seen, as it comes. Never returns."""
        while True:
            await self.backlog.wake.wait()
            await asyncio.sleep(GATHER)  # Each batch is synced to the disk.
            if not self.backlog.runs.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(QUIET):
                        await self.backlog.runs.wait()
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
        for item in found:
            if isinstance(item, Mark):
                position = Position(self._origins.cluster, self.epoch, item.version, round(self._clock() * 1_000))
                batch.positions[item.namespace] = position
        records, batch.unreadable = await self.in_writer(_records, [item for item in found if isinstance(item, Seen)])
        for record in records:
            home = await self._origins.uid(record.namespace, record.created)
            batch.runs.append((Place(self._origins.cluster, home, self.epoch), record))
        batch.revisions = await self._origins.revisions(self._database, batch.runs)
        return batch

    async def in_writer(self, function: Callable[..., T], *arguments: Any) -> T:
        """Calls a function in the one thread that writes."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    async def finish(self, closing: bool = False) -> None:
        """Reads all runs once more and writes what is left; `closing`: those that have not ended too, as their cluster ends."""
        for namespace in self._namespaces:
            async for raw in items(self._client, RUNS, namespace, PAGE):
                if self.backlog.full:
                    await self.write_next()
                ended = has_ended(raw)
                if ended or closing:
                    self.backlog.add(Seen(raw, not ended, round(self._clock() * 1_000)))
        while len(self.backlog):
            await self.write_next()

    def close(self) -> None:
        """Ends the thread that writes, after its last batch."""
        self._thread.shutdown()


def _records(found: Sequence[Seen]) -> tuple[list[RunRecord], list[Unread]]:
    records, unreadable = [], []
    for item in found:
        try:
            records.append(record_of(item.raw, item.at if item.deleted else None))
        except Unreadable as error:
            unreadable.append(_unread(item, str(error)))
    return records, unreadable


def _unread(item: Seen, error: str) -> Unread:
    uid, namespace, name, version = identity(item.raw)
    key = f"{uid}/{version}" if uid else hashlib.sha256(item.raw).hexdigest()
    return Unread(key, namespace, name, version, error.replace("\0", ""), item.raw[:RAW], item.at)
