"""DAGRun: one execution of a DAG."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field

from tradewind.model.asset import AssetUpdate
from tradewind.model.base import Anything, Model, Name, Opaque, Params, ShortText, Timestamp, crd, rule
from tradewind.model.condition import Conditions
from tradewind.model.duration import YEARS, check_year

Phase = Literal["Queued", "Running", "Succeeded", "Failed", "Cancelled"]
DateTime = Annotated[
    str, Field(max_length=64, json_schema_extra={"format": "date-time", "pattern": YEARS}), AfterValidator(check_year)
]
MOST_EDITS = 200
FINAL_PHASES = frozenset({"Succeeded", "Failed", "Cancelled"})


class Edit(Model):
    """Something done to tasks by hand."""

    action: Literal["Clear", "Succeed", "Fail", "Skip"]
    """Clear: they run again, as though they never had. Succeed, Fail, Skip: they have ended so, whatever became of them."""
    tasks: Annotated[list[Annotated[str, Field(min_length=1, max_length=75)]], Field(min_length=1, max_length=100)]
    """Tasks, or items as task[index]; of a fan-out, all its items."""
    downstream: bool = True
    """Whether Clear also clears all that depends on them."""
    outputs: Annotated[dict[str, Opaque], Field(max_length=100)] = {}
    """For Succeed: outputs by task or task[index]."""
    by: ShortText = ""
    """Who did it. With the admission webhook this is who really did."""
    reason: ShortText = ""
    """Why."""


class Reuse(Model):
    """Results of another run."""

    run: Name
    """The other run, of the same DAG and namespace. It need not have ended."""
    rerun: Annotated[list[Name], Field(max_length=100)] = []
    """Tasks that run again, with all that depends on them. What succeeded otherwise is taken over with its outputs."""
    only: Annotated[list[Name], Field(max_length=100)] = []
    """Runs nothing but these tasks: all others are taken over, or skipped where they did not succeed."""


class DAGRunSpec(Model):
    """Which DAG to run, and with what."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[
                rule(
                    "(has(self.edits) ? self.edits.size() : 0) >= (has(oldSelf.edits) ? oldSelf.edits.size() : 0)",
                    "edits are added at the end, never removed: Clear undoes a mark",
                    fieldPath=".edits",
                ),
                rule(
                    f"!has(oldSelf.edits) || !has(self.edits) || {list(range(0, MOST_EDITS, 20))}.all(i, {list(range(20))}"
                    ".all(j, i + j >= oldSelf.edits.size() || i + j >= self.edits.size()"
                    " || self.edits[i + j] == oldSelf.edits[i + j]))",
                    "edits that are there can't be changed: add another at the end",
                    fieldPath=".edits",
                ),
                rule("self.dag == oldSelf.dag", "a run's DAG can't be changed: create another run", fieldPath=".dag"),
                *(
                    rule(
                        f"has(self.{name}) == has(oldSelf.{name}) && (!has(self.{name}) || self.{name} == oldSelf.{name})",
                        f"{name} can't be changed: create another run",
                        fieldPath=f".{name}",
                    )
                    for name in ("logicalDate", "intervalStart", "intervalEnd", "queue")
                ),
            ]
        )
    )

    dag: Name
    """Name of the DAG, in the same namespace."""
    params: Params = {}
    """Values for the DAG's params. They are read once, when the run begins: later changes have no effect."""
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] | None = None
    """Overrides the DAG's priority."""
    logical_date: DateTime | None = None
    """The moment that the run is about: for a schedule its tick, in the schedule's time zone. Its creation when absent."""
    interval_start: DateTime | None = None
    """Where the data begin that the run is about; the logical date when absent."""
    interval_end: DateTime | None = None
    """Where they end; the logical date when absent."""
    queue: Annotated[str, Field(max_length=63)] = ""
    """Runs of the same DAG and queue run one after the other, in the order in which they were made; those of none don't wait for each
    other."""
    retry_failed: Annotated[int, Field(ge=0, le=1_000)] = 0
    """Raise it by one to give every task and item that failed for good a fresh budget of retries. What succeeded is kept; a run that
    has ended goes on."""
    edits: Annotated[list[Edit], Field(max_length=MOST_EDITS)] = []
    """What people changed about this run, in order; add to it at the end. Each is done once. A run that has ended goes on."""
    reuse: Reuse | None = None
    """Takes over results of another run of the same DAG."""
    desired_state: Literal["Running", "Suspended", "Cancelled", "Terminated"] = "Running"
    """Suspended: nothing more starts, what runs goes on. Cancelled: live pods are deleted and nothing more starts but teardowns and
    exit tasks. Terminated: not even those."""


class Failure(Model):
    """An attempt that did not succeed."""

    task: str
    """The task."""
    attempt: int
    """Which attempt, from 1."""
    reason: str
    """One CamelCase word."""
    exit_code: int | None = None
    """Exit code of the container, where it had one."""
    message: Annotated[str, Field(max_length=1_024)] = ""
    """What happened and what to do."""


