"""The planner's input about pods, and its output."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tradewind.model.pool import PoolClaim
from tradewind.model.run import Phase
from tradewind.plan.outcomes.attempt import key


@dataclass(frozen=True, slots=True)
class Live:
    """A pod that has not ended. `seen` is when this process first saw it and `pending_since` the same, None once its container has
    started, both in monotonic seconds; `created` is the API's timestamp in epoch seconds."""

    number: int
    pending_since: float | None = None
    stopping: bool = False
    reason: str = ""
    message: str = ""
    seen: float = 0.0
    created: int = 0


@dataclass(frozen=True, slots=True)
class Start:
    """Create the pod of this attempt."""

    task: str
    index: int | None
    number: int
    why: str
    priority: int = 0
    pools: tuple[PoolClaim, ...] = ()
    ooms: int = 0
    """How many attempts ran out of memory before."""
    avoid_spot: bool = False
    """Whether this is the last attempt that the infrastructure's budget allows, and is to stay off spot nodes."""

    @property
    def key(self) -> str:
        """The task, or the item of it."""
        return key(self.task, self.index)


@dataclass(frozen=True, slots=True)
class Stop:
    """Delete the pod of this attempt. `reason` is what the attempt ends as."""

    task: str
    number: int
    reason: str
    why: str


GATED = "SchedulingGated"
"""Why a pod has not started: somebody, as a queue like Kueue, has put a gate before the scheduler, and takes it away in time."""
IN_ORDER = frozenset({"Wait", "SubDAG", "Sensor", GATED})
"""Reasons of holds that are as they should be: time passes, another run is at work, or something outside is awaited."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A task, or an item, that waits for something other than its dependencies."""

    task: str
    reason: str
    message: str


@dataclass(slots=True)
class Plan:
    """What to do now, and when to ask again (monotonic seconds) if nothing happens before."""

    starts: list[Start] = field(default_factory=list)
    """In the order in which they should be made, within the limits of fan-outs."""
    podless: list[Start] = field(default_factory=list)
    """The same for tasks that need no pod, and so no room."""
    room: int | None = None
    """How many of them the run's parallelism allows; None for all."""
    wanting: dict[tuple[PoolClaim, ...], int] = field(default_factory=dict)
    """How many tasks and items are ready, by the pools that they need."""
    stops: list[Stop] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    held: int = 0
    """How many tasks and items wait, also those that `holds` does not list."""
    unsettled: bool = False
    """Whether the time of one pass was not enough to look at all that has changed: the next pass goes on."""
    moving: bool = False
    """Whether a pod lives that nothing holds up."""
    phase: Phase = "Running"
    message: str = ""
    results: Mapping[str, Any] = field(default_factory=dict)
    """What the DAG's outputs give, once the run has succeeded."""
    wake_at: float | None = None


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What expressions know of a run."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    dag: str = ""
    params: Mapping[str, object] = field(default_factory=dict)
    depth: int = 0
    """Of how many runs it is a part, one within another. Expressions don't know it."""
    logical_date: str = ""
    interval_start: str = ""
    interval_end: str = ""
    trigger_depth: int = 0
    """How many runs led to it, by triggers that follow runs. Expressions don't know it."""
    root: str = ""
    """Uid of the outermost run that it is within; empty where it is that. Expressions don't know it."""
    started_at: str = ""
    """When it began, as the API writes it; empty before."""

    @property
    def dates(self) -> dict[str, str]:
        """By their names in a run's spec."""
        return {
            "logicalDate": self.logical_date,
            "intervalStart": self.interval_start,
            "intervalEnd": self.interval_end,
        }

    def values(self) -> dict[str, object]:
        """By the names that expressions use."""
        return {
            "run.name": self.name,
            "run.namespace": self.namespace,
            "run.uid": self.uid,
            "run.dag": self.dag,
            "run.attempt": 0,
            "run.startedAt": self.started_at,
            **dated(self.logical_date, self.interval_start, self.interval_end),
            **{f"params.{name}": value for name, value in self.params.items()},
        }


def dated(logical_date: str, interval_start: str, interval_end: str) -> dict[str, str]:
    """What a run is about, by the names that expressions use."""
    return {
        "run.logicalDate": logical_date,
        "run.date": logical_date[:10],
        "run.intervalStart": interval_start,
        "run.intervalEnd": interval_end,
    }
