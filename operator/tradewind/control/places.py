"""A number of places, given by turns: however much one key asks for, the others wait for one of its turns at most."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

from tradewind.kube.fairqueue import Turns


class Busy(Exception):
    """So much of one key waits already that no more of it is taken."""


class Places:
    """`count` places. Of a key as much may wait or be under way as comes to the size `most`, or one thing that is larger."""

    def __init__(self, count: int, most: int) -> None:
        self._free, self._most = count, most
        self._waiting: Turns[asyncio.Future[None]] = Turns()
        self._held: Counter[str] = Counter()

    @contextlib.asynccontextmanager
    async def one(self, key: str, size: int = 1) -> AsyncIterator[None]:
        """Inside, one place is taken. Raises Busy."""
        if self._held[key] and self._held[key] + size > self._most:
            raise Busy(f"too much of {key or 'the cluster'} waits already")
        self._held[key] += size
        try:
            await self._enter(key)
            try:
                yield
            finally:
                self._leave()
        finally:
            self._held[key] -= size
            if not self._held[key]:
                del self._held[key]

    async def _enter(self, key: str) -> None:
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.push(key, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()  # It was given the place in the same moment.
            raise

    def _leave(self) -> None:
        while self._waiting:
            turn = self._waiting.pop()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
