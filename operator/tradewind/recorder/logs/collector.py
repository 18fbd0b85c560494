"""Reads the log of every attempt when it has ended, through the API server, and stores it before the pod is removed."""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from tradewind.control.pods.labels import attempt_of
from tradewind.control.shared.task_groups import tasks
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError, Invalid, NotFound
from tradewind.kube.labels import RUN, RUN_UID
from tradewind.kube.lists import ListMetadata
from tradewind.kube.nested import decoded
from tradewind.kube.pages import items, parse_page
from tradewind.kube.pod import Pod, parse_pod
from tradewind.kube.reflector import Reflector
from tradewind.kube.resources import PODS
from tradewind.recorder.collector import PacedClient
from tradewind.recorder.logs.pieces import Cutter, Piece
from tradewind.recorder.logs.shelf import Attempt, Kept, Reason, Shelf, stored_pods
from tradewind.recorder.origin import Origins
from tradewind.recorder.record import NAME, in_millis, text
from tradewind.recorder.store.database import Database, StoreError

log = logging.getLogger(__name__)
AT_ONCE, SHARE = 32, 8
"""Logs of ended containers that are read at the same time; of one namespace."""
FOLLOWED_AT_ONCE, FOLLOWED_SHARE = 64, 4
"""Logs of pods being stopped that are followed at the same time; of one namespace. Others are read once their pods have ended."""
MOST = 2_000
"""Logs that wait. While there are more, no further pod is taken."""
LONGEST = 64 * 2**20
"""Bytes of a log that are kept, the first ones."""
TRIES = 5
"""How often a log is asked for while its node does not answer."""
PAUSE = 5.0
"""Seconds between two of these, and between tries to write to a store that is away."""
PATIENCE, FOLLOWED = 60.0, 600.0
"""Seconds without a byte of an ended container's log after which its node counts as one that does not answer; seconds for which the log of
a pod that is being stopped is followed."""
_pod = partial(decoded, parse_pod)


class _PodWatch(Reflector):
    """Follows pods of runs."""

    resource = PODS
    listing: Mapping[str, str] = {"limit": "100", "labelSelector": RUN_UID}
    watching: Mapping[str, str] = {"labelSelector": RUN_UID}
    lists_again = False

    def __init__(
        self,
        client: Client,
        namespaces: Sequence[str | None],
        seen: Callable[[Pod, bool], None],
        passed: Callable[[str | None, int], None],
    ) -> None:
        super().__init__(client, namespaces)
        self._seen, self._passed = seen, passed

    def begin_list(self, namespace: str | None) -> None:
        """Does nothing."""

    def take_page(self, namespace: str | None, raw: bytes) -> ListMetadata:
        """Takes a page of pods."""
        page = parse_page(raw)
        for item in page.items:
            with self._alone(item):
                self.take_event("ADDED", item)
        return page.metadata

    def end_list(self, namespace: str | None, version: int) -> None:
        """All pods of this version were seen."""
        self._passed(namespace, version)

    def take_event(self, kind: str, raw: bytes) -> None:
        """Takes a pod."""
        self._seen(_pod(bytes(raw)), kind == "DELETED")

    def take(self, namespace: str | None, line: bytes) -> None:
        """As in Reflector; then everything before is seen."""
        super().take(namespace, line)
        self._passed(namespace, int(self._reached[namespace]))


@dataclass(slots=True)
class _Work:
    """A log to store."""

    version: int
    """Of the pod, when it was first seen to have ended."""
    pod: Pod
    gone: bool = False
    follow: bool = False
    task: asyncio.Task[None] | None = None


