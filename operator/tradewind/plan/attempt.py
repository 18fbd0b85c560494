"""One attempt of a task: how it ended, and which retry budget that spends."""

from collections.abc import Iterable
from dataclasses import dataclass

FAILURES = {
    "Error": "the task ended with an exit code other than 0",
    "StartError": "the container could not be started",
    "OOMKilled": "the container used more memory than its limit",
    "DeadlineExceeded": "the attempt took longer than the task's timeout",
    "OutputTooLarge": "the outputs are over the limit",
    "OutputInvalid": "the outputs are not a JSON object",
    "ExpressionError": "an expression could not be evaluated",
    "PodRefused": "the API server refused the pod",
}
"""Reasons that spend the user's budget (`retries.limit`)."""
LOSSES = {
    "PodDeleted": "the pod was deleted before it ended",
    "Evicted": "the node evicted the pod",
    "Preempted": "a pod of higher priority took its place",
    "NodeLost": "the node is gone",
    "PendingTimeout": "the pod did not start in time",
    "Rejected": "the node did not admit the pod",
}
"""Reasons that spend the infrastructure's budget (`retries.infrastructureLimit`)."""
CANCELLED = "Cancelled"
PERMANENT = frozenset({"PodRefused", "ExpressionError"})
"""Failures that the next attempt would only repeat."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that has ended. `start` and `end` are API timestamps in epoch seconds; an empty reason means success."""

    task: str
    number: int
    start: int
    end: int
    reason: str = ""
    exit_code: int | None = None
    node: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the task got done."""
        return not self.reason


def failures(attempts: Iterable[Attempt]) -> int:
    """How many attempts spent the user's budget."""
    return sum(attempt.reason in FAILURES for attempt in attempts)


def losses(attempts: Iterable[Attempt]) -> int:
    """How many attempts spent the infrastructure's budget."""
    return sum(attempt.reason in LOSSES for attempt in attempts)
