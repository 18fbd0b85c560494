"""DAGRun: one execution of a DAG."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tradewind.model.asset import AssetUpdate
from tradewind.model.base import (
    DAG_OF_RUN,
    Anything,
    ComparedParams,
    Model,
    Name,
    Opaque,
    ShortText,
    Timestamp,
    crd,
    rule,
)
from tradewind.model.condition import Conditions
from tradewind.model.duration import DateTime

Phase = Literal["Queued", "Running", "Succeeded", "Failed", "Cancelled"]
MOST_EDITS = 200
FINAL_PHASES = frozenset({"Succeeded", "Failed", "Cancelled"})
TASKS_OF_AN_EDIT = 100
"""At most."""


class Edit(Model):
    """A manual change to tasks of a run."""

    action: Literal["Clear", "Succeed", "Fail", "Skip"]
    """Clear: the tasks run again from scratch. Succeed, Fail, Skip: the tasks get this state, whatever their result."""
    tasks: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=75)]], Field(min_length=1, max_length=TASKS_OF_AN_EDIT)
    ]
    """Names of tasks, or task[index] for items. The name of a fan-out means all its items."""
    downstream: bool = True
    """Whether Clear also clears all tasks that depend on these."""
    outputs: Annotated[dict[str, Opaque], Field(max_length=100)] = {}
    """Outputs for Succeed, by task or task[index]."""
    by: ShortText = ""
    """User who made the change. The admission webhook verifies that this is the user who sends the request."""
    reason: ShortText = ""
    """Reason for the change."""


class Reuse(Model):
    """Reuses results of another run."""

    run: Name
    """Name of the other run, of the same DAG and namespace. It may still be active."""
    rerun: Annotated[list[Name], Field(max_length=100)] = []
    """Tasks to run again, with all tasks that depend on them. All others that succeeded are reused with their
    outputs."""
    only: Annotated[list[Name], Field(max_length=100)] = []
    """The only tasks to run. All others are reused if they succeeded, and skipped if not."""


class DAGRunSpec(Model):
    """The DAG to run, and its params."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[
                rule(
                    "(has(self.edits) ? self.edits.size() : 0) >= (has(oldSelf.edits) ? oldSelf.edits.size() : 0)",
                    "edits can't be removed: append another, Clear undoes a mark",
                    fieldPath=".edits",
                ),
                rule(
                    f"!has(oldSelf.edits) || !has(self.edits) || {list(range(0, MOST_EDITS, 20))}.all(i, {list(range(20))}"
                    ".all(j, i + j >= oldSelf.edits.size() || i + j >= self.edits.size()"
                    " || self.edits[i + j] == oldSelf.edits[i + j]))",
                    "existing edits can't be changed: append another",
                    fieldPath=".edits",
                ),
                rule("self.dag == oldSelf.dag", "a run's DAG can't be changed: create another run", fieldPath=".dag"),
                *(
                    rule(
                        f"has(self.{name}) == has(oldSelf.{name}) && (!has(self.{name}) || self.{name} == oldSelf.{name})",
                        f"{name} can't be changed: create another run",
                        fieldPath=f".{name}",
                    )
                    for name in (
                        "logicalDate",
                        "intervalStart",
                        "intervalEnd",
                        "queue",
                        "params",
                        "reuse",
                        "only",
                        "until",
                    )
                ),
            ]
        )
    )

    dag: Annotated[str, Field(min_length=1, max_length=127, pattern=DAG_OF_RUN)]
    """Name of the DAG, in the same namespace. Runs of a local DAG have `DAG.LOCAL`; only tasks of DAG make them."""
    params: ComparedParams = {}
    """Values for the DAG's params."""
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] | None = None
    """Overrides the DAG's priority."""
    logical_date: DateTime | None = None
    """The point in time that the run is for. A schedule sets it to the tick, in the schedule's time zone. Defaults to
    the creation time of the run."""
    interval_start: DateTime | None = None
    """Start of the data interval that the run is for. Defaults to the logical date."""
    interval_end: DateTime | None = None
    """End of the data interval. Defaults to the logical date."""
    queue: Annotated[str, Field(max_length=63)] = ""
    """Name of a queue. Runs of the same DAG with the same queue execute one after another, in the order of their
    creation. Runs without a queue don't wait for each other."""
    retry_failed: Annotated[int, Field(ge=0, le=1_000)] = 0
    """Increase it by one to give every task and item that has failed for good a new retry budget. Successful tasks are
    kept. A finished run continues."""
    only: Annotated[list[Name], Field(max_length=100)] = []
    """The only tasks to run. All others count as done if these depend on them, and as skipped otherwise. Outputs that these
    tasks need can be given by an edit that marks the others as succeeded."""
    until: Annotated[list[Name], Field(max_length=100)] = []
    """Tasks with which the run ends: these run, all that they depend on, and the teardowns, handlers and exit tasks."""
    edits: Annotated[list[Edit], Field(max_length=MOST_EDITS)] = []
    """Manual changes to this run, in order. Append new ones; each is applied once. A finished run continues."""
    reuse: Reuse | None = None
    """Reuses results of another run of the same DAG."""
    desired_state: Literal["Running", "Suspended", "Cancelled", "Terminated"] = "Running"
    """Suspended: nothing further starts, and running tasks continue. Cancelled: pods are deleted, and only teardowns
    and exit tasks start. Terminated: pods are deleted and nothing further starts."""