class Waiting(Model):
    """A task that could go on, and what it waits for."""

    task: str
    """The task."""
    reason: str
    """One CamelCase word."""
    message: Annotated[str, Field(max_length=1_024)] = ""
    """What it waits for."""


class Skip(Model):
    """A task that was skipped."""

    task: str
    """The task."""
    message: Annotated[str, Field(max_length=1_024)] = ""
    """Why it was skipped."""


class DAGRunStatus(Model):
    """What happened so far. Live attempts are pods; see `tradewind describe run` for both in one picture."""

    observed_generation: int = 0
    """The generation that this status describes."""
    phase: Phase | Literal[""] = ""
    """Queued, Running, Succeeded, Failed or Cancelled."""
    message: Annotated[str, Field(max_length=4_096)] = ""
    """Why the run is in this phase."""
    revision: str = ""
    """The ControllerRevision that holds the DAG spec which this run was started with: later edits don't touch it."""
    revision_number: int = 0
    """Its number, as `tradewind revisions` lists it."""
    calls: Annotated[dict[str, str], Field(max_length=256)] = {}
    """The ControllerRevisions of the DAGs that it calls, at any depth, by DAG: later edits don't touch them either."""
    params: Annotated[dict[str, Anything], Field(max_length=100)] = {}
    """The params in force, defaults included."""
    started_at: Timestamp | None = None
    """When it began, for the first time."""
    reopened_at: Timestamp | None = None
    """When it was last taken up again after it had ended, by a retry or an edit. Its timeouts count from here."""
    finished_at: Timestamp | None = None
    """When it ended."""
    duration: str = ""
    """From its first start to its latest end."""
    progress: str = ""
    """Finished tasks of all tasks, e.g. 3/7. Each item of a fan-out counts, once it is known."""
    total: int = 0
    """How many tasks there are."""
    done: int = 0
    """How many have ended, in whatever way."""
    failed: int = 0
    """How many have failed for good."""
    skipped: int = 0
    """How many were skipped."""
    retried: int = 0
    """The spec.retryFailed that has been acted on."""
    edited: int = 0
    """How many of spec.edits have been acted on."""
    attempts: str = ""
    """Ended attempts, a line each, packed: task or task[item] start+seconds, in seconds from the run's creation, then where they differ from
    the usual: #attempt, @node (index into nodes), =exit code, reason. `task ^n`: attempts up to n don't count any more; `task ~State`: it
    has ended so, by hand or in another run."""
    archive: str = ""
    """Such lines of earlier attempts, where there are many: `base64 -d | gunzip` shows them."""
    nodes: list[str] = []
    """Nodes that attempts ran on."""
    outputs: dict[str, Opaque] = {}
    """Outputs of the tasks that succeeded, by task or task[item]."""
    results: Opaque = {}
    """What the DAG's spec.outputs give, once the run has succeeded."""
    produced: Annotated[list[AssetUpdate], Field(max_length=500)] = []
    """Assets of which its tasks made new versions."""
    failures: Annotated[list[Failure], Field(max_length=20)] = []
    """The latest attempts that did not succeed."""
    skips: Annotated[list[Skip], Field(max_length=20)] = []
    """The first tasks that were skipped, and why. `tradewind describe run` shows all."""
    waiting: Annotated[list[Waiting], Field(max_length=20)] = []
    """Tasks that wait for something other than their dependencies, and for what."""
    conditions: Conditions = []
    """Started, Progressing and Succeeded. AssetsProduced: false where an update of an asset could not be told. Ready: whether it has
    succeeded; with Reconciling until it ends, and Stalled where it failed or was cancelled."""


class DAGRun(Model):
    """One execution of a DAG."""

    kind: ClassVar = "DAGRun"
    plural: ClassVar = "dagruns"
    scope: ClassVar = "Namespaced"
    short_names: ClassVar[list[str]] = ["dr"]
    name_limit: ClassVar = 63
    columns: ClassVar[list[dict[str, Any]]] = [
        {"name": "DAG", "type": "string", "jsonPath": ".spec.dag"},
        {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
        {"name": "Done", "type": "string", "jsonPath": ".status.progress"},
        {"name": "Failed", "type": "integer", "jsonPath": ".status.failed"},
        {"name": "Duration", "type": "string", "jsonPath": ".status.duration"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        {
            "name": "Made By",
            "type": "string",
            "jsonPath": ".metadata.labels.tradewind\\.dev/trigger-type",
            "priority": 1,
        },
        {"name": "Revision", "type": "integer", "jsonPath": ".status.revisionNumber", "priority": 1},
        {"name": "Message", "type": "string", "jsonPath": ".status.message", "priority": 1},
    ]
    selectable: ClassVar[list[str]] = [".spec.dag", ".status.phase"]

    spec: DAGRunSpec
    """Which DAG to run, and with what."""
    status: DAGRunStatus | None = None
    """What happened so far."""
