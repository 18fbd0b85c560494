"""The pods of all runs, kept in step with the API server by a list and a watch."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping

import msgspec

from tradewind import metrics
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError, Gone, from_status
from tradewind.kube.pod import RUN_UID, Pod, parse_event, parse_list, parse_pod
from tradewind.kube.resources import PODS

log = logging.getLogger(__name__)
PAGE = "500"
NO_PODS: Mapping[str, Pod] = {}


class PodInformer:
    """Pods by run uid and name. `changed(pod)` is called after every change; a deleted pod stays as `gone` until `forget`,
    since its end may not be in the run's status yet."""

    def __init__(self, client: Client, namespaces: list[str | None], changed: Callable[[Pod], None]) -> None:
        self._client, self._namespaces, self._changed = client, namespaces, changed
        self._runs: dict[str, dict[str, Pod]] = {}
        self._unsynced = set(namespaces)
        self.synced = asyncio.Event()
        self.heard_at = time.monotonic()
        """When the watch last said something, in monotonic seconds."""

    def of(self, run_uid: str) -> Mapping[str, Pod]:
        """The pods of a run, by name."""
        return self._runs.get(run_uid, NO_PODS)

    def put(self, pod: Pod) -> None:
        """Takes note of a pod, from a watch or from an answer to a create. An older version never replaces a newer one."""
        run_uid = pod.metadata.labels.get(RUN_UID)
        if not run_uid:
            return
        pods = self._runs.setdefault(run_uid, {})
        known = pods.get(pod.metadata.name)
        if known is not None and known.version >= pod.version and not (pod.gone and not known.gone):
            return
        pods[pod.metadata.name] = pod
        self._changed(pod)

    def forget(self, run_uid: str, name: str | None = None) -> None:
        """Drops a pod that is gone, or everything known of a run."""
        pods = self._runs.get(run_uid, {})
        if name is not None:
            if name in pods and pods[name].gone:
                del pods[name]
        else:
            pods.clear()
        if not pods:
            self._runs.pop(run_uid, None)

    def forget_gone(self, run_uid: str) -> None:
        """Drops the pods of a run that nobody reconciles, once they are deleted."""
        for name in [name for name, pod in self.of(run_uid).items() if pod.gone]:
            self.forget(run_uid, name)

    async def run(self) -> None:
        """Lists and watches, for ever."""
        await asyncio.gather(*(self._follow(namespace) for namespace in self._namespaces))

    async def _follow(self, namespace: str | None) -> None:
        version = ""
        errors = 0
        while True:
            try:
                if not version:
                    version = await self._list(namespace)
                    self._unsynced.discard(namespace)
                    if not self._unsynced:
                        self.synced.set()
                version = await self._watch(namespace, version)
                self._heard()
                errors = 0
            except Gone:
                log.info("the watch of pods fell behind and lists again")
                version = ""
            except (ApiError, msgspec.MsgspecError) as error:
                # A watch that breaks goes on where it was; only a refusal to do so (410) makes it list again.
                errors += 1
                log.warning("watching pods: %s", error)
                await asyncio.sleep(min(0.1 * 2 ** min(errors, 8), 15) * random.uniform(0.75, 1.25))  # noqa: S311

    async def _list(self, namespace: str | None) -> str:
        seen: dict[tuple[str, str], None] = {}
        query = {"labelSelector": RUN_UID, "limit": PAGE}
        while True:
            page = parse_list(await self._client.list_raw(PODS, namespace, **query))
            for pod in page.items:
                seen[pod.metadata.labels[RUN_UID], pod.metadata.name] = None
                self.put(pod)
            if not page.metadata.continue_:
                break
            query["continue"] = page.metadata.continue_
        version = int(page.metadata.resource_version)
        for run_uid, pods in list(self._runs.items()):
            for name, pod in list(pods.items()):
                in_scope = namespace is None or pod.metadata.namespace == namespace
                # A pod that was created after the list was made is not missing from it.
                if in_scope and not pod.gone and (run_uid, name) not in seen and pod.version <= version:
                    self.put(msgspec.structs.replace(pod, gone=True))
        self._heard()
        return page.metadata.resource_version

    async def _watch(self, namespace: str | None, version: str) -> str:
        timeout = str(random.randint(280, 340))  # noqa: S311 - watches that end together would come back together
        async for line in self._client.watch(
            PODS, namespace, labelSelector=RUN_UID, resourceVersion=version, timeoutSeconds=timeout
        ):
            if not line:
                continue
            event = parse_event(line)
            self._heard()
            if event.type == "ERROR":
                status = msgspec.json.decode(event.object)
                raise from_status(int(status.get("code") or 500), status)
            pod = parse_pod(event.object)
            version = pod.metadata.resource_version
            if event.type == "DELETED":
                pod = msgspec.structs.replace(pod, gone=True)
            if event.type != "BOOKMARK":
                self.put(pod)
        return version

    def _heard(self) -> None:
        self.heard_at = time.monotonic()
        metrics.watch_last_event.labels("pods").set(time.time())
