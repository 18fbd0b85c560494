"""Trigger: creates runs of a DAG automatically."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tradewind.model.asset import Assets
from tradewind.model.base import Expression, Model, Name, Params, ShortText, Timestamp, crd, rule
from tradewind.model.completed_run import Completed
from tradewind.model.condition import Conditions
from tradewind.model.duration import DateTime
from tradewind.model.event import EventSource
from tradewind.model.object_change import ObjectChange, ObjectChangeStatus
from tradewind.model.schedule import Schedule, ScheduleStatus
from tradewind.model.sensor import SensorStatus
from tradewind.model.trigger_progress import Gathered
from tradewind.model.trigger_sensor import TriggerSensor

SOURCES = ("schedule", "event", "completed", "assets", "object", "sensor")
"""Fields for the source of a trigger. Exactly one must be set."""


class TriggerSpec(Model):
    """The DAG to run, the source that fires, and the params."""

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
    """Purpose of the trigger."""
    params: Params = {}
    """Values for the DAG's params. `$[[ ]]` is rendered; an expression that is the whole value keeps its type.
    Expressions can use `run.logicalDate`, `run.date`, `run.intervalStart`, `run.intervalEnd` and the variables of the
    source."""
    when: Expression = ""
    """CEL. If it is false, no run is created."""
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] | None = None
    """Priority of the trigger's runs. Defaults to the DAG's."""
    max_per_minute: Annotated[int, Field(ge=1, le=10_000)] = 300
    """Maximum number of runs created per minute; further runs wait. It doesn't apply to schedules, or to events, which
    have spec.event.maxPerSecond."""
    suspend_after_failures: Annotated[int, Field(ge=1, le=100)] | None = None
    """Number of its runs that fail in a row after which the trigger creates no more, until one of them is retried with success, or
    `tradewind resume trigger/NAME`. Never when absent."""
    failures_since: DateTime | None = None
    """Failures of runs that were created before this time don't count for suspendAfterFailures. `tradewind resume` sets it."""
    suspend: bool = False
    """If true, the trigger creates no runs, and what happens meanwhile is not made up for later."""
    schedule: Schedule | None = None
    """Fires at set times."""
    event: EventSource | None = None
    """Fires for events posted to the event endpoint."""
    completed: Completed | None = None
    """Fires when runs of other DAGs have ended."""
    assets: Assets | None = None
    """Fires when assets have been updated."""
    object: ObjectChange | None = None
    """Fires when objects of the cluster change."""
    sensor: TriggerSensor | None = None
    """Fires for what a sensor finds."""

    @property
    def source(self) -> str:
        """The one of SOURCES that is set."""
        return next(name for name in SOURCES if getattr(self, name) is not None)

    @property
    def vocabulary(self) -> str:
        """The variables of its expressions: a key of plan.triggers.trigger.VARIABLES."""
        if self.sensor is None:
            return self.source
        return f"sensor.{self.sensor.kind}{'.items' if self.sensor.items else ''}"


class Fired(Model):
    """A run that the trigger created."""

    name: str = ""
    """Name of the run."""
    at: Timestamp | None = None
    """Time when it was created."""


class TriggerStatus(Model):
    """State of the trigger."""

    observed_generation: int = 0
    """The generation that this status describes."""
    phase: Literal["Active", "Suspended", "Waiting", "Invalid", "Done", ""] = ""
    """Active: the trigger fires. Suspended: the trigger or its DAG is suspended. Waiting: something must be fixed
    first. Done: no ticks are left."""
    source: str = ""
    """Kind of the source that fires."""
    message: Annotated[str, Field(max_length=4_096)] = ""
    """Reason for the phase, and the last action."""
    last_run: Fired | None = None
    """The latest run that the trigger created."""
    next: Timestamp | None = None
    """Time when the trigger fires next, if known."""
    schedule: ScheduleStatus | None = None
    """Progress of the schedule."""
    completed: Gathered | None = None
    """Runs of other DAGs that have been processed."""
    assets: Gathered | None = None
    """Asset updates that have been processed."""
    object: ObjectChangeStatus | None = None
    """Objects that have been processed."""
    sensor: SensorStatus | None = None
    """Progress of the sensor."""
    conditions: Conditions = []
    """Valid: true if the spec is valid; the message says what to fix. Ready: true if the trigger fires or is suspended;
    while it is false, Stalled or Reconciling is true."""


class Trigger(Model):
    """Creates runs of a DAG automatically: at set times, or when something happens."""

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
    """The DAG to run, the source that fires, and the params."""
    status: TriggerStatus | None = None
    """State of the trigger."""
