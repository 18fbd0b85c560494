"""Back-off for pods of a run that the API server refused."""

from collections.abc import Iterator
from dataclasses import dataclass

from tradewind.plan.runs.decision import Hold

RETRY_BLOCKED = 5.0
"""Seconds after which a refused pod is tried again."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """A pod that the API server refused for now. `until` is monotonic seconds."""

    until: float
    hold: Hold


class StartBackoff:
    """The refused pods of one run."""

    def __init__(self) -> None:
        self._blocked: dict[str, Blocked] = {}
        """By task or item."""
        self._quota: Blocked | None = None
        """An exhausted quota: nothing of this run starts for a while."""

    def __contains__(self, key: str) -> bool:
        """Whether a task or item must wait."""
        return key in self._blocked

    @property
    def cautious(self) -> bool:
        """Whether a quota was exhausted, so that a single pod should show whether it has room again."""
        return self._quota is not None

    def shut(self, now: float) -> bool:
        """Whether nothing starts at `now`, in monotonic seconds. Drops entries whose time is over."""
        self._blocked = {key: block for key, block in self._blocked.items() if block.until > now}
        return self._quota is not None and self._quota.until > now

    def block(self, hold: Hold, now: float) -> None:
        """The API server refused a pod."""
        self._blocked[hold.task] = Blocked(now + RETRY_BLOCKED, hold)

    def full(self, hold: Hold | None, now: float) -> None:
        """A quota is exhausted; `hold` is None if it had room or nothing was left to start."""
        self._quota = Blocked(now + RETRY_BLOCKED, hold) if hold else None

    def all(self) -> Iterator[Blocked]:
        """The current holds, the quota first."""
        if self._quota:
            yield self._quota
        yield from self._blocked.values()
