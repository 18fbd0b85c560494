"""Determines which pods hold slots of pools: those controlled by an existing run. Anyone who may create pods can set the labels."""

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
    """Reports pods to the book. `namespace_of(uid)` is the namespace of a run, empty if the run is unknown; then the API server is asked.
    Until it answers, the pod holds its slots, so that none is assigned twice."""

    def __init__(
        self, client: Client, book: PoolBook, namespace_of: Callable[[str], str], owned: Owned = WHOLE
    ) -> None:
        self._client, self._book, self._namespace_of, self._owned = client, book, namespace_of, owned
        self.queue: WorkQueue[Run] = WorkQueue("holder")

    def seen(self, pod: Pod) -> None:
        """A pod was created, changed or deleted."""
        owner = next((owner for owner in pod.metadata.owner_references if owner.controller), None)
        if owner is None:
            return  # It belongs to no run: runs create pods with an owner.
        namespace = self._namespace_of(owner.uid)
        if namespace not in ("", pod.metadata.namespace):
            return  # It is in another namespace than its run.
        holds = self._book.pod_seen(pod)
        if holds and not namespace and self._owned.owns(pod.metadata.namespace):
            self.queue.add((pod.metadata.namespace, owner.name, owner.uid))

    async def check(self, run: Run) -> None:
        """Looks up a run whose pods hold slots. Raises errors of the API except NotFound."""
        namespace, name, uid = run
        if self._namespace_of(uid) == namespace:
            return
        try:
            if (await self._client.get(RUNS, namespace, name))["metadata"]["uid"] == uid:
                return
        except NotFound:
            pass
        self._book.release_orphans(namespace, uid)

    def failed(self, run: Run, error: Exception) -> float | None:
        """Handles a failed check."""
        log.warning("asking for run %s/%s, whose pods hold slots: %s", *run[:2], error)
        return None
