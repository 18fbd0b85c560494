"""A fixed number of places, assigned in turns. No key ever takes all of them, so however much work one key has, others need not wait for
it."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

from tradewind.plan.capacity.seats import Seats


class Busy(Exception):
    """Too much work of this key is waiting already."""


class Places:
    """`count` places. If there is more than one, a key holds all but one at most. The total size of a key's waiting and active work is at
    most `most`, unless it is a single larger piece."""

    def __init__(self, count: int, most: int) -> None:
        self._seats: Seats[asyncio.Future[None]] = Seats(count, max(1, count - 1))
        self._most = most
        self._sizes: Counter[str] = Counter()
        """By key: the size of waiting and active work."""

    @contextlib.asynccontextmanager
    async def one(self, key: str, size: int = 1) -> AsyncIterator[None]:
        """Holds one place while the context is open. Raises Busy."""
        if self._sizes[key] and self._sizes[key] + size > self._most:
            raise Busy(f"too much of {key or 'the cluster'} waits already")
        self._sizes[key] += size
        try:
            await self._enter(key)
            try:
                yield
            finally:
                self._leave(key)
        finally:
            self._sizes[key] -= size
            if not self._sizes[key]:
                del self._sizes[key]

    async def _enter(self, key: str) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._seats.wait(key, "", turn)
        self._call()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave(key)  # The place was assigned at the same moment.
            raise

    def _leave(self, key: str) -> None:
        self._seats.leave(key, "")
        self._call()

    def _call(self) -> None:
        while called := self._seats.call():
            key, host, turn = called
            if turn.done():  # The caller is gone.
                self._seats.leave(key, host)
            else:
                turn.set_result(None)
