"""An informer that keeps whole objects: for kinds with few objects."""

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
    """What is kept of an object."""

    metadata: Metadata


_parse_known = msgspec.json.Decoder(ObservedObject).decode


class ObjectInformer(Reflector):
    """`seen(body, deleted)` is called for everything that there is, and for every change of it. Of what vanished unseen the body is no
    more than its namespace and name."""

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

    def begin(self, namespace: str | None) -> None:
        """Nothing is listed yet."""
        self._there.pop(namespace, None)

    def page(self, namespace: str | None, raw: bytes) -> ListMetadata:
        """Takes note of the objects of a page."""
        page = parse_page(raw)
        for item in page.items:
            with self._alone(item):
                raw = pruned(bytes(item))
                meta = _parse_known(raw).metadata
                self._there[namespace].add((meta.namespace, meta.name))
                self._put(raw, False)
        return page.metadata

    def listed(self, namespace: str | None, version: int) -> None:
        """What was on no page is gone."""
        there = self._there.pop(namespace, set())
        for key, known in list(self._versions.items()):
            if namespace in (None, key[0]) and key not in there and known <= version:
                del self._versions[key]
                self._seen({"metadata": {"namespace": key[0], "name": key[1]}}, True)

    def event(self, kind: str, raw: bytes) -> None:
        """Takes note of a change."""
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
