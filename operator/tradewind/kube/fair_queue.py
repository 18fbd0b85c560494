"""A fair queue: by lane, then in turns between namespaces, then in turns between the flows of a namespace."""

from collections import deque
from collections.abc import Hashable
from enum import IntEnum
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Lane(IntEnum):
    """The urgency of an item. While items of later lanes wait, a lane gets four of five consecutive places, so none starves."""

    ON_TIME = 0
    """Runs made by triggers: few, short, and due now. Behind the writes of the runs themselves, each tick would wait for those before
    it."""
    URGENT = 1
    NORMAL = 2


IN_A_ROW = 4


class Turns(Generic[Item]):
    """Items by key: keys take turns, items of one key stay in order. Every operation is O(1)."""

    def __init__(self) -> None:
        self._items: dict[Hashable, deque[Item]] = {}
        self._order: deque[Hashable] = deque()

    def __len__(self) -> int:
        return len(self._order)

    def push(self, key: Hashable, item: Item) -> None:
        """Adds an item behind those of the same key."""
        if key not in self._items:
            self._items[key] = deque()
            self._order.append(key)
        self._items[key].append(item)

    def pop(self) -> Item:
        """Removes and returns the next item. Raises IndexError if there is none."""
        key = self._order.popleft()
        items = self._items[key]
        item = items.popleft()
        if items:
            self._order.append(key)
        else:
            del self._items[key]
        return item

    def waiting(self, key: Hashable) -> int:
        """The number of items of a key."""
        return len(self._items.get(key, ()))

    def shorten(self, beyond: int) -> bool:
        """Removes the newest item of the key with the most items, if it has more than `beyond` (at least 1). O(keys). Returns whether it
        did."""
        key = max(self._items, key=self.waiting, default=None)
        if self.waiting(key) <= beyond:
            return False
        self._items[key].pop()
        return True


class FairQueue(Generic[Item]):
    """Items of flows, each of which belongs to a namespace."""

    def __init__(self) -> None:
        self._lanes: dict[Lane, dict[str, Turns[Item]]] = {lane: {} for lane in Lane}
        self._turns: dict[Lane, deque[str]] = {lane: deque() for lane in Lane}
        self._rows = dict.fromkeys(Lane, 0)
        """Consecutive places that a lane got since a later one had its turn."""
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def push(self, lane: Lane, namespace: str, flow: Hashable, item: Item) -> None:
        """Adds an item at the end of its flow."""
        flows = self._lanes[lane]
        if namespace not in flows:
            flows[namespace] = Turns()
            self._turns[lane].append(namespace)
        flows[namespace].push(flow, item)
        self._size += 1

    def pop(self) -> Item:
        """Removes and returns the next item. Raises IndexError if there is none."""
        waiting = [lane for lane in Lane if self._turns[lane]]
        lane = next((lane for lane in waiting[:-1] if self._rows[lane] < IN_A_ROW), (waiting or [Lane.NORMAL])[-1])
        self._rows[lane] += 1
        for before in Lane:
            if before < lane:
                self._rows[before] = 0
        namespace = self._turns[lane].popleft()
        flows = self._lanes[lane][namespace]
        item = flows.pop()
        self._size -= 1
        if flows:
            self._turns[lane].append(namespace)
        else:
            del self._lanes[lane][namespace]
        return item
