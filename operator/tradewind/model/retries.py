"""How often a task is retried, and under which conditions."""

from typing import Annotated

from pydantic import Field

from tradewind.model.base import Expression, Model, Quantity
from tradewind.model.duration import Duration


class Backoff(Model):
    """Wait before the next attempt: initial · factor^(failures - 1), at most max."""

    initial: Duration = "10s"
    """Wait before the first retry."""
    factor: Annotated[float, Field(ge=1, le=10)] = 2
    """Factor by which each further wait grows. 1 keeps it constant."""
    max: Duration = "5m"
    """Maximum wait."""
    jitter: Annotated[float, Field(ge=0, le=1)] = 0
    """Share by which each wait is randomly lengthened or shortened, so that tasks that failed together don't retry at
    the same time."""


class Delay(Model):
    """Wait after attempts of one kind."""

    when: Annotated[Expression, Field(min_length=1)]
    """CEL over exitCode, reason, attempt and seconds of the attempt that ended, e.g. `exitCode == 29`."""
    delay: Duration
    """Wait before the next attempt."""


class OnOOM(Model):
    """Raises the memory for the next attempt after one that ran out of memory."""

    memory_factor: Annotated[float, Field(ge=1.1, le=10)] = 2
    """Factor by which resources.limits.memory (and the request, if set) grows after each OOMKilled attempt."""
    max: Quantity
    """Maximum memory limit, e.g. 4Gi."""


class Retries(Model):
    """Number of retries. Failures of the task and losses by the infrastructure are counted separately."""

    limit: Annotated[int, Field(ge=0, le=100)] = 0
    """Maximum number of retries after failures of the task: an exit code other than 0, a timeout, or unreadable
    outputs."""
    infrastructure_limit: Annotated[int, Field(ge=0, le=100)] = 5
    """Maximum number of retries after losses by the infrastructure: eviction, loss of the node, deletion of the pod, or
    an image that can't be pulled. Preemptions don't count."""
    backoff: Backoff = Backoff()
    """Wait between attempts."""
    delays: Annotated[list[Delay], Field(max_length=8)] = []
    """Waits by kind of failure or loss: the first whose `when` is true replaces backoff."""
    retry_on: Expression = ""
    """CEL over exitCode (-1 if there is none), reason, attempt and seconds, e.g. `exitCode in [75, 111]`. A failed
    attempt is retried only if it is true. It doesn't apply to losses."""
    fail_on: Expression = ""
    """CEL over the same variables, e.g. `exitCode == 64`. A failed attempt for which it is true is not retried."""
    on_oom: Annotated[OnOOM | None, Field(alias="onOOM")] = None
    """Raises the memory limit after an OOMKilled attempt. Such attempts count as failures."""
    avoid_spot: bool = False
    """If true, the last attempt that infrastructureLimit allows avoids spot nodes (recognized by the labels of the
    major clouds and Karpenter)."""
