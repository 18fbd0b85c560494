"""Units that are ready to start, ordered by priority, then by position in the DAG, then by item.

A lane holds the units that wait for the same limits, so that one that waits for a pool does not block others."""

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from enum import StrEnum

from tradewind.model.pool import PoolClaim
from tradewind.plan.runs.unit import Unit


class Way(StrEnum):
    """The kind of an attempt."""

    POD = "pod"
    RUN = "run"
    """A run of another DAG. Like a pod, it counts for the parallelism of the calling run."""
    FREE = "free"
    """Work of the operator, without limits."""


LaneKey = tuple[str, tuple[PoolClaim, ...], Way]
"""The fan-out (empty for single tasks), the pools, and the kind of attempt."""
Entry = tuple[int, int, int]
"""Negative priority, position of the task, index of the item."""


@dataclass(slots=True)
class ReadyQueue:
    """Ready units that wait for the same limits."""

    entries: list[Entry] = field(default_factory=list)
    units: dict[Entry, Unit] = field(default_factory=dict)

    def add(self, entry: Entry, unit: Unit) -> None:
        """Inserts a unit in order."""
        if entry not in self.units:
            insort(self.entries, entry)
        self.units[entry] = unit

    def remove(self, entry: Entry) -> None:
        """Removes a unit."""
        if self.units.pop(entry, None) is not None:
            del self.entries[bisect_left(self.entries, entry)]

    def first(self, limit: int) -> list[tuple[Entry, Unit]]:
        """The first units, at most `limit`."""
        return [(entry, self.units[entry]) for entry in self.entries[: max(0, limit)]]
