"""DAG: the definition of a workflow."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tradewind.model.artifact import Artifacts
from tradewind.model.asset import Produces
from tradewind.model.base import (
    DNS_LABEL,
    IDENTIFIER,
    MAX_TASKS,
    OF_IDENTIFIERS,
    Expression,
    Model,
    ShortText,
    crd,
    keys,
    rule,
)
from tradewind.model.condition import Conditions
from tradewind.model.duration import Duration, Limit
from tradewind.model.history import History
from tradewind.model.local_dag import MOST_LOCAL_DAGS, OF_LABELS, LocalDAG
from tradewind.model.start_values import MOST_CONFIGS, MOST_KEPT, Config, KeptValue
from tradewind.model.task import PodSettings, Task
from tradewind.model.template import TemplateUse
from tradewind.model.value import Param


class DAGSpec(Model):
    """The tasks of the DAG and how to run them."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[rule("has(self.tasks) != has(self.template)", "write either tasks or template")]
        )
    )

    description: ShortText = ""
    """Purpose of the DAG."""
    template: TemplateUse | None = None
    """The DAGTemplate that provides the tasks and all fields that the DAG doesn't set. Params are merged by name,
    defaults by field."""
    params: Annotated[
        dict[str, Param], Field(max_length=100, json_schema_extra=keys(IDENTIFIER, "param", OF_IDENTIFIERS))
    ] = {}
    """Params of a run, by name."""
    outputs: Annotated[
        dict[str, Expression], Field(max_length=64, json_schema_extra=keys(IDENTIFIER, "output", OF_IDENTIFIERS))
    ] = {}
    """Results of a run: CEL by name, over params, tasks and run, e.g. {rows: tasks.load.outputs.rows}. They are
    computed if the run succeeds, after all tasks except exit tasks have ended. If the run is a sub-DAG, they are the
    outputs of the calling task."""
    defaults: PodSettings = PodSettings()
    """Settings for every task that doesn't set them itself."""
    artifacts: Artifacts | None = None
    """Storage for artifacts. Required if a task has artifacts."""
    timeout: Limit | None = None
    """Time limit for a run, from its start. When it expires, the run fails and its pods are stopped. No limit when
    absent."""
    deadline: Limit | None = None
    """Time within which a run should have ended, from its creation. When it expires, the run's condition DeadlineMissed and an
    Event say so, and the run continues. No deadline when absent."""
    parallelism: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Maximum number of pods and sub-DAG runs of one run that are active at once. No limit when absent. Sub-DAG runs
    have limits of their own."""
    max_active_runs: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Maximum number of active runs of this DAG; with concurrencyKey, per key. No limit when absent."""
    keep: Annotated[dict[str, KeptValue], Field(max_length=MOST_KEPT)] = {}
    """Values that a run which succeeds leaves to later runs, by name, such as a cursor. `kept.NAME` is the value that the
    latest successful run with an earlier logical date left. It stays the same for the whole run."""
    config: Annotated[dict[str, Config], Field(max_length=MOST_CONFIGS)] = {}
    """ConfigMaps whose data expressions can use as `config.NAME.KEY`. A run reads them when it starts."""
    wait_for_previous: bool = False
    """If true, a run starts only when the run with the next earlier logical date has succeeded. Cancelled and deleted runs
    are not waited for."""
    run_labels: Annotated[dict[str, ShortText], Field(max_length=16)] = {}
    """Labels that the DAG's runs get when they start, by name. Values may use `$[[ ]]` over params and run, e.g. {region:
    "$[[ params.region ]]"}. A run for which a value is not that of a label fails before it starts."""
    suspend: bool = False
    """If true, no run starts: new runs wait until it is false again. Active runs continue."""
    concurrency_policy: Literal["Queue", "Skip", "Replace"] = "Queue"
    """Action for a run that would exceed maxActiveRuns. Queue: it waits. Skip: it is cancelled. Replace: the oldest
    active run is cancelled."""
    concurrency_key: Expression = ""
    """CEL over params, e.g. `params.region`. maxActiveRuns counts runs with different keys separately."""
    fail_fast: bool = False
    """If true, a run that can't succeed any more stops its active tasks and starts no others. Teardowns and exit tasks
    still run. Otherwise tasks that don't depend on the failure go on."""
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] = 0
    """Default priority of runs. If runs wait for the same limit, higher priorities start first. A run can override
    it."""
    pod_retention: Literal["Always", "OnFailure", "Never"] = "Always"
    """Which finished pods to keep until the run is deleted: all, only those of failed attempts, or none. `tradewind
    logs` reads logs from pods."""
    history: History = History()
    """How many finished runs to keep, and for how long. Defaults to 100 of each outcome."""
    expect_success_within: Duration | None = None
    """Maximum time between the end of a successful run and the end of the next one, e.g. 26h for a daily DAG. When it
    is exceeded, the alert TradewindDAGNotSucceeded fires. No alert when absent or while the DAG is suspended."""
    revision_history_limit: Annotated[int, Field(ge=0, le=1_000)] = 10
    """Number of old revisions to keep for comparison and rollback. The current revision, the newest one and those in
    use by runs are kept in addition."""
    produces: Annotated[list[Produces], Field(max_length=16)] = []
    """Assets that get a new version when a run succeeds. Triggers can wait for them."""
    allow_triggers_from: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=63, pattern=rf"^\*$|{DNS_LABEL}")]],
        Field(max_length=100, json_schema_extra=crd(x_kubernetes_list_type="set")),
    ] = []
    """Namespaces whose triggers may follow this DAG, and so see when its runs end and their params and outputs. `"*"`
    means all. Triggers of its own namespace always may."""
    tasks: Annotated[
        dict[str, Task],
        Field(
            min_length=1,
            max_length=MAX_TASKS,
            json_schema_extra=keys(DNS_LABEL, "task", OF_LABELS),
        ),
    ] = {}
    """The tasks, by name. Required unless they come from a template."""
    dags: Annotated[
        dict[str, LocalDAG],
        Field(max_length=MOST_LOCAL_DAGS, json_schema_extra=keys(DNS_LABEL, "DAG", OF_LABELS)),
    ] = {}
    """Local DAGs, by name: only tasks of this DAG, and of its local DAGs, run them, by `dag: {local: NAME}`. They are
    part of its revisions."""


