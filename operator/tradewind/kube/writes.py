"""Back-pressure: how many writes are in flight at once, and which one is next.

The limit follows the API server as TCP follows a network: a little more after every window without complaint in which it was
reached, by a third less after one with a 429, a 5xx, no answer, or slow answers. Writes beyond what it can work on at once only wait
inside it, and everybody else's requests with them."""

import asyncio
import contextlib
import contextvars
import time
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from types import TracebackType

from tradewind import metrics
from tradewind.kube.errors import Unavailable
from tradewind.kube.fair_queue import FairQueue, Lane

START, LEAST, MOST = 32.0, 4.0, 256.0
MORE, LESS = 4.0, 0.67
WINDOW = 50
"""Writes after which the limit is looked at, or as many as are in flight if that is more."""
SLOW, TOO_SLOW = 0.1, 1.0
"""Seconds of the slowest twentieth of a window's writes that may count as overload, and that do. Of the slowest hundredth a window has
none but its one outlier: a collection of garbage in the server."""
TIMES = 20.0
"""It does where it is also so many times as long as the quickest write seen of late: a server that is far away is not overloaded."""
FORGET = 1.01
"""How fast the memory of quick windows fades: by so much a window."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Whose write it is. Flows of a namespace take turns, and so do namespaces: a run of thousands does not hold up a small one."""

    namespace: str = ""
    name: Hashable = ""
    lane: Lane = Lane.NORMAL


_NOBODY = Flow()
_flow: contextvars.ContextVar[Flow] = contextvars.ContextVar("flow", default=_NOBODY)


@contextlib.contextmanager
def flow(namespace: str, name: Hashable, lane: Lane = Lane.NORMAL) -> Iterator[None]:
    """Writes inside are this flow's."""
    token = _flow.set(Flow(namespace, name, lane))
    try:
        yield
    finally:
        _flow.reset(token)


class Limit:
    """The AIMD rule, without a clock of its own. Latencies are in seconds."""

    def __init__(self, start: float = START) -> None:
        self.value = start
        self._latencies: list[float] = []
        self._quick = float("inf")
        self._refused = self._full = False

    def record(self, latency: float, refused: bool, waiting: bool) -> None:
        """A write has ended; `waiting`: others wait for a place."""
        self._latencies.append(latency)
        self._refused = self._refused or refused
        self._full = self._full or waiting
        if len(self._latencies) >= max(WINDOW, self.value) or (refused and len(self._latencies) >= LEAST):
            self._look()

    def _look(self) -> None:
        ordered = sorted(self._latencies)
        slowest = ordered[int(len(ordered) * 0.95)]
        self._quick = min(self._quick * FORGET, ordered[0])
        if self._refused or slowest > min(TOO_SLOW, max(SLOW, TIMES * self._quick)):
            self.value = max(LEAST, self.value * LESS)
        elif self._full:
            self.value = min(MOST, self.value + MORE)
        self._latencies.clear()
        self._refused = self._full = False


class Writes:
    """Places for writes. Leases do not ask for one: a leader must not lose its lease because it is busy."""

    def __init__(self, start: float = START) -> None:
        self.limit = Limit(start)
        self._queue: FairQueue[asyncio.Future[None]] = FairQueue()
        self._in_flight = 0
        metrics.write_limit.set(start)

    def place(self) -> "Place":
        """Waits for a place, and learns from what becomes of the write inside."""
        return Place(self)

    def leave(self, took: float, refused: bool) -> None:
        """A write has ended, after so many seconds."""
        self._in_flight -= 1
        before = self.limit.value
        self.limit.record(took, refused, len(self._queue) > 0)
        if self.limit.value != before:
            metrics.write_limit.set(self.limit.value)
        if self._queue:
            self._admit()

    async def enter(self) -> None:
        """Returns when there is a place."""
        if self._in_flight < self.limit.value and not self._queue:
            self._in_flight += 1
            return
        mine = _flow.get()
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.push(mine.lane, mine.namespace, mine.name, place)
        metrics.writes_waiting.set(len(self._queue))
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._in_flight -= 1  # It had been let in, and does not come.
                self._admit()
            raise

    def _admit(self) -> None:
        while self._queue and self._in_flight < self.limit.value:
            place = self._queue.pop()
            if not place.done():
                self._in_flight += 1
                place.set_result(None)
        metrics.writes_waiting.set(len(self._queue))


class Place:
    """Held while a write is under way. No generator: there is one for every write."""

    __slots__ = ("_began", "_writes")

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def __aenter__(self) -> None:
        await self._writes.enter()
        self._began = time.perf_counter()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writes.leave(time.perf_counter() - self._began, isinstance(error, Unavailable))
