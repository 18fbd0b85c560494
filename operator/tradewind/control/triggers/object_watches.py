"""Watches of objects that triggers follow: one for each kind and namespace, shared by all triggers there, and ended with the last."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tradewind.control.triggers.observed import observed
from tradewind.control.triggers.source import NotReady
from tradewind.kube.client import Client
from tradewind.kube.errors import Forbidden, NotFound
from tradewind.kube.lists import ListMetadata
from tradewind.kube.pages import parse_page
from tradewind.kube.reflector import Reflector
from tradewind.kube.resources import Key, Resource
from tradewind.model.object_change import ObjectChange
from tradewind.plan import selectors

log = logging.getLogger(__name__)
Kind = tuple[str, str]
"""apiVersion and kind."""
Body = Mapping[str, Any]


class KindWatch(Reflector):
    """The followed objects of a kind in a namespace, by name. `changed()` is called after every change."""

    listing: Mapping[str, str] = {"limit": "200"}
    watching: Mapping[str, str] = {}
    lists_again = False  # A list replaces all known objects, so it must not run beside the watch.

    def __init__(
        self,
        client: Client,
        resource: Resource,
        namespace: str,
        changed: Callable[[], None],
        follows: dict[str, ObjectChange],
    ) -> None:
        """`follows` are the distinct specs of triggers for the objects that they follow."""
        super().__init__(client, [namespace])
        self.resource, self.follows = resource, follows
        self.objects: dict[str, Body] = {}
        self._listed: dict[str, Body] = {}
        self._changed = changed

    def begin_list(self, namespace: str | None) -> None:
        """Starts a list: nothing is listed yet."""
        self._listed = {}

    def take_page(self, namespace: str | None, raw: bytes) -> ListMetadata:
        """Takes the objects of a page."""
        page = parse_page(raw)
        for item in page.items:
            with self._alone(item):
                self._put(self._listed, bytes(item))
        return page.metadata

    def end_list(self, namespace: str | None, version: int) -> None:
        """Replaces the known objects: those that were on no page are gone."""
        self.objects, self._listed = self._listed, {}
        self._changed()

    def take_event(self, kind: str, raw: bytes) -> None:
        """Takes a change."""
        self._put(self.objects, bytes(raw), kind == "DELETED")
        self._changed()

    def forget(self, what: str) -> None:
        """Drops a spec that no trigger has any more, and the objects that only it selected."""
        self.follows.pop(what, None)
        selected = [spec.label_selector for spec in self.follows.values()]
        self.objects = {
            name: body
            for name, body in self.objects.items()
            if any(selectors.matches(selector, body) for selector in selected)
        }

    def _note_contact(self) -> None:
        """Sets no metric: for pods it would replace that of the watch of the runs' own pods."""
        self.heard_at = time.monotonic()

    def _put(self, objects: dict[str, Body], raw: bytes, deleted: bool = False) -> None:
        name, kept = observed(raw, self.resource, self.follows.values())
        if kept is None or deleted:
            objects.pop(name, None)
        else:
            objects[name] = kept


@dataclass
class _Shared:
    informer: KindWatch
    task: "asyncio.Task[None]"
    users: dict[Key, str] = field(default_factory=dict)
    """What each trigger follows."""


class ObjectWatches:
    """Watches by kind and namespace. `wake(trigger)` is called when an object that a trigger follows has changed."""

    def __init__(self, client: Client, wake: Callable[[Key], None]) -> None:
        self._client, self._wake = client, wake
        self._shared: dict[tuple[Kind, str], _Shared] = {}
        self._uses: dict[Key, Kind] = {}
        self._resources: dict[Kind, Resource] = {}

    async def of(self, trigger: Key, spec: ObjectChange) -> dict[str, Body] | None:
        """The objects by name, including those that only other triggers follow; None until the first list is complete. Raises NotReady for
        a kind that can't be followed, and errors of the API."""
        kind, what = (spec.api_version, spec.kind), spec.model_dump_json(include={"label_selector", "condition"})
        place = (kind, trigger[0])
        if self._uses.get(trigger) != kind or self._shared[place].users[trigger] != what:
            self.release(trigger)
        if place not in self._shared:
            resource = await self._resource(kind)
            await self._may_read(resource, trigger[0])
        shared = self._shared.get(place)
        if shared is None or what not in shared.informer.follows:
            shared = self._start_watch(place, {what: spec})
        shared.users[trigger] = what
        self._uses[trigger] = kind
        return shared.informer.objects if shared.informer.synced.is_set() else None

    def _start_watch(self, place: tuple[Kind, str], more: Mapping[str, ObjectChange]) -> _Shared:
        """Starts to watch a kind, or restarts the watch if a trigger follows more of its objects."""
        before = self._shared.get(place)
        users, follows = (before.users, before.informer.follows) if before else ({}, {})
        if before:
            before.task.cancel()
        resource, namespace = self._resources[place[0]], place[1]
        informer = KindWatch(self._client, resource, namespace, lambda: self._tell(place), {**follows, **more})
        task = asyncio.create_task(informer.run())
        task.add_done_callback(lambda task: self._ended(place, task))
        shared = self._shared[place] = _Shared(informer, task, users)
        return shared

    def release(self, trigger: Key) -> None:
        """A trigger follows no objects any more."""
        kind = self._uses.pop(trigger, None)
        if kind is None:
            return
        place = (kind, trigger[0])
        shared = self._shared[place]
        what = shared.users.pop(trigger)
        if not shared.users:
            self._shared.pop(place).task.cancel()
        elif what not in shared.users.values():
            shared.informer.forget(what)

    async def close(self) -> None:
        """Ends all watches."""
        ended = [shared.task for shared in self._shared.values()]
        self._shared.clear()
        self._uses.clear()
        for task in ended:
            task.cancel()
        await asyncio.gather(*ended, return_exceptions=True)

    def _ended(self, place: tuple[Kind, str], task: "asyncio.Task[None]") -> None:
        """Restarts the triggers of a watch that ended unexpectedly."""
        if not task.cancelled() and place in self._shared and self._shared[place].task is task:
            log.error("the watch of %s in %s ended", *place, exc_info=task.exception())
            for key in self._shared.pop(place).users:
                self._uses.pop(key, None)
                self._wake(key)

    def _tell(self, place: tuple[Kind, str]) -> None:
        for key in self._shared[place].users if place in self._shared else ():
            self._wake(key)

    async def _resource(self, kind: Kind) -> Resource:
        """The resource of a kind, discovered from the API server."""
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