class LastRun(Model):
    """The most recent run of a DAG."""

    name: str = ""
    """Name of the run."""
    phase: str = ""
    """Phase of the run."""


class DAGStatus(Model):
    """Observed state of the DAG."""

    observed_generation: int = 0
    """The generation that this status describes."""
    phase: Literal["Valid", "Invalid", ""] = ""
    """Valid if runs can start."""
    revision: int = 0
    """Number of the revision that holds this spec; absent while the spec is invalid."""
    tasks: int = 0
    """Number of tasks."""
    last_run: LastRun | None = None
    """The most recent run."""
    conditions: Conditions = []
    """Valid: true if runs can start; the message says what to fix. Ready: as Valid; while it is false, Stalled or
    Reconciling is true."""


class DAG(Model):
    """A directed acyclic graph of tasks."""

    kind: ClassVar = "DAG"
    plural: ClassVar = "dags"
    scope: ClassVar = "Namespaced"
    short_names: ClassVar[list[str]] = []
    name_limit: ClassVar = 63
    rules: ClassVar[list[dict[str, str]]] = [
        rule("!self.metadata.name.contains('.')", "metadata.name: write '-' in place of '.', which names local DAGs")
    ]
    columns: ClassVar[list[dict[str, Any]]] = [
        {"name": "Tasks", "type": "integer", "jsonPath": ".status.tasks"},
        {"name": "Revision", "type": "integer", "jsonPath": ".status.revision"},
        {"name": "Last Run", "type": "string", "jsonPath": ".status.lastRun.name"},
        {"name": "Last Phase", "type": "string", "jsonPath": ".status.lastRun.phase"},
        {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        {
            "name": "Message",
            "type": "string",
            "jsonPath": '.status.conditions[?(@.type=="Valid")].message',
            "priority": 1,
        },
    ]
    selectable: ClassVar[list[str]] = []

    spec: DAGSpec
    """The tasks of the DAG and how to run them."""
    status: DAGStatus | None = None
    """Observed state of the DAG."""
