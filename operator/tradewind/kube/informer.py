"""The pods of all runs, kept in step with the API server by a list and a watch."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import msgspec

from tradewind.kube.client import Client
from tradewind.kube.pages import parse_page
from tradewind.kube.pod import RUN_UID, ListMetadata, Pod, parse_list, parse_pod
from tradewind.kube.reflector import Reflector, parse_head
from tradewind.kube.resources import PODS

NO_PODS: Mapping[str, Pod] = {}


class PodInformer(Reflector):
    """Pods by run uid and name. `changed(pod)` is called after every change; a deleted pod stays as `gone` until `forget`,
    since its end may not be in the run's status yet."""

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
        """Pods of namespaces that are not ours are told of, and not kept."""
        super().__init__(client, namespaces)
        self._changed, self._owns = changed, owns
        self._runs: dict[str, dict[str, Pod]] = {}
        self._seen: defaultdict[str | None, set[str]] = defaultdict(set)
        """Uids on the pages of a list under way."""

    def of(self, run_uid: str) -> Mapping[str, Pod]:
        """The pods of a run, by name."""
        return self._runs.get(run_uid, NO_PODS)

    def put(self, pod: Pod) -> None:
        """Takes note of a pod, from a watch or from an answer to a create. An older version never replaces a newer one."""
        run_uid = pod.metadata.labels.get(RUN_UID)
        if not run_uid:
            return
        if not self._owns(pod.metadata.namespace):
            self._changed(pod)
            return
        pods = self._runs.setdefault(run_uid, {})
        known = pods.get(pod.metadata.name)
        if known is not None and known.version >= pod.version and not (pod.gone and known.alive_as(pod.metadata.uid)):
            return
        pods[pod.metadata.name] = pod
        self._changed(pod)

    def forget(self, run_uid: str, name: str) -> None:
        """Drops a pod that is gone."""
        pod = self.of(run_uid).get(name)
        if pod is not None and pod.gone:
            self._drop(run_uid, [name])

    def forget_gone(self, run_uid: str) -> None:
        """Drops the pods of a run that nobody knows, or not yet, once they are deleted."""
        self._drop(run_uid, [name for name, pod in self.of(run_uid).items() if pod.gone])

    def forget_over(self, run_uid: str) -> None:
        """Drops the pods of a run that nobody reconciles any more. Those that are alive are followed to their end: they hold slots."""
        self._drop(run_uid, [name for name, pod in self.of(run_uid).items() if pod.over])

    def _drop(self, run_uid: str, names: Sequence[str]) -> None:
        pods = self._runs.get(run_uid, {})
        for name in names:
            del pods[name]
        if not pods:
            self._runs.pop(run_uid, None)

    def page(self, namespace: str | None, raw: bytes) -> ListMetadata:
        """Takes note of the pods of a page."""
        try:
            page = parse_list(raw)
        except (msgspec.MsgspecError, RecursionError):
            return self._one_by_one(namespace, raw)
        for pod in page.items:
            self._seen[namespace].add(pod.metadata.uid)
            self.put(pod)
        return page.metadata

    def _one_by_one(self, namespace: str | None, raw: bytes) -> ListMetadata:
        """A page with a pod that can't be read: it is there all the same, and nobody's end."""
        page = parse_page(raw)
        for item in page.items:
            with self._alone(item):
                self._seen[namespace].add(parse_head(item).metadata.uid)
                self.put(parse_pod(item))
        return page.metadata

    def listed(self, namespace: str | None, version: int) -> None:
        """What was on no page is gone."""
        seen = self._seen.pop(namespace, set())
        for pods in list(self._runs.values()):
            for pod in list(pods.values()):
                in_scope = namespace is None or pod.metadata.namespace == namespace
                # A pod that was created after the list was made is not missing from it.
                if in_scope and not pod.gone and pod.metadata.uid not in seen and pod.version <= version:
                    self.put(msgspec.structs.replace(pod, gone=True))

    def event(self, kind: str, raw: bytes) -> None:
        """Takes note of a change."""
        pod = parse_pod(raw)
        self.put(msgspec.structs.replace(pod, gone=True) if kind == "DELETED" else pod)
