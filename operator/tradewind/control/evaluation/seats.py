"""Waiting for one of a number of seats, in asyncio."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tradewind.model.shown import counted
from tradewind.plan.capacity.seats import Seats

SEAT_WAIT_SECONDS = 2.0
"""Seconds after which a wait is reported. Most turns come sooner."""


class Turns:
    """Assigns seats to waiting callers."""

    def __init__(self, seats: Seats["asyncio.Future[None]"]) -> None:
        self._seats = seats

    @asynccontextmanager
    async def seat(self, namespace: str, say: Callable[[str], None]) -> AsyncIterator[None]:
        """Holds a seat while the context is open. `say` receives what the caller waits for, and later an empty text."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._seats.wait(namespace, "", turn)
        self._call()
        try:
            if not turn.done():
                await self._wait(turn, namespace, say)
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave(namespace)
            turn.cancel()
            raise
        try:
            yield
        finally:
            self._leave(namespace)

    async def _wait(self, turn: "asyncio.Future[None]", namespace: str, say: Callable[[str], None]) -> None:
        await asyncio.wait([turn], timeout=SEAT_WAIT_SECONDS)
        if not turn.done():
            held, seats = self._seats.held[namespace], self._seats
            if held >= seats.share:
                say(f"waits for its turn: namespace {namespace} has {counted(held, 'request')} in progress, the limit")
            else:
                say(f"waits for its turn: the operator has {counted(seats.total, 'request')} in progress, the limit")
            await turn
            say("")

    def _call(self) -> None:
        while called := self._seats.call():
            namespace, host, turn = called
            if turn.done():  # The caller is gone.
                self._seats.leave(namespace, host)
            else:
                turn.set_result(None)

    def _leave(self, namespace: str) -> None:
        self._seats.leave(namespace, "")
        self._call()
