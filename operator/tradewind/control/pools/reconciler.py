"""Keeps the status of pools: who holds slots and who waits."""

import logging
import time
from collections.abc import Callable
from typing import Any

from tradewind.control.pools.book import PoolBook, status
from tradewind.control.shared.conditions import readiness
from tradewind.control.shared.status_writer import StatusWriter
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import ApiError, NotFound
from tradewind.kube.resources import CLUSTER_POOLS, POOLS
from tradewind.kube.work_queue import WorkQueue
from tradewind.plan.capacity.pool_allotment import PoolId

log = logging.getLogger(__name__)
COALESCE = 1.0
"""Seconds between two writes of a pool's status: a busy pool changes all the time."""


class PoolReconciler:
    """Writes the state of the book into the status of pools."""

    def __init__(self, client: Client, book: PoolBook, clock: Callable[[], float] = time.time) -> None:
        self._book, self._clock = book, clock
        self.queue: WorkQueue[PoolId] = WorkQueue("pool", lambda pool: pool[1])
        self._known: dict[PoolId, tuple[int, dict[str, Any]]] = {}
        """Generation and status."""
        self._writer = StatusWriter(client, self.queue, COALESCE)

    def seen(self, body: Object, deleted: bool) -> None:
        """A pool was created, changed or deleted."""
        meta = body["metadata"]
        pool = (body["kind"], meta.get("namespace", ""), meta["name"])
        if deleted:
            self._known.pop(pool, None)
            self._writer.forget(pool)
            self.queue.forget(pool)
        else:
            self._known[pool] = _read(body)
            self.queue.add(pool)

    def changed(self, pool: PoolId) -> None:
        """Holders or waiters of a pool may have changed."""
        if pool in self._known:
            self.queue.add(pool)

    def failed(self, pool: PoolId, error: Exception) -> float | None:
        """Handles a failed reconcile."""
        log.warning("%s %s: %s", pool[0], pool[2], error, exc_info=None if isinstance(error, ApiError) else error)
        return None

    async def reconcile(self, pool: PoolId) -> None:
        """Writes the status if it has changed."""
        if pool not in self._known or self._writer.postpone(pool):
            return
        generation, before = self._known[pool]
        ready = readiness("Active", "Active", "", before, generation, self._clock())
        after = {**status(self._book, pool), "observedGeneration": generation, "conditions": ready}
        resource, namespace = (POOLS, pool[1]) if pool[0] == "Pool" else (CLUSTER_POOLS, None)
        try:
            if written := await self._writer.write(pool, (resource, namespace, pool[2]), before, after):
                self._known[pool] = _read(written.stored)
        except NotFound:
            self._known.pop(pool, None)


def _read(body: Object) -> tuple[int, dict[str, Any]]:
    return int(body["metadata"].get("generation") or 0), body.get("status") or {}
