"""Backfill: runs of a DAG for ticks that lie in the past."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tradewind.model.base import DNS_SUBDOMAIN, Model, Name, Params, ShortText, Timestamp, crd, rule
from tradewind.model.condition import Conditions
from tradewind.model.schedule import Moment

FINISHED = frozenset({"Succeeded", "Failed", "Cancelled"})
"""Phases of a backfill that is over."""
FIXED = ("dag", "trigger", "cron", "timeZone", "start", "end", "ticks", "runs")
"""Fields that say which ticks it is about: another answer is another backfill."""
State = Literal["Missing", "Failed", "Succeeded"]
Action = Literal["Create", "Retry", "Rerun"]


class BackfillSpec(Model):
    """Which ticks of which DAG, and what to do about them."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[
                rule("has(self.ticks) != has(self.start)", "write either ticks, or start (and end)"),
                rule(
                    "has(self.ticks) ? !has(self.cron) && !has(self.end) : has(self.trigger) != has(self.cron)",
                    "from start on there are the ticks of either a trigger or a cron: write one of them; with ticks there is neither cron nor end",
                ),
                rule(
                    "oldSelf.desiredState != 'Cancelled' || self.desiredState == 'Cancelled'",
                    "it is cancelled: create another one",
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
    """What it is for."""
    trigger: Annotated[str, Field(max_length=63, pattern=rf"^$|{DNS_SUBDOMAIN}")] = ""
    """A Trigger of the DAG with a schedule: its ticks, its params, its `when`. A tick's run has the name that the schedule gives it, so
    that no tick has two."""
    cron: Annotated[str, Field(max_length=256)] = ""
    """Ticks by an expression, as in schedules, where there is no trigger."""
    time_zone: Annotated[str, Field(max_length=64)] = ""
    """IANA name: of `cron`, and of start, end and ticks without an offset. The trigger's when absent, else UTC."""
    start: Moment | None = None
    """From here on, itself included."""
    end: Moment | None = None
    """Up to here, itself included, a date without a time with its whole day; the backfill's creation when absent. Later ticks are left to the schedule."""
    ticks: Annotated[list[Moment], Field(max_length=1_000)] = []
    """Points in time, instead of a range. Of a trigger, ticks of its; a date without a time stands for its ticks on that day."""
    runs: Annotated[list[State], Field(min_length=1, max_length=3)] = ["Missing"]
    """Which ticks get a run: those that have none, those whose latest run failed or was cancelled, those whose latest run succeeded. What
    failed is tried again in the same run, what succeeded keeps its old run beside the new one."""
    order: Literal["OldestFirst", "NewestFirst"] = "OldestFirst"
    """Where it begins."""
    parallelism: Annotated[int, Field(ge=1, le=100)] = 1
    """How many of its runs there are at once. The DAG's maxActiveRuns neither counts them nor holds them back."""
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] = -1_000
    """Of the runs that it makes: low, so that other runs get the slots of pools first."""
    params: Params = {}
    """Values for the DAG's params, over those of the trigger; `$[[ ]]` as there."""
    desired_state: Literal["Running", "Suspended", "Cancelled"] = "Running"
    """Suspended: no more runs are made, those that there are go on. Cancelled: they are cancelled too."""
    dry_run: bool = False
    """Only says what it would do. Set it to false to do it."""


class Preview(Model):
    """What a tick gets."""

    tick: Timestamp
    """The tick, in the time zone."""
    action: Action
    """Create: a run. Retry: what failed in its run is tried again. Rerun: another run."""


class BackfillStatus(Model):
    """How far it has come. Counted anew from the runs that there are."""

    observed_generation: int = 0
    """The generation that this status describes."""
    phase: Literal["DryRun", "Running", "Suspended", "Waiting", "Invalid", "Succeeded", "Failed", "Cancelled", ""] = ""
    """Waiting: something has to be fixed first. Failed: it is done, and runs of it failed."""
    message: Annotated[str, Field(max_length=4_096)] = ""
    """Why it is in this phase."""
    progress: str = ""
    """Ticks that are dealt with of all that it deals with, e.g. 12/31."""
    total: int = 0
    """How many ticks there are."""
    kept: int = 0
    """Ticks that are left as they are, since their runs are not among those that `runs` names."""
    remaining: int = 0
    """Ticks that have not had their turn."""
    active: int = 0
    """Its runs that have not ended."""
    succeeded: int = 0
    """Its runs that succeeded."""
    failed: int = 0
    """Its runs that failed, or were cancelled."""
    failures: Annotated[list[str], Field(max_length=20)] = []
    """Names of such runs."""
    preview: Annotated[list[Preview], Field(max_length=20)] = []
    """What comes next."""
    finished_at: Timestamp | None = None
    """When it was done."""
    conditions: Conditions = []
    """Valid: whether it can be done and, if not, what to fix. Ready: whether all is done; with Stalled or Reconciling while it is
    false."""


class Backfill(Model):
    """Makes runs of a DAG for the past: for ticks that have no run, or whose runs failed."""

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
    """Which ticks of which DAG, and what to do about them."""
    status: BackfillStatus | None = None
    """How far it has come."""