class LogCollector:
    """Watches pods, and stores the logs of those that have ended or are being stopped."""

    def __init__(
        self,
        client: Client,
        database: Database,
        shelf: Shelf,
        origins: Origins,
        in_writer: Callable[..., Awaitable[Any]],
        namespaces: Sequence[str | None] = (None,),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """With a `PacedClient` the number of logs that wait is bounded. `in_writer` calls a function in the thread that writes."""
        self._client, self._database, self._shelf, self._origins = client, database, shelf, origins
        self._in_writer, self._namespaces, self._clock = in_writer, namespaces, clock
        self.watch = _PodWatch(client, namespaces, self._seen, self._passed)
        self._work: dict[str, _Work] = {}
        """By uid of the pod."""
        self._done: dict[str, int] = {}
        """Pods with a log on record that still exist, with the version of their end."""
        self._reached: dict[str, int] = {}
        self._again = asyncio.Event()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._shares: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        """By namespace."""
        self._followed: Counter[str] = Counter()
        """By namespace: how many logs are followed."""
        self._room = asyncio.Event()
        self._room.set()
        if isinstance(client, PacedClient):
            client.room = self._wait_for_room
        self.stored = 0
        self.incomplete = 0

    async def run(self) -> None:
        """Watches and stores. Never returns."""
        while True:
            async with tasks([self.watch.run()]) as (watching,):
                again = asyncio.ensure_future(self._again.wait())
                await asyncio.wait([watching, again], return_when=asyncio.FIRST_COMPLETED)
                again.cancel()
                if watching.done():
                    watching.result()
            self._again.clear()
            self._reached.clear()
            self.watch = _PodWatch(self._client, self._namespaces, self._seen, self._passed)

    def begin_again(self) -> None:
        """Lists all pods again: the API server's versions have begun again below those seen before."""
        self._reached.clear()
        self._again.set()

    def close(self) -> None:
        """Stops reading. What is not stored yet is read again by the next collector."""
        for work in self._work.values():
            if work.task:
                work.task.cancel()

    @property
    def reached(self) -> int:
        """The version up to which the logs of all pods that had ended are on record; 0 while that is not known."""
        if self._again.is_set() or len(self._reached) < len(self._namespaces):
            return 0
        seen = min(self._reached.values())
        return max(0, min((work.version - 1 for work in self._work.values()), default=seen))

    @property
    def waiting(self) -> int:
        """Logs that are not stored yet."""
        return len(self._work)

    async def _wait_for_room(self) -> None:
        await self._room.wait()

    def _passed(self, namespace: str | None, version: int) -> None:
        self._reached[namespace or ""] = version

    def _seen(self, pod: Pod, deleted: bool) -> None:
        uid = pod.metadata.uid
        if deleted:
            self._done.pop(uid, None)
            if work := self._work.get(uid):
                work.gone = True
                return
        if uid in self._work or uid in self._done:
            return
        main = pod.main()
        began = main is not None and main.waiting is None
        ending = deleted or pod.over or (main is not None and main.terminated is not None)
        if not began or not (ending or pod.metadata.deletion_timestamp is not None):
            return
        namespace = pod.metadata.namespace
        if not ending:
            if self._followed.total() >= FOLLOWED_AT_ONCE or self._followed[namespace] >= FOLLOWED_SHARE:
                return  # It is taken when it has ended.
            self._followed[namespace] += 1
        work = self._work[uid] = _Work(pod.version, pod, deleted, follow=not ending)
        if len(self._work) >= MOST:
            self._room.clear()
        work.task = asyncio.create_task(self._store(uid, work))

    @contextlib.asynccontextmanager
    async def _turn(self, work: _Work) -> AsyncIterator[None]:
        """A place to read a log in. Those of a namespace share some of them, so that no namespace has all."""
        if work.follow:
            yield
            return
        namespace = work.pod.metadata.namespace
        share = self._shares.setdefault(namespace, asyncio.Semaphore(SHARE))
        async with share, self._places:
            yield

    async def _store(self, uid: str, work: _Work) -> None:
        """Stores a log, whatever it takes: it stays in memory that it is missing."""
        try:
            async with self._turn(work):
                while True:
                    try:
                        if uid not in await asyncio.to_thread(stored_pods, self._database, [uid]):
                            await self._read(work, work.follow)
                        break
                    except (StoreError, ApiError) as error:
                        log.warning("the log of pod %s can't be stored yet: %s", work.pod.metadata.name, error)
                        await asyncio.sleep(PAUSE)
            if not work.gone:
                self._done[uid] = work.version
        except Exception:
            log.exception("the log of pod %s/%s is not stored", work.pod.metadata.namespace, work.pod.metadata.name)
            self.incomplete += 1
        finally:
            self._work.pop(uid, None)
            if work.follow:
                namespace = work.pod.metadata.namespace
                self._followed[namespace] -= 1
                if not self._followed[namespace]:
                    del self._followed[namespace]
            if len(self._work) < MOST:
                self._room.set()

    async def _read(self, work: _Work, follow: bool) -> None:
        """Reads a log from its beginning and stores it. Raises StoreError if it can't be written: what was written of it is then of no
        use, and it is read again."""
        meta, kept, reason = work.pod.metadata, Kept(), ""
        for number in range(TRIES):
            kept, cutter = Kept(), Cutter()
            try:
                async for data in self._bytes(meta.namespace, meta.name, follow):
                    room = LONGEST - kept.bytes - len(cutter)
                    for piece in cutter.feed(data[:room]):
                        await self._add(kept, piece)
                    if len(data) > room:
                        reason = Reason.LARGE
                        break
            except NotFound:
                reason = Reason.DELETED
            except Invalid:
                reason = "" if work.pod.over and work.pod.main() is None else Reason.UNREADABLE
            except (ApiError, TimeoutError) as error:
                reason = Reason.DELETED if work.gone else Reason.LOST
                if number < TRIES - 1 and not work.gone:
                    log.info("the log of pod %s/%s: %s", meta.namespace, meta.name, error)
                    await asyncio.sleep(PAUSE)
                    reason = ""
                    continue
            if follow and work.gone and not reason:
                reason = "" if _said_its_end(work.pod) else Reason.DELETED
            for piece in cutter.end():
                await self._add(kept, piece)
            kept.lines = cutter.lines
            break
        await self._in_writer(self._shelf.commit, await self._attempt(work), kept, reason, round(self._clock() * 1_000))
        self.stored += 1
        self.incomplete += bool(reason)

    async def _add(self, kept: Kept, piece: Piece) -> None:
        await self._in_writer(self._shelf.add, kept, piece)

    async def _bytes(self, namespace: str, pod: str, follow: bool) -> AsyncIterator[bytes]:
        if not follow:
            async for data in self._client.log_bytes(namespace, pod, PATIENCE):
                yield data
            return
        async with asyncio.timeout(FOLLOWED):
            async for data in self._client.log_bytes(namespace, pod, FOLLOWED, follow="true"):
                yield data

    async def _attempt(self, work: _Work) -> Attempt:
        meta = work.pod.metadata
        task, number = attempt_of(meta.labels)
        created = in_millis(meta.creation_timestamp) or 0
        main = work.pod.main()
        started = (main.terminated or main.running).started_at if main and (main.terminated or main.running) else None  # type: ignore[union-attr]
        ended = main.terminated.finished_at if main and main.terminated else None
        return Attempt(
            meta.uid,
            text(meta.run_uid, NAME),
            meta.namespace,
            await self._origins.uid(meta.namespace, created),
            text(meta.labels.get(RUN, ""), NAME),
            text(task, NAME),
            number,
            meta.name,
            in_millis(started) or created,
            in_millis(ended),
        )

    async def finish(self) -> None:
        """Stores the logs of all pods that have ended by now."""
        for namespace in self._namespaces:
            async for raw in items(self._client, PODS, namespace, 100, labelSelector=RUN_UID):
                self._seen(_pod(raw), deleted=False)
        while reading := [work.task for work in self._work.values() if work.task]:
            await asyncio.wait(reading)


def _said_its_end(pod: Pod) -> bool:
    main = pod.main()
    return main is not None and main.terminated is not None
