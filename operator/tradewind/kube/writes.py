"""Back-pressure: how many writes are in flight at once, and which one is next.

The limit follows the API server as TCP follows a network: it grows a little after every window without errors in which it was reached, and
shrinks by a third after a window with a 429, a 5xx, no response, or slow responses. Writes beyond the server's capacity would only wait
inside it, together with all other clients' requests.
"""

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
"""Writes after which the limit is adjusted, or the number in flight if that is larger."""
SLOW, TOO_SLOW = 0.1, 1.0
"""Seconds of the slowest twentieth of a window's writes: from the first value they may indicate overload, from the second they do. The
slowest hundredth would only be a single outlier, such as a garbage collection in the server."""
TIMES = 20.0
"""Between these values they indicate overload if they are also this many times slower than the quickest recent write: a distant server is
not overloaded."""
FORGET = 1.01
"""The factor per window by which the memory of quick windows fades."""


@dataclass(frozen=True, slots=True)
class Flow:
    """The origin of a write. Flows of a namespace take turns, as do namespaces, so that a run of thousands of tasks does not delay a small
    one."""

    namespace: str = ""
    name: Hashable = ""
    lane: Lane = Lane.NORMAL


_NOBODY = Flow()
_flow: contextvars.ContextVar[Flow] = contextvars.ContextVar("flow", default=_NOBODY)


@contextlib.contextmanager
def flow(namespace: str, name: Hashable, lane: Lane = Lane.NORMAL) -> Iterator[None]:
    """Assigns writes inside the context to this flow."""
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
        """Records a finished write; `waiting` tells whether others wait for a place."""
        self._latencies.append(latency)
        self._refused = self._refused or refused
        self._full = self._full or waiting
        if len(self._latencies) >= max(WINDOW, self.value) or (refused and len(self._latencies) >= LEAST):
            self._adjust()

    def _adjust(self) -> None:
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
    """Places for writes. Leases need none: a leader must not lose its Lease because it is busy."""

    def __init__(self, start: float = START) -> None:
        self.limit = Limit(start)
        self._queue: FairQueue[asyncio.Future[None]] = FairQueue()
        self._in_flight = 0
        metrics.write_limit.set(start)

    def place(self) -> "Place":
        """A place for one write: waits for it, and records the outcome of the write inside."""
        return Place(self)

    def leave(self, took: float, refused: bool) -> None:
        """Releases a place after a write of `took` seconds."""
        self._in_flight -= 1
        before = self.limit.value
        self.limit.record(took, refused, len(self._queue) > 0)
        if self.limit.value != before:
            metrics.write_limit.set(self.limit.value)
        if self._queue:
            self._admit()

    async def enter(self) -> None:
        """Waits for a place."""
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
                self._in_flight -= 1  # It was admitted and does not come.
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
    """Held while a write is in flight. It is not a generator, as there is one for every write."""

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
