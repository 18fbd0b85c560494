"""Passes changes to streams: topics, and who follows them."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Iterable

KEPT = 10_000
"""Topics whose version is remembered."""


class Subscription:
    """The topics of one stream. `changed` is set while some of them have changed."""

    def __init__(self, topics: Iterable[str]) -> None:
        self.topics = frozenset(topics)
        self.changed = asyncio.Event()
        self._pending: set[str] = set()

    def tell(self, topic: str) -> None:
        """A topic has changed."""
        self._pending.add(topic)
        self.changed.set()

    def take(self) -> list[str]:
        """The topics that have changed since the last call."""
        found = sorted(self._pending)
        self._pending.clear()
        self.changed.clear()
        return found


class Hub:
    """Hands changes on."""

    def __init__(self) -> None:
        self._versions: OrderedDict[str, int] = OrderedDict()
        self._followed: dict[str, set[Subscription]] = {}
        self._count = 0
        self.streams: Counter[str] = Counter()
        """By user: open streams."""

    def subscribe(self, topics: Iterable[str]) -> Subscription:
        """Follows topics until `leave`."""
        made = Subscription(topics)
        for topic in made.topics:
            self._followed.setdefault(topic, set()).add(made)
        return made

    def leave(self, subscription: Subscription) -> None:
        """Ends a subscription."""
        for topic in subscription.topics:
            followers = self._followed.get(topic, set())
            followers.discard(subscription)
            if not followers:
                self._followed.pop(topic, None)

    def tell(self, *topics: str) -> None:
        """Topics have changed."""
        for topic in topics:
            if followers := self._followed.get(topic):
                self._count += 1
                self._versions[topic] = self._count
                self._versions.move_to_end(topic)
                while len(self._versions) > KEPT:
                    self._versions.popitem(last=False)
                for subscription in followers:
                    subscription.tell(topic)

    def version(self, topic: str) -> int:
        """Grows whenever a topic with a follower changes."""
        return self._versions.get(topic, 0)

    def followed(self, topic: str) -> bool:
        """Whether a stream follows a topic."""
        return topic in self._followed
