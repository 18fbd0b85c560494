"""Waiting for the end of a run, for senders of events who want to know."""

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
"""Waits at the same time. Whoever comes then takes the place of one of the namespace that has the most, or does not wait."""
FIRST, LAST = 0.1, 2.0
"""Seconds between two looks at a run, at the beginning and in the end."""


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended."""

    phase: str
    message: str
    results: Any
    """What the DAG's spec.outputs give."""


class RunWaiters:
    """Looks at runs until they have ended."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._waiting: dict[str, dict[object, None]] = {}
        """Places by namespace, in the order in which they were taken."""
        self.closing = asyncio.Event()
        """Set it, and nobody waits any longer."""

    async def of(self, namespace: str, name: str, wait: float) -> RunOutcome | None:
        """How a run ended; None when it did not within `wait` seconds, or too many wait."""
        place = object()
        if not self._room(namespace):
            return None
        self._waiting.setdefault(namespace, {})[place] = None
        try:
            return await self._ended(namespace, name, time.monotonic() + wait, place)
        finally:
            self._leave(namespace, place)

    def _room(self, namespace: str) -> bool:
        """Whether one more of a namespace may wait; another namespace that has more places by two at least gives its oldest one up."""
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

    async def _ended(self, namespace: str, name: str, until: float, place: object) -> RunOutcome | None:
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
