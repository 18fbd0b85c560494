"""The cache: records by kind and namespace. A reader says for which caller, by a Scope."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Iterator
from heapq import merge
from operator import attrgetter

from tradewind.kube.resources import RUNS, Resource
from tradewind.server.access import Scope
from tradewind.server.cache.records import BodyRecord, Record, RunRecord

Changed = Callable[[Resource, Record, bool], None]
"""Called with the kind, the record, and whether the object is gone."""
_order: Callable[[RunRecord], tuple[int, str]] = attrgetter("order")


class Cache:
    """Records of all kinds that are followed."""

    def __init__(self, changed: Changed) -> None:
        self._changed = changed
        self.version = 0
        """Grows with every change."""
        self._shelves: defaultdict[Resource, defaultdict[str, dict[str, Record]]] = defaultdict(
            lambda: defaultdict(dict)
        )
        self._runs: defaultdict[str, list[RunRecord]] = defaultdict(list)
        """By namespace, the newest first."""

    # For what fills it.

    def put(self, resource: Resource, record: Record) -> None:
        """Takes a newer version of an object."""
        shelf = self._shelves[resource][record.namespace]
        before = shelf.get(record.name)
        if before is not None and before.version >= record.version:
            return
        shelf[record.name] = record
        if isinstance(record, RunRecord):
            if isinstance(before, RunRecord):
                self._unlist(before)
            insort(self._runs[record.namespace], record, key=_order)
        self.version += 1
        self._changed(resource, record, False)

    def drop(self, resource: Resource, namespace: str, name: str) -> None:
        """An object is gone."""
        record = self._shelves[resource][namespace].pop(name, None)
        if record is None:
            return
        if not self._shelves[resource][namespace]:
            del self._shelves[resource][namespace]
        if isinstance(record, RunRecord):
            self._unlist(record)
        self.version += 1
        self._changed(resource, record, True)

    def _unlist(self, record: RunRecord) -> None:
        listed = self._runs[record.namespace]
        place = bisect_left(listed, record.order, key=_order)
        if place < len(listed) and listed[place].uid == record.uid:
            del listed[place]

    def versions(self, resource: Resource, namespace: str | None) -> dict[tuple[str, str], int]:
        """The versions of what is known, for a list that finds out what is gone."""
        return {
            (where, name): record.version
            for where, shelf in self._shelves[resource].items()
            if namespace in (None, where)
            for name, record in shelf.items()
        }

    def occupied(self, resource: Resource) -> list[str]:
        """The namespaces that have such objects, for asking in which of them a caller may list them."""
        return [namespace for namespace, shelf in self._shelves[resource].items() if shelf]

    # For whom it answers.

    def runs(self, scope: Scope, after: tuple[int, str] | None = None) -> Iterator[RunRecord]:
        """Runs, the newest first, from after a place in that order."""
        assert scope.resource is RUNS  # noqa: S101 - a scope is of one kind
        listed = [found for namespace, found in self._runs.items() if namespace in scope]
        parts = [_rest(found, after) for found in listed]
        return parts[0] if len(parts) == 1 else merge(*parts, key=_order)

    def count(self, scope: Scope) -> int:
        """How many objects there are."""
        return sum(len(shelf) for namespace, shelf in self._shelves[scope.resource].items() if namespace in scope)

    def bodies(self, scope: Scope) -> list[BodyRecord]:
        """Objects of another kind than runs, by namespace and name."""
        found = [
            record
            for namespace, shelf in self._shelves[scope.resource].items()
            if namespace in scope
            for record in shelf.values()
            if isinstance(record, BodyRecord)
        ]
        return sorted(found, key=lambda record: (record.namespace, record.name))

    def run(self, scope: Scope, namespace: str, name: str) -> RunRecord | None:
        """A run."""
        found = self._shelves[RUNS][namespace].get(name) if namespace in scope else None
        return found if isinstance(found, RunRecord) else None

    def body(self, scope: Scope, namespace: str, name: str) -> BodyRecord | None:
        """An object of another kind."""
        found = self._shelves[scope.resource][namespace].get(name) if namespace in scope else None
        return found if isinstance(found, BodyRecord) else None


def _rest(listed: list[RunRecord], after: tuple[int, str] | None) -> Iterator[RunRecord]:
    place = 0 if after is None else bisect_left(listed, after, key=_order)
    for at in range(place, len(listed)):
        if after is None or listed[at].order > after:
            yield listed[at]
