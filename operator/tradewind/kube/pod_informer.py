"""The pods of all runs, kept current by a list and a watch.

The watch selects pods by a label, and anyone who may edit a pod can remove the label; the watch then reports DELETED for a running pod. So
a pod that has not ended counts as deleted only after it was read by name and was not there with its uid.
"""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError, NotFound
from tradewind.kube.labels import RUN_UID
from tradewind.kube.lists import ListMetadata
from tradewind.kube.pages import parse_page
from tradewind.kube.pod import Metadata, Pod, parse_list, parse_pod
from tradewind.kube.reflector import UNREADABLE, Reflector, parse_head
from tradewind.kube.resources import PODS

log = logging.getLogger(__name__)
NO_PODS: Mapping[str, Pod] = {}
MAX_PARALLEL_READS = 16
"""Pods that are read at the same time."""
CHECK_INTERVAL = 10.0
"""Seconds until a pod is read again that the watch no longer reports, or whose read failed."""


class PodInformer(Reflector):
    """Pods by namespace, run uid and name: a uid on a pod of another namespace means nothing. Calls `changed(pod)` after every change. A
    deleted pod stays as `gone` until `forget`, since its end may not be in the run's status yet. The labels and owners of a pod, which
    identify its attempt, are those with which it was first seen."""

    resource = PODS
    listing: Mapping[str, str] = {"labelSelector": RUN_UID, "limit": "500"}
    watching: Mapping[str, str] = {"labelSelector": RUN_UID}

    def __init__(
        self,
        client: Client,
        namespaces: Sequence[str | None],
        changed: Callable[[Pod], None],
        owns: Callable[[str], bool],
    ) -> None:
        """Pods in namespaces for which `owns` is false are reported and not kept."""
        super().__init__(client, namespaces)
        self._changed, self._owns = changed, owns
        self._runs: dict[tuple[str, str], dict[str, Pod]] = {}
        self._known: dict[str, Pod] = {}
        """The same pods by their own uids."""
        self._seen: defaultdict[str | None, set[str]] = defaultdict(set)
        """Uids on the pages of the current list."""
        self._doubtful: dict[str, Pod] = {}
        """By uid: pods to read, because a watch or list says that they are gone, or because the watch no longer reports them."""
        self._doubts = asyncio.Event()

    def of(self, namespace: str, run_uid: str) -> Mapping[str, Pod]:
        """The pods of a run by name."""
        return self._runs.get((namespace, run_uid), NO_PODS)

    def put(self, pod: Pod) -> None:
        """Takes a pod from a watch or a response. An older version never replaces a newer one."""
        meta = pod.metadata
        earlier = self._known.get(meta.uid)
        if earlier is not None and not _same_identity(earlier.metadata, meta):
            pod = _as_known(pod, earlier)
        run_uid = pod.metadata.run_uid
        if not run_uid:
            return
        if not self._owns(pod.metadata.namespace):
            self._changed(pod)
            return
        pods = self._runs.setdefault((pod.metadata.namespace, run_uid), {})
        known = pods.get(pod.metadata.name)
        if known is not None and known.version >= pod.version and not (pod.gone and known.alive_as(pod.metadata.uid)):
            return
        self._keep(pods, pod)

    def claim(self, pod: Pod) -> None:
        """Takes a pod that a run found by its name, with the labels and owners of this version instead of earlier ones."""
        if known := self._known.get(pod.metadata.uid):
            self._drop(known.metadata.namespace, known.metadata.run_uid, [known.metadata.name])
        self.put(pod)
        self._doubt(pod)

    def _keep(self, pods: dict[str, Pod], pod: Pod) -> None:
        if (before := pods.get(pod.metadata.name)) and before.metadata.uid != pod.metadata.uid:
            self._known.pop(before.metadata.uid, None)
        pods[pod.metadata.name] = pod
        if pod.metadata.uid:
            self._known[pod.metadata.uid] = pod
        self._changed(pod)

    def forget(self, namespace: str, run_uid: str, name: str) -> None:
        """Drops a pod that is gone."""
        pod = self.of(namespace, run_uid).get(name)
        if pod is not None and pod.gone:
            self._drop(namespace, run_uid, [name])

    def forget_gone(self, namespace: str, run_uid: str) -> None:
        """Drops the deleted pods of a run that is unknown, or not known yet."""
        self._drop(namespace, run_uid, [name for name, pod in self.of(namespace, run_uid).items() if pod.gone])

    def forget_over(self, namespace: str, run_uid: str) -> None:
        """Drops the pods of a run that is no longer reconciled, except live ones: they hold slots and are followed to their end."""
        self._drop(namespace, run_uid, [name for name, pod in self.of(namespace, run_uid).items() if pod.over])

    def _drop(self, namespace: str, run_uid: str, names: Sequence[str]) -> None:
        pods = self._runs.get((namespace, run_uid), {})
        for name in names:
            self._known.pop(pods.pop(name).metadata.uid, None)
        if not pods:
            self._runs.pop((namespace, run_uid), None)

    def begin_list(self, namespace: str | None) -> None:
        """Starts a list."""
        self._seen.pop(namespace, None)

    def take_page(self, namespace: str | None, raw: bytes) -> ListMetadata:
        """Takes the pods of a page."""
        try:
            page = parse_list(raw)
        except (msgspec.MsgspecError, RecursionError):
            return self._one_by_one(namespace, raw)
        for pod in page.items:
            self._seen[namespace].add(pod.metadata.uid)
            self.put(pod)
        return page.metadata

    def _one_by_one(self, namespace: str | None, raw: bytes) -> ListMetadata:
        """Takes a page with a pod that can't be read. That pod counts as present, but is not parsed."""
        page = parse_page(raw)
        for item in page.items:
            with self._alone(item):
                self._seen[namespace].add(parse_head(item).metadata.uid)
                self.put(parse_pod(item))
        return page.metadata

    def end_list(self, namespace: str | None, version: int) -> None:
        """Marks pods as missing that were on no page."""
        seen = self._seen.pop(namespace, set())
        for pods in list(self._runs.values()):
            for pod in list(pods.values()):
                in_scope = namespace is None or pod.metadata.namespace == namespace
                # A pod created after the list was made is not missing from it.
                if in_scope and not pod.gone and pod.metadata.uid not in seen and pod.version <= version:
                    self._mark_missing(pod)

    def take_event(self, kind: str, raw: bytes) -> None:
        """Takes a change."""
        pod = parse_pod(raw)
        if kind == "DELETED":
            self._mark_missing(pod)
        else:
            self.put(pod)

    def _mark_missing(self, pod: Pod) -> None:
        """Takes a pod that is missing in a list or was reported as deleted. If it had ended, that is accepted without another check."""
        known = self._known.get(pod.metadata.uid)
        if pod.over or known is None or known.over:
            self.put(replace(pod, gone=True))
            return
        self.put(pod)
        self._doubt(pod)

    def _doubt(self, pod: Pod) -> None:
        self._doubtful[pod.metadata.uid] = pod
        self._doubts.set()

    async def run(self) -> None:
        """Lists and watches. Never returns."""
        await asyncio.gather(super().run(), self._ask_for_doubtful())

    async def _ask_for_doubtful(self) -> None:
        while True:
            await self._doubts.wait()
            self._doubts.clear()
            pods = list(self._doubtful.values())
            for at in range(0, len(pods), MAX_PARALLEL_READS):
                await asyncio.gather(*map(self._ask, pods[at : at + MAX_PARALLEL_READS]))
            if self._doubtful:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(CHECK_INTERVAL):
                        await self._doubts.wait()
                self._doubts.set()

    async def _ask(self, doubted: Pod) -> None:
        """Reads a pod by its name. A pod that exists without the label is read repeatedly, since the watch does not report it."""
        meta = doubted.metadata
        known = self._known.get(meta.uid)
        if known is None or known.over:
            self._doubtful.pop(meta.uid, None)
            return
        try:
            found = parse_pod(await self._client.get_raw(PODS, meta.namespace, meta.name))
        except NotFound:
            found = None
        except (ApiError, *UNREADABLE) as error:
            log.warning("asking for pod %s/%s: %s", meta.namespace, meta.name, error)
            return
        if found is None or found.metadata.uid != meta.uid:
            self._doubtful.pop(meta.uid, None)
            self.put(replace(self._known.get(meta.uid) or known, gone=True))
            return
        if RUN_UID in found.metadata.labels:
            self._doubtful.pop(meta.uid, None)
        self.put(found)


def _same_identity(one: Metadata, other: Metadata) -> bool:
    return one.labels == other.labels and one.owner_references == other.owner_references


def _as_known(pod: Pod, earlier: Pod) -> Pod:
    """The pod with the labels and owners of its earlier version."""
    known = earlier.metadata
    return replace(pod, metadata=replace(pod.metadata, labels=known.labels, owner_references=known.owner_references))
