"""The planner's input about pods, and its output."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tradewind.model.pool import PoolClaim
from tradewind.model.run import Phase
from tradewind.plan.outcomes.attempt import key


@dataclass(frozen=True, slots=True)
class Live:
    """A pod that has not ended. `seen` is when this process first saw it and `pending_since` the same, None once its
    container has started, both in monotonic seconds; `created` is the API's timestamp in epoch seconds."""

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
    place: int = 0
    """The position of the task in the DAG."""
    ooms: int = 0
    """The number of attempts that ran out of memory before."""
    avoid_spot: bool = False
    """Whether this is the last attempt within the infrastructure's budget and must avoid spot nodes."""

    @property
    def key(self) -> str:
        """The task, or the item of it."""
        return key(self.task, self.index)

    @property
    def order(self) -> tuple[int, int, int]:
        """Sorts starts of different kinds as each kind is sorted."""
        return -self.priority, self.place, -1 if self.index is None else self.index


@dataclass(frozen=True, slots=True)
class Stop:
    """Delete the pod of this attempt. `reason` is the attempt's result."""

    task: str
    number: int
    reason: str
    why: str


GATED = "SchedulingGated"
"""Why a pod has not started: a controller, such as a queue like Kueue, has set a scheduling gate and will remove it."""
PREVIOUS = "PreviousRun"
"""The reason for which a task waits for the run before."""
MEMORY = "Memory"
"""The reason of holds that wait for the operator's memory."""
CROWDED = (
    "the runs of this namespace take all the memory that the operator has for one: it continues when others have ended"
)
IN_ORDER = frozenset({"Wait", "SubDAG", "Sensor", GATED})
"""Reasons of holds that are normal: time passes, another run works, or something outside is awaited."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A task, or an item, that waits for something other than its dependencies."""

    task: str
    reason: str
    message: str


@dataclass(slots=True)
class Plan:
    """What to do now, and when to plan again (monotonic seconds) if nothing happens before."""

    starts: list[Start] = field(default_factory=list)
    """Starts, in the order in which to make them, within the limits of fan-outs."""
    podless: list[Start] = field(default_factory=list)
    """Starts of tasks that need no pod. Only calls of DAGs that claim pools need room: they take it with their slots."""
    room: int | None = None
    """How many pods and such calls the run's parallelism allows; None for all."""
    wanting: dict[tuple[PoolClaim, ...], int] = field(default_factory=dict)
    """The number of ready tasks and items, by the pools that they need."""
    stops: list[Stop] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    held: int = 0
    """The number of waiting tasks and items, including those that `holds` does not list."""
    unsettled: bool = False
    """Whether the time of one pass was too short for all changes: the next pass continues."""
    moving: bool = False
    """Whether there is a live pod that nothing holds up."""
    phase: Phase = "Running"
    message: str = ""
    results: Mapping[str, Any] = field(default_factory=dict)
    """The DAG's outputs, once the run has succeeded."""
    kept: Mapping[str, Any] = field(default_factory=dict)
    """The values for later runs, once the run has succeeded."""
    wake_at: float | None = None


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Facts about a run for expressions."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    dag: str = ""
    params: Mapping[str, object] = field(default_factory=dict)
    depth: int = 0
    """The number of runs that it is nested in. Not visible to expressions."""
    logical_date: str = ""
    interval_start: str = ""
    interval_end: str = ""
    trigger_depth: int = 0
    """The number of runs that led to it, by triggers that follow runs. Not visible to expressions."""
    root: str = ""
    """Uid of the outermost run that contains it; empty for an outermost run. Not visible to expressions."""
    started_at: str = ""
    """When it began, as an API timestamp; empty before."""
    only: tuple[str, ...] = ()
    """The only tasks that it runs; empty for all. Not visible to expressions."""
    until: tuple[str, ...] = ()
    """Tasks with which it ends: it runs these and what they need. Not visible to expressions."""
    partial: bool = False
    """Whether it leaves tasks out that no other run has done: it has no results, and later runs don't count it. Not visible to
    expressions."""
    bound: Mapping[str, object] = field(default_factory=dict)
    """What it read when it began, by the names that expressions use."""

    @property
    def dates(self) -> dict[str, str]:
        """The dates, by their names in a run's spec."""
        return {
            "logicalDate": self.logical_date,
            "intervalStart": self.interval_start,
            "intervalEnd": self.interval_end,
        }

    def values(self) -> dict[str, object]:
        """The values, by the names that expressions use."""
        return {
            "run.name": self.name,
            "run.namespace": self.namespace,
            "run.uid": self.uid,
            "run.dag": self.dag,
            "run.attempt": 0,
            "run.startedAt": self.started_at,
            **dated(self.logical_date, self.interval_start, self.interval_end),
            **self.bound,
            **{f"params.{name}": value for name, value in self.params.items()},
        }


def dated(logical_date: str, interval_start: str, interval_end: str) -> dict[str, str]:
    """The dates of a run, by the names that expressions use."""
    return {
        "run.logicalDate": logical_date,
        "run.date": logical_date[:10],
        "run.intervalStart": interval_start,
        "run.intervalEnd": interval_end,
    }
