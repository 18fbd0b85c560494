"""One poller for all sensors: a heap of times, and a limited number of parallel polls. A waiting sensor has no asyncio task."""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from heapq import heappop, heappush

from tradewind import metrics
from tradewind.plan.capacity.seats import Seats

log = logging.getLogger(__name__)
MAX_PARALLEL_POLLS = 32
"""Parallel polls; http tasks have their own limit."""
SHARE = 16
"""Parallel polls of one namespace."""
PER_HOST = 16
"""Parallel polls of one host, half of them of one namespace."""
POLL_GRACE_SECONDS = 5.0
"""Seconds that a poll waits for its turn before this is reported."""
GRACE = 1.0
"""Seconds after a poll's limit within which its last poll must get its turn."""
RETRY_INTERVAL_LIMIT = 60.0
"""Seconds after which a poll that raised is repeated."""


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Poll:
    """A repeated poll. `kind` labels its metrics; `host` and `namespace` are what limits count by."""

    kind: str
    host: str
    ask: Callable[[], Awaitable[float | None]]
    """Polls once. Returns the seconds until the next poll; None if the poll is over or its owner puts it back. It must not raise."""
    namespace: str = ""
    limit: float | None = None
    """Seconds from now after which it no longer waits for a turn: `late` is called and the poll is over."""
    busy: Callable[[], None] = _nothing
    """Called when it has waited for its turn for a while."""
    late: Callable[[], None] = _nothing


@dataclass(eq=False, slots=True)
class _Entry:
    key: Hashable
    poll: Poll
    limit: float | None
    """On the loop's clock."""
    gone: bool = False
    queued: bool = False
    doing: "asyncio.Task[None] | None" = None


@dataclass(order=True, slots=True)
class _Timer:
    at: float
    order: int
    entry: _Entry = field(compare=False)
    waiting: bool = field(compare=False)
    """Whether the timer is for an entry that waits for its turn, instead of one that is due."""


class Poller:
    """Polls by key. `run` must be running."""

    def __init__(self, at_once: int = MAX_PARALLEL_POLLS, share: int = SHARE, per_host: int = PER_HOST) -> None:
        self._seats = Seats[_Entry](at_once, share, per_host, max(1, per_host // 2))
        self._entries: dict[Hashable, _Entry] = {}
        self._heap: list[_Timer] = []
        self._order = itertools.count()
        self._changed = asyncio.Event()

    def put(self, key: Hashable, poll: Poll, delay: float) -> None:
        """Polls in `delay` seconds, replacing an earlier poll with this key."""
        self.drop(key)
        limit = None if poll.limit is None else asyncio.get_running_loop().time() + poll.limit
        entry = self._entries[key] = _Entry(key, poll, limit)
        metrics.sensors_waiting.labels(poll.kind).inc()
        self._later(entry, delay)

    def drop(self, key: Hashable) -> None:
        """Stops polling."""
        if (entry := self._entries.pop(key, None)) is None:
            return
        metrics.sensors_waiting.labels(entry.poll.kind).dec()
        entry.gone = True
        if entry.doing:
            entry.doing.cancel()

    def close(self) -> None:
        """Drops everything."""
        for key in list(self._entries):
            self.drop(key)

    async def run(self) -> None:
        """Starts polls that are due. Never returns."""
        clock = asyncio.get_running_loop().time
        try:
            while True:
                self._changed.clear()
                now = clock()
                due = []
                while self._heap and self._heap[0].at <= now:
                    timer = heappop(self._heap)
                    if timer.waiting:
                        self._check_wait(timer.entry, now)
                    elif not timer.entry.gone:
                        due.append(timer.entry)
                        self._queue(timer.entry)
                self._begin()
                for entry in due:
                    if entry.queued:
                        self._push(
                            now + POLL_GRACE_SECONDS
                            if entry.limit is None
                            else min(now + POLL_GRACE_SECONDS, entry.limit + GRACE),
                            entry,
                        )
                try:
                    async with asyncio.timeout_at(self._heap[0].at if self._heap else None):
                        await self._changed.wait()
                except TimeoutError:
                    pass
        finally:
            self.close()

    def _later(self, entry: _Entry, delay: float) -> None:
        self._push(asyncio.get_running_loop().time() + delay, entry, waiting=False)

    def _push(self, at: float, entry: _Entry, waiting: bool = True) -> None:
        timer = _Timer(at, next(self._order), entry, waiting)
        heappush(self._heap, timer)
        if self._heap[0] is timer:
            self._changed.set()

    def _queue(self, entry: _Entry) -> None:
        entry.queued = True
        self._seats.wait(entry.poll.namespace, entry.poll.host, entry)

    def _check_wait(self, entry: _Entry, now: float) -> None:
        """Checks an entry that has waited for its turn for a while, perhaps for too long."""
        if entry.gone or not entry.queued:
            return
        if entry.limit is not None and now >= entry.limit + GRACE:
            self.drop(entry.key)
            self._tell(entry, entry.poll.late)
            return
        if entry.limit is not None:
            self._push(entry.limit + GRACE, entry)
        self._tell(entry, entry.poll.busy)

    def _tell(self, entry: _Entry, whom: Callable[[], None]) -> None:
        try:
            whom()
        except Exception:
            log.exception("a poll of %s that waits", entry.poll.kind)

    def _begin(self) -> None:
        """Starts due polls up to the limits."""
        while called := self._seats.call():
            namespace, host, entry = called
            entry.queued = False
            if entry.gone:
                self._seats.leave(namespace, host)
            else:
                entry.doing = asyncio.create_task(self._ask(entry))

    async def _ask(self, entry: _Entry) -> None:
        again = None
        try:
            again = await entry.poll.ask()
        except Exception:
            log.exception("a poll of %s", entry.poll.kind)
            again = RETRY_INTERVAL_LIMIT
        finally:
            entry.doing = None
            self._seats.leave(entry.poll.namespace, entry.poll.host)
            if entry.gone:
                pass
            elif again is None:
                self.drop(entry.key)
            else:
                self._later(entry, again)
            self._changed.set()
