"""An informer that keeps objects of kinds with few objects."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import msgspec
import orjson

from tradewind.kube.client import Client, Object
from tradewind.kube.lists import ListMetadata
from tradewind.kube.nested import pruned
from tradewind.kube.pages import parse_page
from tradewind.kube.pod import Metadata
from tradewind.kube.reflector import Reflector
from tradewind.kube.resources import Resource
from tradewind.kube.struct import Struct
from tradewind.model.bounded import VALUES_LIMIT, holds_more, placeholder


class ObservedObject(Struct, frozen=True):
    """The parts of an object that are kept."""

    metadata: Metadata


_parse_known = msgspec.json.Decoder(ObservedObject).decode


class ObjectInformer(Reflector):
    """Calls `seen(body, deleted)` for every existing object and every change. For an object that was deleted unobserved, the body has only
    namespace and name."""

    listing: Mapping[str, str] = {"limit": "500"}
    watching: Mapping[str, str] = {}

    def __init__(
        self,
        client: Client,
        namespaces: Sequence[str | None],
        resource: Resource,
        seen: Callable[[Object, bool], None],
    ) -> None:
        super().__init__(client, namespaces)
        self.resource, self._seen = resource, seen
        self._versions: dict[tuple[str, str], int] = {}
        self._there: defaultdict[str | None, set[tuple[str, str]]] = defaultdict(set)

    def begin_list(self, namespace: str | None) -> None:
        """Starts a list."""
        self._there.pop(namespace, None)

    def take_page(self, namespace: str | None, raw: bytes) -> ListMetadata:
        """Takes the objects of a page."""
        page = parse_page(raw)
        for item in page.items:
            with self._alone(item):
                raw = pruned(bytes(item))
                meta = _parse_known(raw).metadata
                self._there[namespace].add((meta.namespace, meta.name))
                self._put(raw, False)
        return page.metadata

    def end_list(self, namespace: str | None, version: int) -> None:
        """Reports the objects that were on no page as deleted."""
        there = self._there.pop(namespace, set())
        for key, known in list(self._versions.items()):
            if namespace in (None, key[0]) and key not in there and known <= version:
                del self._versions[key]
                self._seen({"metadata": {"namespace": key[0], "name": key[1]}}, True)

    def take_event(self, kind: str, raw: bytes) -> None:
        """Takes a change."""
        self._put(pruned(bytes(raw)), kind == "DELETED")

    def _put(self, raw: bytes, deleted: bool) -> None:
        meta = _parse_known(raw).metadata
        key = (meta.namespace, meta.name)
        if not deleted and self._versions.get(key, 0) >= int(meta.resource_version):
            return
        body: Object = orjson.loads(raw)
        if holds_more(body, raw, VALUES_LIMIT):
            body = {**body, "spec": placeholder(VALUES_LIMIT)}
        if deleted:
            self._versions.pop(key, None)
        else:
            self._versions[key] = int(meta.resource_version)
        self._seen(body, deleted)
