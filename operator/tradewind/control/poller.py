"""One poller for all sensors: a heap of times, and as many polls at once as are good for those that are asked. What waits has no
asyncio task of its own."""

import asyncio
import itertools
import logging
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from heapq import heappop, heappush

from tradewind import metrics

log = logging.getLogger(__name__)
AT_ONCE = 32
"""Polls under way at the same time: http tasks have room besides."""
PER_HOST = 8
"""Of one host."""


@dataclass(frozen=True, slots=True)
class Poll:
    """What is to be asked again and again. `kind` and `host` say what it counts as."""

    kind: str
    host: str
    ask: Callable[[], Awaitable[float | None]]
    """Seconds until it is to be asked again; None when it is over, or will be put back by whoever put it. It must not raise."""


@dataclass(eq=False, slots=True)
class _Entry:
    key: Hashable
    poll: Poll
    gone: bool = False
    doing: "asyncio.Task[None] | None" = None


class Poller:
    """Polls by key. `run` has to run."""

    def __init__(self, at_once: int = AT_ONCE, per_host: int = PER_HOST) -> None:
        self._at_once, self._per_host = at_once, per_host
        self._entries: dict[Hashable, _Entry] = {}
        self._heap: list[tuple[float, int, _Entry]] = []
        self._order = itertools.count()
        self._due: deque[_Entry] = deque()
        self._parked: defaultdict[str, deque[_Entry]] = defaultdict(deque)
        """What is due and waits for others that ask the same host."""
        self._busy: Counter[str] = Counter()
        self._changed = asyncio.Event()

    def put(self, key: Hashable, poll: Poll, delay: float) -> None:
        """Asks in so many seconds, in the place of what had the key before."""
        self.drop(key)
        self._entries[key] = _Entry(key, poll)
        metrics.sensors_waiting.labels(poll.kind).inc()
        self._later(self._entries[key], delay)

    def drop(self, key: Hashable) -> None:
        """Asks no more."""
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
        """Asks what is due, for ever."""
        clock = asyncio.get_running_loop().time
        try:
            while True:
                self._changed.clear()
                now = clock()
                while self._heap and self._heap[0][0] <= now:
                    self._due.append(heappop(self._heap)[2])
                self._begin()
                try:
                    async with asyncio.timeout_at(self._heap[0][0] if self._heap else None):
                        await self._changed.wait()
                except TimeoutError:
                    pass
        finally:
            self.close()

    def _later(self, entry: _Entry, delay: float) -> None:
        at = asyncio.get_running_loop().time() + delay
        heappush(self._heap, (at, next(self._order), entry))
        if self._heap[0][2] is entry:
            self._changed.set()

    def _begin(self) -> None:
        """As much of what is due as may be."""
        while self._due and self._busy.total() < self._at_once:
            entry = self._due.popleft()
            if entry.gone:
                continue
            host = entry.poll.host
            if self._busy[host] >= self._per_host:
                self._parked[host].append(entry)
                continue
            self._busy[host] += 1
            entry.doing = asyncio.create_task(self._ask(entry))

    async def _ask(self, entry: _Entry) -> None:
        host, again = entry.poll.host, None
        try:
            again = await entry.poll.ask()
        except Exception:
            log.exception("a poll of %s", entry.poll.kind)
            again = 60.0
        finally:
            entry.doing = None
            self._busy[host] -= 1
            if not self._busy[host]:
                del self._busy[host]
            if parked := self._parked.get(host):
                self._due.append(parked.popleft())
                if not parked:
                    del self._parked[host]
            if entry.gone:
                pass
            elif again is None:
                self.drop(entry.key)
            else:
                self._later(entry, again)
            self._changed.set()
