"""Trigger: what makes runs of a DAG by itself."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tradewind.model.asset import Assets
from tradewind.model.base import Expression, Model, Name, Params, ShortText, Timestamp, crd, rule
from tradewind.model.completed_run import Completed
from tradewind.model.condition import Conditions
from tradewind.model.event import EventSource
from tradewind.model.object_change import ObjectChange, ObjectChangeStatus
from tradewind.model.schedule import Schedule, ScheduleStatus
from tradewind.model.sensor import SensorStatus
from tradewind.model.trigger_progress import Gathered
from tradewind.model.trigger_sensor import TriggerSensor

SOURCES = ("schedule", "event", "completed", "assets", "object", "sensor")
"""Fields of a trigger that say what fires it. One of them has to be there."""


class TriggerSpec(Model):
    """Which DAG to run, when, and with what."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[
                rule(
                    f"[{', '.join(f'has(self.{source})' for source in SOURCES)}].filter(x, x).size() == 1",
                    f"write one of {', '.join(SOURCES)}",
                ),
                rule(
                    "self.dag == oldSelf.dag", "a trigger's DAG can't be changed: create another one", fieldPath=".dag"
                ),
            ]
        )
    )

    dag: Name
    """Name of the DAG, in the same namespace."""
    description: ShortText = ""
    """What it is for."""
    params: Params = {}
    """Values for the DAG's params. `$[[ ]]` is rendered; where it is the whole value, its type is kept. All expressions know
    `run.logicalDate`, `run.date`, `run.intervalStart`, `run.intervalEnd`, and what the source gives besides."""
    when: Expression = ""
    """CEL: where it is false, nothing is run."""
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] | None = None
    """Of its runs; the DAG's when absent."""
    max_per_minute: Annotated[int, Field(ge=1, le=10_000)] = 300
    """How many runs it makes within a minute; what is over it waits. Of schedules, which go by their ticks, and of events, which have
    spec.event.maxPerSecond, it limits nothing."""
    suspend: bool = False
    """When true it makes no runs. What happens meanwhile is not made up for."""
    schedule: Schedule | None = None
    """Fires by the clock."""
    event: EventSource | None = None
    """Fires for what is posted to the endpoint for events."""
    completed: Completed | None = None
    """Fires when runs of other DAGs have ended."""
    assets: Assets | None = None
    """Fires when assets have been updated."""
    object: ObjectChange | None = None
    """Fires when objects of the cluster change."""
    sensor: TriggerSensor | None = None
    """Fires when something outside is there."""

    @property
    def source(self) -> str:
        """Which of SOURCES it has."""
        return next(name for name in SOURCES if getattr(self, name) is not None)

    @property
    def vocabulary(self) -> str:
        """What its expressions may name: a key of plan.trigger.VARIABLES."""
        if self.sensor is None:
            return self.source
        return f"sensor.{self.sensor.kind}{'.items' if self.sensor.items else ''}"


class Fired(Model):
    """A run that a trigger made."""

    name: str = ""
    """Its name."""
    at: Timestamp | None = None
    """When it was made."""


class TriggerStatus(Model):
    """What a trigger has done, and does next."""

    observed_generation: int = 0
    """The generation that this status describes."""
    phase: Literal["Active", "Suspended", "Waiting", "Invalid", "Done", ""] = ""
    """Active: it fires. Suspended: it, or its DAG, is suspended. Waiting: something has to be fixed first. Done: there is no tick left."""
    source: str = ""
    """What fires it."""
    message: Annotated[str, Field(max_length=4_096)] = ""
    """Why it is in this phase, and what it did last."""
    last_run: Fired | None = None
    """The latest run that it made."""
    next: Timestamp | None = None
    """When it fires next, where that is known."""
    schedule: ScheduleStatus | None = None
    """How far its schedule has come."""
    completed: Gathered | None = None
    """Which runs of other DAGs have been dealt with."""
    assets: Gathered | None = None
    """Which updates of assets have been dealt with."""
    object: ObjectChangeStatus | None = None
    """Which objects have been dealt with."""
    sensor: SensorStatus | None = None
    """How far its sensor has come."""
    conditions: Conditions = []
    """Valid: whether its spec is right and, if not, what to fix. Ready: whether it fires, or is suspended; with Stalled or Reconciling
    while it is false."""


class Trigger(Model):
    """Makes runs of a DAG by itself: by the clock, or when something happens."""

    kind: ClassVar = "Trigger"
    plural: ClassVar = "triggers"
    scope: ClassVar = "Namespaced"
    short_names: ClassVar[list[str]] = []
    name_limit: ClassVar = 46
    columns: ClassVar[list[dict[str, Any]]] = [
        {"name": "DAG", "type": "string", "jsonPath": ".spec.dag"},
        {"name": "Source", "type": "string", "jsonPath": ".status.source"},
        {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
        {"name": "Last Run", "type": "string", "jsonPath": ".status.lastRun.name"},
        {"name": "Last Fired", "type": "date", "jsonPath": ".status.lastRun.at"},
        {"name": "Next", "type": "string", "jsonPath": ".status.next"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        {"name": "Message", "type": "string", "jsonPath": ".status.message", "priority": 1},
    ]
    selectable: ClassVar[list[str]] = [".spec.dag"]

    spec: TriggerSpec
    """Which DAG to run, when, and with what."""
    status: TriggerStatus | None = None
    """What it has done, and does next."""
