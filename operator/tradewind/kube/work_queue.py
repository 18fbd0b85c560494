"""A work queue: a key is queued once, and never handled twice at the same time."""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from tradewind import metrics
from tradewind.kube.fair_queue import Turns
from tradewind.kube.log_fields import FIELDS, of_key

Key = TypeVar("Key")


def first_of(key: object) -> str:
    """The namespace of a key that begins with it; empty for other keys."""
    return str(key[0]) if isinstance(key, tuple) else ""


class WorkQueue(Generic[Key]):
    """Keys to reconcile. A key added while it waits stays queued once; a key added while it is handled is queued again afterwards.
    Namespaces take turns, so that one with a thousand keys delays no other. One namespace has all workers but one at most, so that slow
    keys don't delay others either; `namespace` returns that of a key."""

    def __init__(
        self,
        name: str,
        namespace: Callable[[Key], str] = first_of,
        first_delay: float = 0.05,
        longest_delay: float = 60.0,
    ) -> None:
        self.name, self.namespace = name, namespace
        self._ready: Turns[Key] = Turns()
        self._there = asyncio.Semaphore(0)
        """Counts the keys in `_ready`."""
        self._size = 0
        self._workers = 0
        self._held: Counter[str] = Counter()
        """Workers by namespace."""
        self._parked: dict[str, deque[Key]] = {}
        """Keys whose turn came while their namespace had its maximum of workers."""
        self._dirty: dict[Key, float] = {}
        self._busy: set[Key] = set()
        self._errors: dict[Key, int] = {}
        self._timers: dict[Key, tuple[float, asyncio.TimerHandle]] = {}
        self._first_delay, self._longest_delay = first_delay, longest_delay
        self._depth = metrics.queue_depth.labels(name)
        self._adds = metrics.queue_adds.labels(name)
        self._retries = metrics.queue_retries.labels(name)
        self._wait = metrics.queue_wait.labels(name)
        self._work = metrics.queue_work.labels(name)

    def add(self, key: Key) -> None:
        """Queues a key."""
        if key in self._dirty:
            return
        self._adds.inc()
        self._dirty[key] = time.perf_counter()
        if key not in self._busy:
            self._put(key)

    def add_at(self, key: Key, at: float) -> None:
        """Queues a key at a time of the loop's clock (monotonic seconds), unless it is due earlier already."""
        loop = asyncio.get_running_loop()
        if key in self._timers:
            due, timer = self._timers[key]
            if due <= at:
                return
            timer.cancel()
        self._timers[key] = (at, loop.call_at(at, self._due, key))

    def add_after(self, key: Key, delay: float) -> None:
        """Queues a key `delay` seconds from now."""
        self.add_at(key, asyncio.get_running_loop().time() + delay)

    def forget(self, key: Key) -> None:
        """Drops the errors and timers of a key that will not come back."""
        self._errors.pop(key, None)
        if key in self._timers:
            self._timers.pop(key)[1].cancel()

    async def work(
        self, handle: Callable[[Key], Awaitable[None]], failed: Callable[[Key, Exception], float | None]
    ) -> None:
        """Handles keys. Never returns. After an exception, the key is queued again with exponential back-off, or after the seconds returned
        by `failed` if that is longer."""
        self._workers += 1
        while True:
            await asyncio.sleep(0)  # Passes that never wait must not block the watches.
            await self._there.acquire()
            key = self._ready.pop()
            namespace = self.namespace(key)
            if self._workers > 1 and namespace and self._held[namespace] >= self._workers - 1:
                self._parked.setdefault(namespace, deque()).append(key)
                continue
            self._held[namespace] += 1
            self._size -= 1
            self._depth.set(self._size)
            began = time.perf_counter()
            self._wait.observe(began - self._dirty.pop(key, began))
            self._busy.add(key)
            FIELDS.set(of_key(self.name, key))
            try:
                await handle(key)
                self._errors.pop(key, None)
            except Exception as error:
                self._retries.inc()
                count = self._errors[key] = self._errors.get(key, 0) + 1
                delay = min(self._first_delay * 2 ** min(count - 1, 16), self._longest_delay)
                asked = failed(key, error)
                # Jitter keeps keys that failed together from coming back together.
                self.add_after(key, max(asked or 0.0, delay * random.uniform(0.75, 1.25)))  # noqa: S311
            finally:
                self._busy.discard(key)
                self._leave(namespace)
                self._work.observe(time.perf_counter() - began)
                if key in self._dirty:
                    self._put(key)

    def _leave(self, namespace: str) -> None:
        """Frees a worker of a namespace."""
        self._held[namespace] -= 1
        if not self._held[namespace]:
            del self._held[namespace]
        if parked := self._parked.get(namespace):
            self._ready.push(namespace, parked.popleft())
            self._there.release()
            if not parked:
                del self._parked[namespace]

    def _put(self, key: Key) -> None:
        self._ready.push(self.namespace(key), key)
        self._size += 1
        self._depth.set(self._size)
        self._there.release()

    def _due(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)
