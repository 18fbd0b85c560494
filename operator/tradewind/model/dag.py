"""DAG: the definition."""

import json
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tradewind.model.artifact import Artifacts
from tradewind.model.asset import Produces
from tradewind.model.base import DNS_LABEL, IDENTIFIER, MAX_TASKS, Expression, Model, ShortText, crd, rule
from tradewind.model.condition import Conditions
from tradewind.model.duration import Duration, Limit
from tradewind.model.history import History
from tradewind.model.task import PodSettings, Task
from tradewind.model.template import TemplateUse
from tradewind.model.value import Param


def _each(field: str, holds: str, message: str) -> dict[str, str]:
    """A rule about every entry `t` of a map of the spec. Its message names one that breaks it."""
    told = f"'{field[:-1]} ' + self.{field}.filter(t, !({holds}))[0] + {json.dumps(f': {message}')}"
    rules = f"!has(self.{field}) || self.{field}.all(t, {holds})"
    return rule(rules, message, messageExpression=told, fieldPath=f".{field}")


class DAGSpec(Model):
    """What to run, in which order."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[
                rule("has(self.tasks) != has(self.template)", "write tasks, or the template that has them"),
                _each(
                    "tasks",
                    f"t.matches('{DNS_LABEL}')",
                    "names of tasks have at most 63 characters: lower-case letters, digits and '-', with a letter or "
                    "digit at both ends",
                ),
                _each(
                    "tasks",
                    "!has(self.tasks[t].dependsOn) || self.tasks[t].dependsOn.all(d, d in self.tasks)",
                    "dependsOn names a task that is not in spec.tasks",
                ),
                _each(
                    "tasks",
                    "!has(self.tasks[t].dependsOn) || !(t in self.tasks[t].dependsOn)",
                    "a task depends on itself",
                ),
                _each(
                    "tasks",
                    "!has(self.tasks[t].teardown) || self.tasks[t].teardown.of.all(d, d in self.tasks)",
                    "teardown.of names a task that is not in spec.tasks",
                ),
                _each(
                    "params",
                    f"t.matches('{IDENTIFIER}')",
                    "names of params have at most 63 characters: letters, digits and '_', not beginning with a digit",
                ),
                _each(
                    "outputs",
                    f"t.matches('{IDENTIFIER}')",
                    "names of outputs have at most 63 characters: letters, digits and '_', not beginning with a digit",
                ),
            ]
        )
    )

    description: ShortText = ""
    """What this DAG is for."""
    template: TemplateUse | None = None
    """A DAGTemplate to take the tasks from, and everything else that the DAG itself doesn't say. Params are merged by name, defaults by
    field."""
    params: Annotated[dict[str, Param], Field(max_length=100)] = {}
    """Inputs of a run, by name."""
    outputs: Annotated[dict[str, Expression], Field(max_length=64)] = {}
    """Results of a run, CEL by name over params, tasks and run, e.g. {rows: tasks.load.outputs.rows}. They are computed when all tasks
    but exit tasks have ended and the run succeeds; where the run is a task of another one, they are its outputs."""
    defaults: PodSettings = PodSettings()
    """What holds for every task that doesn't say otherwise."""
    artifacts: Artifacts | None = None
    """Where big results of tasks are kept. Required when a task has artifacts."""
    timeout: Limit | None = None
    """Limit for a whole run, from its start. When it is over the run fails and its pods are stopped. No limit when absent."""
    parallelism: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """How many pods and sub-DAGs of one run live at once; as many as the cluster takes when absent. What runs within a sub-DAG has a limit of
    its own."""
    max_active_runs: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """How many runs of this DAG are active at once (with the same concurrencyKey, if there is one); no limit when absent."""
    suspend: bool = False
    """When true no run begins: runs wait until it is false again. Those under way go on."""
    concurrency_policy: Literal["Queue", "Skip", "Replace"] = "Queue"
    """What becomes of a run that would be one too many: Queue waits, Skip cancels it, Replace cancels the oldest active one."""
    concurrency_key: Expression = ""
    """CEL over params: runs with different results don't count against each other's maxActiveRuns, e.g. `params.region`."""
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] = 0
    """Where runs wait for the same limit, those of higher priority go first. A run can say otherwise."""
    pod_retention: Literal["Always", "OnFailure", "Never"] = "Always"
    """Which finished pods are kept until the run is deleted: all, those of failed attempts, or none. `logs` reads pods."""
    history: History = History()
    """How many runs are kept after their end, and how long. A hundred of each outcome when absent."""
    expect_success_within: Duration | None = None
    """How long after the end of a run that succeeded the next one has to have succeeded: when it is over, the alert
    TradewindDAGNotSucceeded fires, e.g. 26h for a DAG that runs daily. No such alert when absent, nor while the DAG is suspended."""
    revision_history_limit: Annotated[int, Field(ge=0, le=1_000)] = 10
    """How many revisions are kept beside the current one, the newest, and those that runs use: to look at, and to roll back to."""
    produces: Annotated[list[Produces], Field(max_length=16)] = []
    """Assets of which a run makes a new version when it succeeds. Triggers can wait for them."""
    allow_triggers_from: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=63, pattern=rf"^\*$|{DNS_LABEL}")]],
        Field(max_length=100, json_schema_extra=crd(x_kubernetes_list_type="set")),
    ] = []
    """Namespaces whose triggers may follow this DAG: know when its runs end, with which params and outputs. `"*"` for all. Those of its
    own namespace always may."""
    tasks: Annotated[dict[str, Task], Field(min_length=1, max_length=MAX_TASKS)] = {}
    """The tasks, by name. Required unless they come from a template."""


class LastRun(Model):
    """The youngest run of a DAG."""

    name: str = ""
    """Its name."""
    phase: str = ""
    """Its phase."""


class DAGStatus(Model):
    """What the operator found out."""

    observed_generation: int = 0
    """The generation that this status describes."""
    phase: Literal["Valid", "Invalid", ""] = ""
    """Valid when runs can start."""
    revision: int = 0
    """The number of the revision that holds this spec. None while the spec is invalid."""
    tasks: int = 0
    """How many tasks it has."""
    last_run: LastRun | None = None
    """The youngest run."""
    conditions: Conditions = []
    """Valid: whether runs can start and, if not, what to fix. Ready: the same, with Stalled or Reconciling while it is false."""


class DAG(Model):
    """A directed acyclic graph of tasks."""

    kind: ClassVar = "DAG"
    plural: ClassVar = "dags"
    scope: ClassVar = "Namespaced"
    short_names: ClassVar[list[str]] = []
    name_limit: ClassVar = 63
    columns: ClassVar[list[dict[str, Any]]] = [
        {"name": "Tasks", "type": "integer", "jsonPath": ".status.tasks"},
        {"name": "Revision", "type": "integer", "jsonPath": ".status.revision"},
        {"name": "Last Run", "type": "string", "jsonPath": ".status.lastRun.name"},
        {"name": "Last Phase", "type": "string", "jsonPath": ".status.lastRun.phase"},
        {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    selectable: ClassVar[list[str]] = []

    spec: DAGSpec
    """What to run, in which order."""
    status: DAGStatus | None = None
    """What the operator found out."""
