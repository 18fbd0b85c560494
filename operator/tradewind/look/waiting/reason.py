"""What a task or a run waits for, and how long."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tradewind.control.dagrun.run import Run
from tradewind.model import duration
from tradewind.model.duration import stamp


class Cause(StrEnum):
    """What a task that has not ended waits for, in the order of its life cycle."""

    QUEUED = "queued run"
    DEPENDENCIES = "dependencies"
    BACK_OFF = "back-off"
    PARALLELISM = "parallelism"
    POOL = "pool"
    QUOTA = "quota"
    """A quota, or another reason for which the API server refuses the pod."""
    PERSON = "person"
    """A person has to decide, or to resume the run."""
    OPERATOR = "operator"
    """Nothing blocks it: the operator must create its pod."""
    SCHEDULING = "scheduling"
    IMAGE = "image"
    """Its image is pulled, or its container created."""
    CONFIG = "configuration"
    """A Secret, a ConfigMap or a key that it names is missing."""
    RUNNING = "running"


SUSPENDED = "Suspended"
"""The reason of what waits for the run to be resumed."""
NOT_SEEN = "NotSeen"
"""The reason of a run that no operator has taken up."""
WORK = frozenset({Cause.DEPENDENCIES, Cause.RUNNING})
"""Causes that are not lost time: running tasks, and tasks that wait for them."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A task, or an item, that has not ended. `since` and `until` are epoch seconds, if known."""

    task: str
    cause: Cause
    reason: str = ""
    message: str = ""
    since: float | None = None
    until: float | None = None

    def seconds(self, now: float) -> float | None:
        """Seconds so far. The API server's clock may be ahead of this machine's."""
        return None if self.since is None else max(0.0, now - self.since)

    def words(self, now: float) -> str:
        """The wait for people: why, and until when."""
        left = f" (in {duration.text(max(0, round(self.until - now)))})" if self.until is not None else ""
        return self.message + left

    def data(self, now: float) -> dict[str, Any]:
        """The wait for programs."""
        return {
            "cause": str(self.cause),
            "reason": self.reason,
            "message": self.message,
            "since": None if self.since is None else stamp(self.since),
            "until": None if self.until is None else stamp(self.until),
            "seconds": None if self.since is None else round(self.seconds(now) or 0),
        }


def queued(run: Run) -> Wait:
    """The wait of a run that has not begun."""
    if not run.phase:
        return Wait("", Cause.OPERATOR, NOT_SEEN, "the operator has not taken it up yet", run.created)
    conditions = run.status.get("conditions") or []
    reason = next((str(item["reason"]) for item in conditions if item["type"] == "Started"), "")
    return Wait("", Cause.QUEUED, reason, str(run.status.get("message") or ""), run.created)
