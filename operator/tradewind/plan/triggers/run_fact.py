"""Facts about runs, as triggers see them."""

from dataclasses import dataclass
from typing import Any

from tradewind.model.duration import stamp
from tradewind.plan.triggers.trigger import occasion


@dataclass(frozen=True, slots=True)
class Fact:
    """An event in a run's life: it ended, or produced an asset. `at` is epoch seconds."""

    source: str
    """A DAG, as namespace/name, or an asset."""
    at: int
    namespace: str
    run: str
    uid: str
    outcome: str = ""
    task: str = ""
    partition: str = ""
    depth: int = 0
    """How many runs led to that run, by triggers that follow runs."""

    @property
    def id(self) -> str:
        """A digest; 50 bits."""
        return occasion(self.uid, self.source, self.task, self.partition, self.outcome, str(self.at))[:10]

    @property
    def order(self) -> tuple[int, str]:
        """The sort key of facts. Within a second the order is arbitrary, but always the same."""
        return self.at, self.id

    def written(self) -> dict[str, Any]:
        """The fact in the form of a status."""
        found = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in {**found, "at": stamp(self.at)}.items() if value}
