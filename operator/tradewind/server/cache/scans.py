"""What one pass over all runs finds. With a hundred thousand of them it takes a tenth of a second, so it is not repeated for
each request."""

import asyncio
import time
from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field

from tradewind.server.access import Scope
from tradewind.server.cache.cache import Cache
from tradewind.server.cache.records import RunRecord
from tradewind.server.hub import Hub

LATEST = 25
"""Runs of a DAG that are kept."""
RUNNING = 50
"""Active runs that are kept."""
DAY = 86_400
SCANNED = 5_000
"""Records between two pauses."""
RATIO = 10.0
"""A pass is repeated after this many times the seconds that it took."""
PARENT = "parent"
"""What made the runs of sub-DAGs, which count as a part of the runs around them."""
KEPT = 100
"""Results in memory."""


@dataclass
class Scan:
    """What a pass finds."""

    latest: defaultdict[tuple[str, str], list[RunRecord]] = field(default_factory=lambda: defaultdict(list))
    """By namespace and DAG, the newest first."""
    active: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    """By namespace and DAG."""
    running: list[RunRecord] = field(default_factory=list)
    counts: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Active runs by phase; as `failed` and `succeeded` those that ended within a day."""


@dataclass
class _Kept:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    found: Scan = field(default_factory=Scan)
    version: int = -1
    at: float = float("-inf")
    took: float = 0.0


class Scans:
    """Passes by scope."""

    def __init__(self, cache: Cache, hub: Hub) -> None:
        self._cache, self._hub = cache, hub
        self._kept: OrderedDict[Scope, _Kept] = OrderedDict()

    async def scan(self, scope: Scope) -> Scan:
        """The result for a scope: of now, or of a moment ago."""
        kept = self._kept.setdefault(scope, _Kept())
        self._kept.move_to_end(scope)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        async with kept.lock:
            now = time.monotonic()
            if kept.version == self._cache.version:
                return kept.found
            if (left := kept.at + RATIO * kept.took - now) > 0:
                asyncio.get_running_loop().call_later(left, self._hub.tell, "overview")
            else:
                version = self._cache.version
                kept.found = await self._pass(scope)
                kept.version, kept.at = version, time.monotonic()
                kept.took = kept.at - now
            return kept.found

    async def _pass(self, scope: Scope) -> Scan:
        found, now = Scan(), time.time()
        for count, record in enumerate(self._cache.runs(scope), 1):
            if count % SCANNED == 0:
                await asyncio.sleep(0)
            key = (record.namespace, record.dag)
            if len(latest := found.latest[key]) < LATEST:
                latest.append(record)
            if record.how == PARENT:
                found.active[key] += not record.final
            elif not record.final:
                found.counts[record.phase] += 1
                found.active[key] += 1
                if len(found.running) < RUNNING:
                    found.running.append(record)
            elif (
                record.finished is not None and record.finished > now - DAY and record.phase in ("Succeeded", "Failed")
            ):
                found.counts[record.phase.lower()] += 1
        return found
