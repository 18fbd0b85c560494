"""Which pods hold slots of pools: those that a run controls, if there is such a run. Whoever may create pods can give one the labels."""

import logging
from collections.abc import Callable

from tradewind.control.pools.book import PoolBook
from tradewind.kube.client import Client
from tradewind.kube.errors import NotFound
from tradewind.kube.pod import Pod
from tradewind.kube.resources import RUNS
from tradewind.kube.work_queue import WorkQueue
from tradewind.plan.capacity.shard_share import WHOLE, Owned

log = logging.getLogger(__name__)
Run = tuple[str, str, str]
"""Namespace, name and uid."""


class Holders:
    """Tells the book of pods. `namespace_of(uid)` is the namespace of a run, empty where the run is not known: then the API server is
    asked. Until it answers a pod holds its slots: too few must not be given out twice."""

    def __init__(
        self, client: Client, book: PoolBook, namespace_of: Callable[[str], str], owned: Owned = WHOLE
    ) -> None:
        self._client, self._book, self._namespace_of, self._owned = client, book, namespace_of, owned
        self.queue: WorkQueue[Run] = WorkQueue("holder")

    def seen(self, pod: Pod) -> None:
        """A pod was created, changed or deleted."""
        owner = next((owner for owner in pod.metadata.owner_references if owner.controller), None)
        if owner is None:
            return  # It is none of any run: those are made with their owner.
        namespace = self._namespace_of(owner.uid)
        if namespace not in ("", pod.metadata.namespace):
            return  # Nor is a pod of another namespace.
        holds = self._book.pod_seen(pod)
        if holds and not namespace and self._owned.owns(pod.metadata.namespace):
            self.queue.add((pod.metadata.namespace, owner.name, owner.uid))

    async def check(self, run: Run) -> None:
        """Asks for a run whose pods hold slots. Raises what the API raises, but NotFound."""
        namespace, name, uid = run
        if self._namespace_of(uid) == namespace:
            return
        try:
            if (await self._client.get(RUNS, namespace, name))["metadata"]["uid"] == uid:
                return
        except NotFound:
            pass
        self._book.nobodys(namespace, uid)

    def failed(self, run: Run, error: Exception) -> float | None:
        """A check raised."""
        log.warning("asking for run %s/%s, whose pods hold slots: %s", *run[:2], error)
        return None
