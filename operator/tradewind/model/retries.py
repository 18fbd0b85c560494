"""How often a task is tried again, and on what conditions."""

from typing import Annotated

from pydantic import Field

from tradewind.model.base import Expression, Model, Quantity
from tradewind.model.duration import Duration


class Backoff(Model):
    """How long to wait before the next attempt: initial · factor^(failures - 1), at most max."""

    initial: Duration = "10s"
    """Wait before the first retry."""
    factor: Annotated[float, Field(ge=1, le=10)] = 2
    """What each further wait is multiplied by. 1 waits equally long each time."""
    max: Duration = "5m"
    """No wait is longer than this."""
    jitter: Annotated[float, Field(ge=0, le=1)] = 0
    """Share by which a wait is made longer or shorter at random, so that tasks that failed together don't come back together."""


class OnOOM(Model):
    """More memory for the attempt after one that ran out of it."""

    memory_factor: Annotated[float, Field(ge=1.1, le=10)] = 2
    """What resources.limits.memory (and the request, if any) is multiplied by after each OOMKilled attempt."""
    max: Quantity
    """No limit is raised above this, e.g. 4Gi."""


class Retries(Model):
    """How often a task is tried again. Failures of the task and losses by the infrastructure count apart."""

    limit: Annotated[int, Field(ge=0, le=100)] = 0
    """Further attempts after the task itself failed: an exit code other than 0, a timeout, outputs that can't be read."""
    infrastructure_limit: Annotated[int, Field(ge=0, le=100)] = 5
    """Further attempts after the infrastructure lost one: evicted, node gone, pod deleted, image not pulled. Preemption spends nothing."""
    backoff: Backoff = Backoff()
    """Waiting time between attempts."""
    retry_on: Expression = ""
    """CEL over exitCode (-1 without one), reason, attempt and seconds: a failed attempt for which it is false is the last,
    e.g. `exitCode in [75, 111]`. Losses are not asked."""
    fail_on: Expression = ""
    """CEL over the same: a failed attempt for which it is true is the last, e.g. `exitCode == 64`."""
    on_oom: Annotated[OnOOM | None, Field(alias="onOOM")] = None
    """Raises the memory limit after an attempt that was OOMKilled. Such attempts count as failures."""
    avoid_spot: bool = False
    """When true, the last attempt that infrastructureLimit allows stays away from spot nodes (by the labels of the big clouds and
    of Karpenter)."""
