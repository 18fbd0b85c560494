"""Backfill: runs of a DAG for past ticks."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tradewind.model.base import DNS_SUBDOMAIN, Model, Name, Params, ShortText, Timestamp, crd, rule
from tradewind.model.condition import Conditions
from tradewind.model.schedule import Moment

FINISHED = frozenset({"Succeeded", "Failed", "Cancelled"})
"""Phases of a backfill that has ended."""
FIXED = ("dag", "trigger", "cron", "timeZone", "start", "end", "ticks", "runs")
"""Fields that define its ticks: with other values it would be another backfill."""
State = Literal["Missing", "Failed", "Succeeded"]
Action = Literal["Create", "Retry", "Rerun"]


class BackfillSpec(Model):
    """The DAG, its ticks, and how to run them."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[
                rule("has(self.ticks) != has(self.start)", "write either ticks, or start (and end)"),
                rule(
                    "has(self.ticks) ? !has(self.cron) && !has(self.end) : has(self.trigger) != has(self.cron)",
                    "with start, write either trigger or cron; with ticks, write neither cron nor end",
                ),
                rule(
                    "oldSelf.desiredState != 'Cancelled' || self.desiredState == 'Cancelled'",
                    "a cancelled backfill can't continue: create another one",
                    fieldPath=".desiredState",
                ),
                *(
                    rule(
                        f"has(self.{name}) == has(oldSelf.{name}) && (!has(self.{name}) || self.{name} == oldSelf.{name})",
                        f"{name} can't be changed: create another backfill",
                        fieldPath=f".{name}",
                    )
                    for name in FIXED
                ),
            ]
        )
    )

    dag: Name
    """Name of the DAG, in the same namespace."""
    description: ShortText = ""
    """Purpose of the backfill."""
    trigger: Annotated[str, Field(max_length=63, pattern=rf"^$|{DNS_SUBDOMAIN}")] = ""
    """A Trigger of the DAG with a schedule, which gives the ticks, params and `when`. A tick's run has the same name as
    if the schedule had created it, so a tick never has two runs."""
    cron: Annotated[str, Field(max_length=256)] = ""
    """Cron expression for the ticks, as in a schedule; used instead of a trigger."""
    time_zone: Annotated[str, Field(max_length=64)] = ""
    """IANA name of the time zone of `cron`, and of start, end and ticks without an offset. Defaults to the trigger's
    time zone, or UTC."""
    start: Moment | None = None
    """First tick to include (inclusive)."""
    end: Moment | None = None
    """Last tick to include (inclusive). A date without a time includes the whole day. Defaults to the creation time of
    the backfill. Later ticks are left to the schedule."""
    ticks: Annotated[list[Moment], Field(max_length=1_000)] = []
    """Points in time to run instead of a range. With a trigger, they must be ticks of its schedule, and a date without
    a time stands for all ticks of that day."""
    runs: Annotated[list[State], Field(min_length=1, max_length=3)] = ["Missing"]
    """Selects the ticks to run by their latest run. Missing: no run exists. Failed: it failed or was cancelled; the
    failed tasks are retried in the same run. Succeeded: it succeeded; a new run is created and the old one kept."""
    order: Literal["OldestFirst", "NewestFirst"] = "OldestFirst"
    """Order in which ticks are run."""
    parallelism: Annotated[int, Field(ge=1, le=100)] = 1
    """Maximum number of the backfill's runs that are active at once. The DAG's maxActiveRuns neither counts nor delays
    them."""
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] = -1_000
    """Priority of the backfill's runs. The low default lets other runs get pool slots first."""
    params: Params = {}
    """Values for the DAG's params; they override those of the trigger. `$[[ ]]` is rendered, as in a trigger."""
    desired_state: Literal["Running", "Suspended", "Cancelled"] = "Running"
    """Suspended: no further runs are created, and active runs continue. Cancelled: active runs are cancelled too."""
    dry_run: bool = False
    """If true, status.preview shows the planned actions and no run is created. Set it to false to start."""


class Preview(Model):
    """The planned action for a tick."""

    tick: Timestamp
    """The tick, in the backfill's time zone."""
    action: Action
    """Create: a run is created. Retry: failed tasks of the existing run are retried. Rerun: another run is created."""


class BackfillStatus(Model):
    """Progress of the backfill, counted from the existing runs each time."""

    observed_generation: int = 0
    """The generation that this status describes."""
    phase: Literal["DryRun", "Running", "Suspended", "Waiting", "Invalid", "Succeeded", "Failed", "Cancelled", ""] = ""
    """Waiting: something must be fixed first. Failed: the backfill is finished and some of its runs failed."""
    message: Annotated[str, Field(max_length=4_096)] = ""
    """Reason for the phase."""
    progress: str = ""
    """Finished ticks out of all selected ticks, e.g. 12/31."""
    total: int = 0
    """Number of ticks."""
    kept: int = 0
    """Number of ticks left unchanged because `runs` doesn't select them."""
    remaining: int = 0
    """Number of ticks not started yet."""
    active: int = 0
    """Number of runs of the backfill that have not ended."""
    succeeded: int = 0
    """Number of runs of the backfill that succeeded."""
    failed: int = 0
    """Number of runs of the backfill that failed or were cancelled."""
    failures: Annotated[list[str], Field(max_length=20)] = []
    """Names of runs that failed or were cancelled."""
    preview: Annotated[list[Preview], Field(max_length=20)] = []
    """The next ticks and their planned actions."""
    finished_at: Timestamp | None = None
    """Time when the backfill finished."""
    conditions: Conditions = []
    """Valid: true if the backfill can run; the message says what to fix. Ready: true when it is finished; until then
    Stalled or Reconciling is true."""


class Backfill(Model):
    """Creates runs of a DAG for past ticks: those without a run, or those whose runs failed."""

    kind: ClassVar = "Backfill"
    plural: ClassVar = "backfills"
    scope: ClassVar = "Namespaced"
    short_names: ClassVar[list[str]] = ["bf"]
    name_limit: ClassVar = 46
    columns: ClassVar[list[dict[str, Any]]] = [
        {"name": "DAG", "type": "string", "jsonPath": ".spec.dag"},
        {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
        {"name": "Done", "type": "string", "jsonPath": ".status.progress"},
        {"name": "Active", "type": "integer", "jsonPath": ".status.active"},
        {"name": "Failed", "type": "integer", "jsonPath": ".status.failed"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        {"name": "Message", "type": "string", "jsonPath": ".status.message", "priority": 1},
    ]
    selectable: ClassVar[list[str]] = [".spec.dag"]

    spec: BackfillSpec
    """The DAG, its ticks, and how to run them."""
    status: BackfillStatus | None = None
    """Progress of the backfill."""
