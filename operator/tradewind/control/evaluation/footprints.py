"""What the runs of a namespace take of the operator's memory: a run of some lines can have ten thousand items, and requests of
a megabyte."""

from collections import defaultdict

LIMIT = 96 * 2**20
"""Bytes of the runs of a namespace, from which on its runs get no more items and begin no more work of the operator's own. Those that
another run waits for have as much again: they must not wait for it."""
OWN_LIMIT = LIMIT // 2
"""Bytes of what the operator does for one run at once."""
LOOK_AGAIN = 5.0
"""Seconds between two tries of a run that waits for memory; of many, less often."""


class Footprints:
    """Bytes by namespace and run."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._of_run: dict[str, tuple[str, int]] = {}
        self._sums: defaultdict[str, int] = defaultdict(int)
        self._waiting: defaultdict[str, set[str]] = defaultdict(set)

    def note(self, namespace: str, uid: str, size: int) -> None:
        """A run takes this much now."""
        self._sums[namespace] += size - self._of_run.get(uid, ("", 0))[1]
        self._of_run[uid] = namespace, size

    def drop(self, uid: str) -> None:
        """A run takes nothing any more."""
        namespace, size = self._of_run.pop(uid, ("", 0))
        self._sums[namespace] -= size
        self._waiting[namespace].discard(uid)
        if not self._sums[namespace]:
            del self._sums[namespace]
        if not self._waiting[namespace]:
            del self._waiting[namespace]

    def crowded(self, namespace: str, uid: str, called: bool) -> bool:
        """Whether the other runs of the namespace leave no room for more of this one."""
        others = self._sums.get(namespace, 0) - self._of_run.get(uid, ("", 0))[1]
        return others >= (2 if called else 1) * self._limit

    def wait(self, namespace: str, uid: str, waits: bool) -> float | None:
        """Notes whether a run waits for memory. Returns the seconds until the next try, if it does and is not gone."""
        if not waits or uid not in self._of_run:
            if uid in self._waiting.get(namespace, ()):
                self._waiting[namespace].discard(uid)
            return None
        self._waiting[namespace].add(uid)
        return max(LOOK_AGAIN, len(self._waiting[namespace]) / 10)
