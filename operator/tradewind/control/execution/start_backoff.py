"""Why pods of a run are not created for now: the API server would not take them."""

from collections.abc import Iterator
from dataclasses import dataclass

from tradewind.plan.runs.decision import Hold

RETRY_BLOCKED = 5.0
"""Seconds after which a pod that the API server would not take is tried again."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """A pod that the API server would not take for now. `until` is monotonic seconds."""

    until: float
    hold: Hold


class StartBackoff:
    """What the API server would not take of one run."""

    def __init__(self) -> None:
        self._blocked: dict[str, Blocked] = {}
        """By task or item."""
        self._quota: Blocked | None = None
        """A quota that is used up: nothing of this run starts for a while."""

    def __contains__(self, key: str) -> bool:
        """Whether a task or item is not tried now."""
        return key in self._blocked

    @property
    def cautious(self) -> bool:
        """Whether a quota was used up: one pod shows whether it has room again."""
        return self._quota is not None

    def shut(self, now: float) -> bool:
        """Whether nothing starts at `now`, monotonic seconds. What has waited long enough is forgotten."""
        self._blocked = {key: block for key, block in self._blocked.items() if block.until > now}
        return self._quota is not None and self._quota.until > now

    def block(self, hold: Hold, now: float) -> None:
        """The API server would not take a pod."""
        self._blocked[hold.task] = Blocked(now + RETRY_BLOCKED, hold)

    def full(self, hold: Hold | None, now: float) -> None:
        """A quota is used up; None where there was room, or nothing more to start."""
        self._quota = Blocked(now + RETRY_BLOCKED, hold) if hold else None

    def all(self) -> Iterator[Blocked]:
        """What is held up, the quota first."""
        if self._quota:
            yield self._quota
        yield from self._blocked.values()
