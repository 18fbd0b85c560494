"""A number of places, given by turns, of which one key never takes all: however much it asks for, the others wait for none of its work."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

from tradewind.plan.capacity.seats import Seats


class Busy(Exception):
    """So much of one key waits already that no more of it is taken."""


class Places:
    """`count` places, of which one key holds all but one at most, where there is more than one. Of a key as much may wait or be under way
    as comes to the size `most`, or one thing that is larger."""

    def __init__(self, count: int, most: int) -> None:
        self._seats: Seats[asyncio.Future[None]] = Seats(count, max(1, count - 1))
        self._most = most
        self._sizes: Counter[str] = Counter()
        """By key, the size of what waits or is under way."""

    @contextlib.asynccontextmanager
    async def one(self, key: str, size: int = 1) -> AsyncIterator[None]:
        """Inside, one place is taken. Raises Busy."""
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
                self._leave(key)  # It was given the place in the same moment.
            raise

    def _leave(self, key: str) -> None:
        self._seats.leave(key, "")
        self._call()

    def _call(self) -> None:
        while called := self._seats.call():
            key, host, turn = called
            if turn.done():  # Whoever waited has gone.
                self._seats.leave(key, host)
            else:
                turn.set_result(None)
