"""Units that are ready to start, ordered by priority, then by position in the DAG, then by item.

A lane holds the units that wait for the same limits, so that one that waits in a pool does not stand in another's way."""

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from enum import StrEnum

from tradewind.model.pool import PoolClaim
from tradewind.plan.runs.unit import Unit


class Way(StrEnum):
    """What an attempt is."""

    POD = "pod"
    RUN = "run"
    """Of another DAG. It counts for the parallelism of the run that calls it, as a pod does."""
    FREE = "free"
    """Work of the operator, which nothing limits."""


LaneKey = tuple[str, tuple[PoolClaim, ...], Way]
"""The fan-out (empty for single tasks), the pools, and what is made."""
Entry = tuple[int, int, int]
"""Negative priority, place of the task, index of the item."""


@dataclass(slots=True)
class ReadyQueue:
    """Ready units that wait for the same limits."""

    entries: list[Entry] = field(default_factory=list)
    units: dict[Entry, Unit] = field(default_factory=dict)

    def add(self, entry: Entry, unit: Unit) -> None:
        """Puts a unit in its place."""
        if entry not in self.units:
            insort(self.entries, entry)
        self.units[entry] = unit

    def remove(self, entry: Entry) -> None:
        """Takes a unit out."""
        if self.units.pop(entry, None) is not None:
            del self.entries[bisect_left(self.entries, entry)]

    def first(self, limit: int) -> list[tuple[Entry, Unit]]:
        """The units whose turn it is."""
        return [(entry, self.units[entry]) for entry in self.entries[: max(0, limit)]]
