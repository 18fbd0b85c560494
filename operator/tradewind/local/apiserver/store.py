"""Objects and their history. Stored objects are never modified: a write replaces them."""

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from tradewind.kube.client import Object
from tradewind.local.apiserver.text import write

HISTORY = 20_000
"""Events kept per resource. A watch that asks for older ones gets 410."""


@dataclass(slots=True)
class StoredEvent:
    """One change. `old` is the object before it."""

    version: int
    type: str
    object: Object
    old: Object | None
    _lines: dict[str, bytes] = field(default_factory=dict)

    def line(self, kind: str) -> bytes:
        """The event as a line of a watch; serialised once for all watchers."""
        if kind not in self._lines:
            self._lines[kind] = write({"type": kind, "object": self.object}) + b"\n"
        return self._lines[kind]


@dataclass
class ResourceShelf:
    """The objects of one resource."""

    objects: dict[tuple[str, str], Object] = field(default_factory=dict)
    events: deque[StoredEvent] = field(default_factory=deque)
    dropped: int = 0
    """Version of the latest event that is no longer kept."""
    waiters: dict[asyncio.Event, None] = field(default_factory=dict)
    """Watchers to wake, in the order in which they came: the order of a set differs between processes."""


class ObjectStore:
    """All objects, with one counter of versions."""

    def __init__(self) -> None:
        self.version = 1
        self._shelves: dict[str, ResourceShelf] = {}

    def shelf(self, key: str) -> ResourceShelf:
        """The objects of a resource."""
        return self._shelves.setdefault(key, ResourceShelf())

    def get(self, key: str, namespace: str, name: str) -> Object | None:
        """An object."""
        return self.shelf(key).objects.get((namespace, name))

    def before(self, key: str, version: int, namespace: str | None = None) -> list[Object]:
        """Objects of a resource as of an earlier version."""
        objects = dict(self.shelf(key).objects)
        for event in reversed(self.shelf(key).events):
            if event.version <= version:
                break
            place = (event.object["metadata"].get("namespace", ""), event.object["metadata"]["name"])
            if event.old is None:
                objects.pop(place, None)
            else:
                objects[place] = event.old
        return _in_order(objects, namespace)

    def list(self, key: str, namespace: str | None = None) -> list[Object]:
        """Objects of a resource, sorted by name."""
        return _in_order(self.shelf(key).objects, namespace)

    def all(self) -> Iterator[tuple[str, Object]]:
        """All objects, each with its resource's key."""
        for key, shelf in list(self._shelves.items()):
            for body in list(shelf.objects.values()):
                yield key, body

    def put(self, key: str, body: Object) -> Object:
        """Stores a new or changed object under the next version and returns it."""
        self.version += 1
        meta = {**body["metadata"], "resourceVersion": str(self.version)}
        body = {**body, "metadata": meta}
        shelf = self.shelf(key)
        place = (meta.get("namespace", ""), meta["name"])
        old = shelf.objects.get(place)
        shelf.objects[place] = body
        self._tell(shelf, StoredEvent(self.version, "MODIFIED" if old else "ADDED", body, old))
        return body

    def remove(self, key: str, body: Object) -> Object:
        """Removes an object; returns its last state, under the version of its deletion."""
        self.version += 1
        meta = body["metadata"]
        shelf = self.shelf(key)
        old = shelf.objects.pop((meta.get("namespace", ""), meta["name"]))
        gone = {**body, "metadata": {**meta, "resourceVersion": str(self.version)}}
        self._tell(shelf, StoredEvent(self.version, "DELETED", gone, old))
        return gone

    def compact(self) -> None:
        """Drops the history: watches that resume from an earlier version get 410."""
        for shelf in self._shelves.values():
            shelf.events.clear()
            shelf.dropped = self.version

    @staticmethod
    def _tell(shelf: ResourceShelf, event: StoredEvent) -> None:
        shelf.events.append(event)
        if len(shelf.events) > HISTORY:
            shelf.dropped = shelf.events.popleft().version
        for waiter in shelf.waiters:
            waiter.set()


def _in_order(objects: dict[tuple[str, str], Object], namespace: str | None) -> list[Object]:
    places = sorted(place for place in objects if namespace is None or place[0] == namespace)
    return [objects[place] for place in places]
