"""Determines what holds slots of pools: pods controlled by an existing run, and runs of which the task that made them claims the slots.
Anyone who may create or change pods and runs can set the labels."""

import logging
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from tradewind.control.pods.labels import pool_id
from tradewind.control.pools.book import PoolBook
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import NotFound
from tradewind.kube.pod import Pod
from tradewind.kube.resources import RUNS
from tradewind.kube.work_queue import WorkQueue
from tradewind.model.pool import PoolClaim
from tradewind.plan.capacity.pool_allotment import PoolId
from tradewind.plan.capacity.shard_share import WHOLE, Owned
from tradewind.plan.outcomes.attempt import parse_key

log = logging.getLogger(__name__)
Run = tuple[str, str, str]
"""Namespace, name and uid."""
Slots = Mapping[PoolId, int]
Read = Callable[[Object, Collection[str]], Awaitable[Mapping[str, Sequence[PoolClaim]]]]
"""What some tasks of a run claim, given its object. Raises errors of the API."""
CLAIMS_KEPT = 10_000
"""Tasks of callers whose claims are in memory."""


class Holders:
    """Reports pods to the book. `namespace_of(uid)` is the namespace of a run, empty if the run is unknown; then the API server is asked.
    Until it answers, the pod holds its slots, so that none is assigned twice. The same holds for runs whose caller has ended, or is not in
    memory yet: `read` says what its tasks claim."""

    def __init__(
        self,
        client: Client,
        book: PoolBook,
        namespace_of: Callable[[str], str],
        read: Read,
        owned: Owned = WHOLE,
    ) -> None:
        self._client, self._book, self._namespace_of, self._owned = client, book, namespace_of, owned
        self._read = read
        self.queue: WorkQueue[Run] = WorkQueue("holder")
        self._claims: OrderedDict[tuple[Run, str], Slots] = OrderedDict()
        """What tasks of callers that are not in memory claim."""
        self._asked: defaultdict[Run, set[str]] = defaultdict(set)
        """Callers to be read, and the tasks that matter."""

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

    def claimed(self, caller: Run, task: str, labelled: Slots) -> Slots:
        """The slots of a run that a task of a caller has made, if the caller's tasks are not in memory: those of its labels until
        the caller was read."""
        claims = self._claims.get((caller, task))
        if claims is None:
            self._asked[caller].add(task)
            self.queue.add(caller)
            return labelled
        return claims

    async def check(self, run: Run) -> None:
        """Looks up a run whose pods, or runs that it has made, hold slots. Raises errors of the API except NotFound."""
        namespace, name, uid = run
        asked = self._asked.get(run, ())
        if not asked and self._namespace_of(uid) == namespace:
            return
        try:
            found = await self._client.get(RUNS, namespace, name)
            exists = found["metadata"]["uid"] == uid
        except NotFound:
            exists = False
        if not exists:
            self._book.release_orphans(namespace, uid)
        if asked:
            read = await self._read(found, asked) if exists else {}
            claims = {
                task: {pool_id(item, namespace): item.slots for item in read.get(task, ())} for task in sorted(asked)
            }
            del self._asked[run]
            self._claims |= {(run, task): slots for task, slots in claims.items()}
            while len(self._claims) > CLAIMS_KEPT:
                self._claims.popitem(last=False)
            self._book.correct(namespace, uid, lambda key: claims.get(parse_key(key)[0]))

    def failed(self, run: Run, error: Exception) -> float | None:
        """Handles a failed check."""
        log.warning("asking for run %s/%s, whose parts hold slots: %s", *run[:2], error)
        return None
