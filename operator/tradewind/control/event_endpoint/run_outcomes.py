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
"""Runs that are waited for at the same time. Whoever comes then does not wait."""
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
        self._waiting = 0
        self.closing = asyncio.Event()
        """Set it, and nobody waits any longer."""

    async def of(self, namespace: str, name: str, wait: float) -> RunOutcome | None:
        """How a run ended; None when it did not within `wait` seconds, or too many wait."""
        if self._waiting >= WAITERS_LIMIT:
            return None
        self._waiting += 1
        try:
            return await self._ended(namespace, name, time.monotonic() + wait)
        finally:
            self._waiting -= 1

    async def _ended(self, namespace: str, name: str, until: float) -> RunOutcome | None:
        pause = FIRST
        while (left := until - time.monotonic()) > 0 and not self.closing.is_set():
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
