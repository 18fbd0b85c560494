"""One attempt of a task: how it ended, and which retry budget it uses."""

from dataclasses import dataclass

from tradewind.plan.outcomes.state import State

AttemptKey = tuple[str, int]
"""A task or item, and the number of an attempt."""
FAILURES = {
    "Error": "the task ended with an exit code other than 0",
    "StartError": "the container could not be started",
    "OOMKilled": "the container used more memory than its limit",
    "DeadlineExceeded": "the attempt took longer than the task's timeout",
    "OutputTooLarge": "the outputs are over the limit",
    "OutputInvalid": "the outputs are not what the task declares",
    "ArtifactMissing": "an artifact is missing: the task did not create it, or it is no longer in the store",
    "ArtifactMismatch": "an artifact in the store is not what was stored: its size or checksum differs",
    "ArtifactError": "an artifact could not be stored or fetched",
    "ConfigError": "the container could not be configured: a Secret or ConfigMap is missing",
    "ImageInvalid": "the image's name is not one",
    "TotalTimeout": "all attempts together took longer than the task's total timeout",
    "ExpressionError": "an expression could not be evaluated",
    "PodRefused": "the API server refused the pod",
    "HttpError": "the HTTP request had no answer, or one that does not count as success",
    "Declined": "the approval was declined",
    "ApprovalTimeout": "the approval was not decided in time",
    "SensorTimeout": "the sensor timed out",
    "SubDAGFailed": "the run of the sub-DAG failed, or was cancelled",
    "SubDAGTooDeep": "sub-DAGs run within sub-DAGs, more of them than the limit allows",
    "SubDAGTooMany": "more runs have come of one run than the limit allows",
}
"""Reasons that use the user's budget (`retries.limit`)."""
LOSSES = {
    "PodDeleted": "the pod was deleted before it ended",
    "Evicted": "the node evicted the pod",
    "NodeLost": "the node is gone",
    "Unschedulable": "no node took the pod in time",
    "ImagePullFailed": "the image could not be pulled in time",
    "PendingTimeout": "the pod did not start in time",
    "Rejected": "the node did not admit the pod",
    "SubDAGDeleted": "the run of the sub-DAG was deleted before it ended",
}
"""Reasons that use the infrastructure's budget (`retries.infrastructureLimit`)."""
PREEMPTIONS = {
    "Preempted": "something more important took its place: the scheduler, or a queue like Kueue, stopped the pod",
}
"""Reasons that use no budget: the attempt is repeated as often as necessary, within time limits."""
LOST = frozenset({*LOSSES, *PREEMPTIONS})
"""Reasons for which neither the task nor the run's users are responsible."""
CANCELLED = "Cancelled"
RUN_TIMEOUT = "RunTimeout"
FAIL_FAST = "FailFast"
SUPERSEDED = "Superseded"
"""The attempt was stopped because it does not count any more: the task was cleared, or marked by hand."""
SOFT, SKIPPED_ITSELF = "SoftFailed", "SkippedItself"
SKIPS = {
    SOFT: "its sensor timed out, and softFail skips it",
    SKIPPED_ITSELF: "its attempt ended as skipOn says",
}
"""Reasons of attempts after which the task is skipped. They use no budget, and no attempt follows."""
LOOP_FAILED, TOTAL_TIMEOUT = "LoopFailed", "TotalTimeout"
"""Why a task fails between two attempts: its loop has used up its iterations, or there is no time for another attempt."""
STOPPED = frozenset({CANCELLED, RUN_TIMEOUT, FAIL_FAST, SUPERSEDED})
"""Reasons of attempts that were stopped for something outside the task. They use no budget, and no attempt follows."""
PERMANENT = frozenset(
    {
        "PodRefused",
        "ExpressionError",
        "ImageInvalid",
        "TotalTimeout",
        "Declined",
        "ApprovalTimeout",
        "SensorTimeout",
        "SubDAGTooDeep",
        "SubDAGTooMany",
    }
)
"""Failures that the next attempt would repeat."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that has ended. `task` is a task, or an item as `task[index]`; `start` and `end` are API timestamps in
    epoch seconds; an empty reason means success."""

    task: str
    number: int
    start: int
    end: int
    reason: str = ""
    exit_code: int | None = None
    node: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the attempt succeeded."""
        return not self.reason


@dataclass(frozen=True, slots=True)
class Cleared:
    """Attempts of a task or item up to this number don't count any more, nor does a state set by hand before."""

    key: str
    number: int


@dataclass(frozen=True, slots=True)
class Retried:
    """A task or item that had failed for good is tried again: its attempts up to this number used up a budget of their own."""

    key: str
    number: int


@dataclass(frozen=True, slots=True)
class Fixed:
    """The final state of a task or item, set by hand or taken from the run whose results this one reuses."""

    key: str
    state: State
    why: str = ""


def key(task: str, index: int | None) -> str:
    """The key of an item, `task[index]`; of the task itself without an index."""
    return task if index is None else f"{task}[{index}]"


def parse_key(text: str) -> tuple[str, int | None]:
    """A task and the index of its item, if any."""
    task, bracket, rest = text.partition("[")
    return task, int(rest[:-1]) if bracket and rest[:-1].isdecimal() else None
