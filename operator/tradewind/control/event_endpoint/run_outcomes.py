"""Waits for the end of runs, for senders of events that ask for it."""

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import Any

from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError, NotFound
from tradewind.kube.resources import RUNS
from tradewind.model.run import FINAL_PHASES

WAITERS_LIMIT = 100
"""Parallel waits. Beyond that, a new wait replaces one of the namespace with the most waits, or is refused."""
FIRST, LAST = 0.1, 2.0
"""Seconds between two reads of a run, at first and later."""


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """The outcome of a run."""

    phase: str
    message: str
    results: Any
    """The values of the DAG's spec.outputs."""


class RunWaiters:
    """Reads runs until they have ended."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._waiting: dict[str, dict[object, None]] = {}
        """Waits by namespace, in the order in which they began."""
        self.closing = asyncio.Event()
        """Once set, nobody waits any longer."""

    async def of(self, namespace: str, name: str, wait: float) -> RunOutcome | None:
        """The outcome of a run; None if it does not end within `wait` seconds, or too many wait."""
        place = object()
        if not self._room(namespace):
            return None
        self._waiting.setdefault(namespace, {})[place] = None
        try:
            return await self._wait_for_end(namespace, name, time.monotonic() + wait, place)
        finally:
            self._leave(namespace, place)

    def _room(self, namespace: str) -> bool:
        """Whether another wait of a namespace may begin. A namespace with at least two more waits gives up its oldest one."""
        if sum(map(len, self._waiting.values())) < WAITERS_LIMIT:
            return True
        most = max(self._waiting, key=lambda other: len(self._waiting[other]), default=namespace)
        if len(self._waiting.get(most, ())) < len(self._waiting.get(namespace, ())) + 2:
            return False
        self._leave(most, next(iter(self._waiting[most])))
        return True

    def _leave(self, namespace: str, place: object) -> None:
        places = self._waiting.get(namespace, {})
        places.pop(place, None)
        if not places:
            self._waiting.pop(namespace, None)

    async def _wait_for_end(self, namespace: str, name: str, until: float, place: object) -> RunOutcome | None:
        pause = FIRST
        while (left := until - time.monotonic()) > 0 and not self.closing.is_set():
            if place not in self._waiting.get(namespace, ()):
                return None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(pause, left)):
                    await self.closing.wait()
            pause = min(pause * 1.5, LAST)
            try:
                status = (await self._client.get(RUNS, namespace, name)).get("status") or {}
            except NotFound:
                return None
            except ApiError:
                continue
            if status.get("phase") in FINAL_PHASES:
                return RunOutcome(status["phase"], status.get("message") or "", status.get("results") or {})
        return None
