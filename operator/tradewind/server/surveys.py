"""What all active tasks wait for: surveyed in the background while a user looks."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tradewind.control.evaluation.host import Host
from tradewind.kube.errors import ApiError
from tradewind.look.waiting.summary import Share, shares, timers
from tradewind.look.waiting.survey import Surveyed, survey
from tradewind.server.caller import Caller
from tradewind.server.hub import Hub
from tradewind.server.pictures import Pictures

log = logging.getLogger(__name__)
FRESH = 2.0
"""Seconds for which a survey counts."""
RATIO = 10.0
"""A survey is repeated after this many times the seconds that it took."""
PATIENCE = 2.0
"""Seconds for which a request waits for the first one."""


@dataclass
class _Kept:
    found: list[tuple[str, Share]] = field(default_factory=list)
    at: float = float("-inf")
    took: float = 0.0
    work: "asyncio.Task[None] | None" = None
    counts: tuple[tuple[str, int], ...] = ()
    again: bool = False
    """Whether a request has come since the survey began to read: what it reads may be too old for that one."""


class Surveys:
    """Surveys by caller and namespace."""

    def __init__(self, host: Host, pictures: Pictures, hub: Hub, namespaces: Sequence[str | None]) -> None:
        self._host, self._pictures, self._hub, self._namespaces = host, pictures, hub, namespaces
        self._kept: dict[tuple[str, str], _Kept] = {}

    async def shares(self, caller: Caller, namespace: str) -> list[tuple[str, Share]]:
        """Waits by cause, or `timer`; the last known ones, while newer ones are computed. A page asks when something has
        changed, and then no more: after a request that comes too early for another survey, one follows once it is due."""
        kept = self._kept.setdefault((caller.user, namespace), _Kept())
        kept.again = True
        if kept.work is None or kept.work.done():
            kept.work = asyncio.create_task(self._surveyed(caller, namespace, kept))
        if kept.at == float("-inf"):
            await asyncio.wait([kept.work], timeout=PATIENCE)
        return kept.found

    async def _surveyed(self, caller: Caller, namespace: str, kept: _Kept) -> None:
        while kept.again:
            due = kept.at + max(FRESH, RATIO * kept.took)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            kept.again = False
            await self._survey(caller, namespace, kept)

    async def _survey(self, caller: Caller, namespace: str, kept: _Kept) -> None:
        began, now = time.monotonic(), time.time()
        found: list[Surveyed] = []
        try:
            for where in [namespace] if namespace else self._namespaces:
                work = survey(caller.client, where, None, self._pictures.revisions(caller), now)
                found += await self._host.run(where or "", work)
        except ApiError as error:
            log.info("a survey of what waits: %s", error)
        kept.found = [(str(share.cause), share) for share in shares(found, now)]
        kept.found += [("timer", share) for share in timers(found, now)]
        kept.at, kept.took = time.monotonic(), time.monotonic() - began
        counts = tuple((cause, share.tasks) for cause, share in kept.found)
        if counts != kept.counts:
            kept.counts = counts
            self._hub.tell("overview")

    async def close(self) -> None:
        """Ends what is being computed."""
        works = [kept.work for kept in self._kept.values() if kept.work]
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)
