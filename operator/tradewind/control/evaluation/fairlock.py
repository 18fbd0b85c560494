"""A lock for which namespaces take turns: however many callers of one namespace wait, the next caller of another follows right after the
holder."""

import asyncio

from tradewind.kube.fair_queue import Turns


class FairLock:
    """A fair lock with one holder at a time."""

    def __init__(self) -> None:
        self._waiting: Turns[asyncio.Future[None]] = Turns()
        self._held = False

    @property
    def idle(self) -> bool:
        """Whether nobody holds it."""
        return not self._held

    def queue(self, namespace: str) -> "asyncio.Future[None]":
        """Takes a place in the queue. The future is done when the lock is held; pass it to `wait`."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.push(namespace, place)
        self._grant()
        return place

    async def wait(self, place: "asyncio.Future[None]") -> None:
        """Returns when the lock is held for that place, after everything else that is ready has run."""
        try:
            await asyncio.sleep(0)
            await place
        except asyncio.CancelledError:
            if not place.cancel() and not place.cancelled():
                self.release()
            raise

    def release(self) -> None:
        """Releases the lock. The holder calls it."""
        self._held = False
        self._grant()

    def _grant(self) -> None:
        while not self._held and self._waiting:
            place = self._waiting.pop()
            if not place.done():
                self._held = True
                place.set_result(None)