class Failure(Model):
    """A failed attempt."""

    task: str
    """Name of the task."""
    attempt: int
    """Number of the attempt, from 1."""
    reason: str
    """Reason as one CamelCase word."""
    exit_code: int | None = None
    """Exit code of the container, if it has one."""
    message: Annotated[str, Field(max_length=1_024)] = ""
    """Explanation of the failure, and what to do."""


class Waiting(Model):
    """A task that waits for something other than its dependencies."""

    task: str
    """Name of the task."""
    reason: str
    """Reason as one CamelCase word."""
    message: Annotated[str, Field(max_length=1_024)] = ""
    """What the task waits for."""


class Skip(Model):
    """A task that was skipped."""

    task: str
    """Name of the task."""
    message: Annotated[str, Field(max_length=1_024)] = ""
    """Reason for the skip."""


class CalledBy(Model):
    """The attempt of another run that made this run."""

    run: str
    """Name of the other run."""
    uid: str
    """Uid of the other run."""
    task: str
    """The task, or task[item], that calls the DAG."""
    attempt: int
    """Number of the attempt, from 1."""
    depth: int
    """Number of runs that enclose this run."""
    root: str = ""
    """Uid of the outermost enclosing run."""


class DAGRunStatus(Model):
    """State of the run. Active attempts are pods; `tradewind describe run` shows both together."""

    observed_generation: int = 0
    """The generation that this status describes."""
    phase: Phase | Literal[""] = ""
    """Queued, Running, Succeeded, Failed or Cancelled."""
    message: Annotated[str, Field(max_length=4_096)] = ""
    """Reason for the phase."""
    revision: str = ""
    """Name of the ControllerRevision with the DAG spec that this run uses, with `.NAME` for a local DAG in it. Later
    changes to the DAG don't affect the run."""
    revision_number: int = 0
    """Number of the revision, as in `tradewind revisions`."""
    calls: Annotated[dict[str, str], Field(max_length=512)] = {}
    """Names of the ControllerRevisions of all sub-DAGs, at any depth, by DAG. Later changes to them don't affect the
    run."""
    called_by: CalledBy | None = None
    """The attempt that made this run, for a run of a sub-DAG. It is recorded when the run starts, or ends before that:
    a run without it is not part of another, whatever its labels and owners become later."""
    params: Annotated[dict[str, Anything], Field(max_length=100)] = {}
    """Effective params, including defaults."""
    bound: Opaque = {}
    """What the run read when it started: previous and lastSuccess (earlier runs), latest, nextDate and trigger (of what made
    it), kept and config. It doesn't change later."""
    started_at: Timestamp | None = None
    """Time when the run first started."""
    reopened_at: Timestamp | None = None
    """Time when a retry or an edit last continued the run after its end. Timeouts count from this time."""
    finished_at: Timestamp | None = None
    """Time when the run ended."""
    duration: str = ""
    """Time from the first start to the latest end."""
    progress: str = ""
    """Finished tasks out of all tasks, e.g. 3/7. Each item of a fan-out counts once it is known."""
    total: int = 0
    """Number of tasks."""
    done: int = 0
    """Number of finished tasks, whatever their state."""
    failed: int = 0
    """Number of tasks that have failed for good."""
    skipped: int = 0
    """Number of skipped tasks."""
    retried: int = 0
    """Value of spec.retryFailed that has been applied."""
    edited: int = 0
    """Number of spec.edits that have been applied."""
    attempts: str = ""
    """Finished attempts in a compact form, one per line: task or task[item], start+duration in seconds from the run's
    creation, then, if they differ from the default, #attempt, @node (index into nodes), =exit code, and the reason.
    `task ^n`: attempts up to n no longer count. `task !n`: retried after attempt n. `task ~State`: the state was set manually or reused from another
    run."""
    archive: str = ""
    """Lines of older attempts, compressed, for runs with many attempts. Decode them with `base64 -d | gunzip`."""
    nodes: list[str] = []
    """Names of nodes that attempts ran on."""
    outputs: dict[str, Opaque] = {}
    """Outputs of successful tasks, by task or task[item]."""
    results: Opaque = {}
    """Values of the DAG's spec.outputs, set when the run has succeeded."""
    kept: Opaque = {}
    """Values of the DAG's spec.keep for later runs, set when the run has succeeded."""
    produced: Annotated[list[AssetUpdate], Field(max_length=500)] = []
    """New versions of assets that the run made."""
    failures: Annotated[list[Failure], Field(max_length=20)] = []
    """The latest failed attempts."""
    skips: Annotated[list[Skip], Field(max_length=20)] = []
    """The first skipped tasks, with reasons. `tradewind describe run` shows all."""
    waiting: Annotated[list[Waiting], Field(max_length=20)] = []
    """Tasks that wait for something other than their dependencies, with reasons."""
    conditions: Conditions = []
    """Started, Progressing, Succeeded. DeadlineMissed: true once the run or a task took longer than its deadline.
    AssetsProduced: false if an update of an asset could not be computed. Ready:
    true if the run has succeeded; Reconciling is true until it ends, and Stalled if it failed or was cancelled."""


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
        {
            "name": "Trigger",
            "type": "string",
            "jsonPath": ".metadata.labels.tradewind\\.dev/trigger",
            "priority": 1,
        },
        {"name": "Revision", "type": "integer", "jsonPath": ".status.revisionNumber", "priority": 1},
        {"name": "Message", "type": "string", "jsonPath": ".status.message", "priority": 1},
    ]
    selectable: ClassVar[list[str]] = [".spec.dag", ".status.phase"]

    spec: DAGRunSpec
    """The DAG to run, and its params."""
    status: DAGRunStatus | None = None
    """State of the run."""
