"""Which namespace is next when namespaces share a number of seats. No clock, no I/O: only counting."""

from collections import Counter, deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Seats(Generic[Item]):
    """Seats for items of namespaces, each item bound for a host. The namespace that holds the fewest is next; none
    holds more than its `share`, even if others are free. `host` limits the seats for one host, `host_share` those of
    one namespace among them."""

    def __init__(self, total: int, share: int, host: int | None = None, host_share: int | None = None) -> None:
        self.total, self.share = total, share
        self._host, self._host_share = host or total, host_share or share
        self.held: Counter[str] = Counter()
        """Seats by namespace."""
        self._bound: Counter[str] = Counter()
        self._both: Counter[tuple[str, str]] = Counter()
        self._waiting: dict[str, dict[str, deque[Item]]] = {}

    def wait(self, namespace: str, host: str, item: Item) -> None:
        """Queues an item behind the others of its namespace for the same host."""
        self._waiting.setdefault(namespace, {}).setdefault(host, deque()).append(item)

    def call(self) -> tuple[str, str, Item] | None:
        """Seats the next item; returns its namespace, its host and the item. None if no waiting item may be seated."""
        if self.held.total() >= self.total:
            return None
        # The sort is stable: of those that hold equally many, the one called longest ago is first.
        for namespace in sorted(self._waiting, key=self.held.__getitem__):
            if self.held[namespace] >= self.share:
                return None
            for host in self._waiting[namespace]:
                if self._bound[host] < self._host and self._both[namespace, host] < self._host_share:
                    return namespace, host, self._seat(namespace, host)
        return None

    def leave(self, namespace: str, host: str) -> None:
        """Frees a seat."""
        for counter, key in ((self.held, namespace), (self._bound, host)):
            counter[key] -= 1
            if not counter[key]:
                del counter[key]
        self._both[namespace, host] -= 1
        if not self._both[namespace, host]:
            del self._both[namespace, host]

    def _seat(self, namespace: str, host: str) -> Item:
        hosts = self._waiting.pop(namespace)
        items = hosts.pop(host)
        item = items.popleft()
        if items:
            hosts[host] = items  # at the end, so that the others come first next time
        if hosts:
            self._waiting[namespace] = hosts
        self.held[namespace] += 1
        self._bound[host] += 1
        self._both[namespace, host] += 1
        return item
