"""The objects of kinds that triggers follow: a watch for each kind and namespace, shared by all triggers there, ended when none is left."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tradewind.control.triggers.source import Key, NotReady
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import Forbidden, NotFound
from tradewind.kube.labels import RUN_UID
from tradewind.kube.lists import ListMetadata
from tradewind.kube.nested import load
from tradewind.kube.pages import parse_page
from tradewind.kube.reflector import Reflector
from tradewind.kube.resources import Resource

log = logging.getLogger(__name__)
Kind = tuple[str, str]
"""apiVersion and kind."""
Body = Mapping[str, Any]


class KindWatch(Reflector):
    """The objects of a kind in a namespace, by name. Those that belong to a run are left out: a run that is made of them would make
    others. `changed()` is called after every change."""

    listing: Mapping[str, str] = {"limit": "200"}
    watching: Mapping[str, str] = {}
    lists_again = False  # What a list says takes the place of all that is known: it must not come beside the watch.

    def __init__(self, client: Client, resource: Resource, namespace: str, changed: Callable[[], None]) -> None:
        super().__init__(client, [namespace])
        self.resource = resource
        self.objects: dict[str, Body] = {}
        self._listed: dict[str, Body] = {}
        self._changed = changed

    def begin(self, namespace: str | None) -> None:
        """Nothing is listed yet."""
        self._listed = {}

    def page(self, namespace: str | None, raw: bytes) -> ListMetadata:
        """Takes the objects of a page."""
        page = parse_page(raw)
        for item in page.items:
            with self._alone(item):
                self._put(self._listed, load(bytes(item)))
        return page.metadata

    def listed(self, namespace: str | None, version: int) -> None:
        """What was on no page is gone."""
        self.objects, self._listed = self._listed, {}
        self._changed()

    def event(self, kind: str, raw: bytes) -> None:
        """Takes a change."""
        body = load(bytes(raw))
        if kind == "DELETED":
            self.objects.pop(body["metadata"]["name"], None)
        else:
            self._put(self.objects, body)
        self._changed()

    def _heard(self) -> None:
        """No metric says when: it would stand for the watch of the runs' own pods, where these are pods."""
        self.heard_at = time.monotonic()

    def _put(self, objects: dict[str, Body], body: Object) -> None:
        meta = body["metadata"]
        if RUN_UID not in (meta.get("labels") or {}):
            meta.pop("managedFields", None)
            objects[meta["name"]] = {**body, "apiVersion": self.resource.api_version, "kind": self.resource.kind}


@dataclass
class _Shared:
    informer: KindWatch
    task: "asyncio.Task[None]"
    users: set[Key] = field(default_factory=set)


class ObjectWatches:
    """Informers by kind and namespace. `wake(trigger)` is called when something has changed that a trigger follows."""

    def __init__(self, client: Client, wake: Callable[[Key], None]) -> None:
        self._client, self._wake = client, wake
        self._shared: dict[tuple[Kind, str], _Shared] = {}
        self._uses: dict[Key, Kind] = {}
        self._resources: dict[Kind, Resource] = {}

    async def of(self, trigger: Key, kind: Kind) -> dict[str, Body] | None:
        """The objects by name; None while they are being read. Raises Waits for what can't be followed, and what the API raises."""
        if self._uses.get(trigger) != kind:
            self.release(trigger)
        place = (kind, trigger[0])
        if place not in self._shared:
            resource = await self._resource(kind)
            await self._may_read(resource, trigger[0])
            if place not in self._shared:
                informer = KindWatch(self._client, resource, trigger[0], lambda: self._tell(place))
                task = asyncio.create_task(informer.run())
                self._shared[place] = _Shared(informer, task)
                task.add_done_callback(lambda task: self._ended(place, task))
        shared = self._shared[place]
        shared.users.add(trigger)
        self._uses[trigger] = kind
        return shared.informer.objects if shared.informer.synced.is_set() else None

    def release(self, trigger: Key) -> None:
        """A trigger follows nothing any more."""
        kind = self._uses.pop(trigger, None)
        if kind is None:
            return
        place = (kind, trigger[0])
        self._shared[place].users.discard(trigger)
        if not self._shared[place].users:
            self._shared.pop(place).task.cancel()

    async def close(self) -> None:
        """Ends all of them."""
        ended = [shared.task for shared in self._shared.values()]
        self._shared.clear()
        self._uses.clear()
        for task in ended:
            task.cancel()
        await asyncio.gather(*ended, return_exceptions=True)

    def _ended(self, place: tuple[Kind, str], task: "asyncio.Task[None]") -> None:
        """A watch has ended by itself, which it should not: those that need it begin anew."""
        if not task.cancelled() and place in self._shared and self._shared[place].task is task:
            log.error("the watch of %s in %s ended", *place, exc_info=task.exception())
            for key in self._shared.pop(place).users:
                self._uses.pop(key, None)
                self._wake(key)

    def _tell(self, place: tuple[Kind, str]) -> None:
        for key in self._shared[place].users if place in self._shared else ():
            self._wake(key)

    async def _resource(self, kind: Kind) -> Resource:
        """Where a kind lives, as the API server says."""
        if kind not in self._resources:
            group, _, version = kind[0].rpartition("/")
            try:
                where = Resource(f"/apis/{group}" if group else "/api", version, "APIResourceList", namespaced=False)
                listed: Sequence[Any] = (await self._client.list(where))["resources"]
            except NotFound:
                raise NotReady(f"spec.object.apiVersion: the API server knows no {kind[0]}") from None
            found = next((item for item in listed if item["kind"] == kind[1] and "/" not in item["name"]), None)
            if found is None:
                there = ", ".join(sorted({item["kind"] for item in listed if "/" not in item["name"]}))
                raise NotReady(f"spec.object.kind: {kind[0]} has no kind {kind[1]!r}; it has: {there}"[:1_024])
            if not found["namespaced"]:
                raise NotReady(
                    f"spec.object.kind: a {kind[1]} is not namespaced; only namespaced kinds can be followed"
                )
            prefix = f"/apis/{kind[0]}" if group else f"/api/{kind[0]}"
            self._resources[kind] = Resource(prefix, found["name"], kind[1])
        return self._resources[kind]

    async def _may_read(self, resource: Resource, namespace: str) -> None:
        try:
            await self._client.list_raw(resource, namespace, limit="1")
        except Forbidden as error:
            group = resource.api_version.rpartition("/")[0]
            rule = f'{{apiGroups: ["{group}"], resources: [{resource.plural}], verbs: [list, watch]}}'
            words = f"spec.object.kind: the operator may not read {resource.plural} in namespace {namespace}"
            raise NotReady(
                f"{words}: add {rule} to the chart's objectTriggers.rules ({error.message})"[:2_048]
            ) from None
