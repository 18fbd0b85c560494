"""A task: what one node of a DAG runs, and under which conditions."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from tradewind.model.artifact import TaskArtifacts
from tradewind.model.asset import Produces
from tradewind.model.base import (
    DNS_LABEL,
    DNS_SUBDOMAIN,
    IDENTIFIER,
    MAX_DEPENDENCIES,
    OF_IDENTIFIERS,
    DataKey,
    EnvName,
    Expression,
    Model,
    Name,
    ObjectName,
    Opaque,
    Quantity,
    Script,
    Text,
    crd,
    keys,
    rule,
)
from tradewind.model.duration import Limit
from tradewind.model.fan_out import ForEach
from tradewind.model.loop import Loop
from tradewind.model.podless import Approval, HttpRequest, SubDAG, Wait
from tradewind.model.pool import PoolClaim
from tradewind.model.retries import Retries
from tradewind.model.sensor import TaskSensor
from tradewind.model.template import TemplateUse
from tradewind.model.value import Output

PODLESS = ("http", "wait", "approval", "compute", "dag", "sensor")
"""Fields for tasks that need no pod and no image."""
WAYS = ("script", *PODLESS)
"""Alternatives to a container with a command."""


def in_words(ways: Sequence[str]) -> str:
    """`a, b and c`."""
    return f"{', '.join(ways[:-1])} and {ways[-1]}"


class Resources(Model):
    """CPU, memory and other resources of the task's container, as defined by Kubernetes."""

    requests: Annotated[dict[str, Quantity], Field(max_length=32)] = {}
    """Resources that the scheduler reserves, e.g. {cpu: 500m, memory: 256Mi}. `$[[ ]]` is rendered."""
    limits: Annotated[dict[str, Quantity], Field(max_length=32)] = {}
    """Resources that the container may not exceed. `$[[ ]]` is rendered."""


class KeyRef(Model):
    """A key of a Secret or ConfigMap in the run's namespace."""

    name: ObjectName
    """Name of the Secret or ConfigMap."""
    key: DataKey
    """Key in its data."""
    optional: bool = False
    """If true, a missing object or key leaves the variable unset. Otherwise the task waits for it."""


class EnvSource(Model):
    """Source of an environment variable's value."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[
                rule("has(self.secretKeyRef) != has(self.configMapKeyRef)", "write secretKeyRef or configMapKeyRef")
            ]
        )
    )

    secret_key_ref: KeyRef | None = None
    """A key of a Secret. The value never appears in a manifest, a status or a log of Tradewind."""
    config_map_key_ref: KeyRef | None = None
    """A key of a ConfigMap."""


class ScriptSource(Model):
    """A program in the manifest. It is never interpolated: pass values as environment variables."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[rule("has(self.python) != has(self.shell)", "write python or shell")]
        )
    )

    python: Script | None = None
    """Python program, run by `python3 -c` in the task's image."""
    shell: Script | None = None
    """Shell script, run by `/bin/sh -ec` in the task's image. It stops, and the attempt fails, at the first command
    that fails."""


class PodSettings(Model):
    """Settings of a task's pod. In `spec.defaults` they apply to every task that doesn't set them itself."""

    image: Annotated[str, Field(max_length=512)] = ""
    """Container image. `$[[ ]]` is rendered. Required here or in spec.defaults for tasks with a container. The pod of
    an http task uses Tradewind's own image."""
    env: Annotated[dict[EnvName, Text], Field(max_length=256)] = {}
    """Environment variables, merged with those of spec.defaults. `$[[ ]]` is rendered; a secret param becomes a
    reference to its Secret."""
    env_from: Annotated[dict[EnvName, EnvSource], Field(max_length=256)] = {}
    """Environment variables from Secrets and ConfigMaps, by variable name, merged with those of spec.defaults."""
    resources: Resources | None = None
    """Resource requests and limits of the container."""
    service_account_name: Annotated[str, Field(max_length=253, pattern=rf"^$|{DNS_SUBDOMAIN}")] = ""
    """Service account of the pod. Defaults to the namespace's `default`. Its token is mounted only if this field is
    set."""
    node_selector: Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=32)] = {}
    """Labels that the node must have. `$[[ ]]` is rendered."""
    tolerations: Annotated[list[Opaque], Field(max_length=32)] = []
    """Tolerations, as in a pod."""
    pod_template: Opaque | None = None
    """Other pod fields: {metadata, spec}, merged over the pod that Tradewind builds (lists by their Kubernetes merge
    keys). The task's container is named `main`. `$[[ ]]` is rendered; an expression that is the whole value keeps its
    type."""
    timeout: Limit | None = None
    """Time limit for one attempt, from the moment a node accepts the pod. No limit when absent."""
    total_timeout: Limit | None = None
    """Time limit for all attempts together, including the waits between them, from the start of the first. No limit
    when absent."""
    pending_timeout: Limit | None = None
    """Time limit for an attempt to start. When it expires, the attempt is lost (no node takes the pod, or the image
    can't be pulled) or failed (its configuration is wrong). Defaults to 10m."""
    grace_period: Limit | None = None
    """Time between SIGTERM and SIGKILL when a pod is stopped. Defaults to 30s."""
    retries: Retries | None = None
    """When and how often to retry. Defaults to no retries of failures and five of losses."""
    skip_on: Expression = ""
    """CEL over exitCode (0 after a success, -1 if there is none), reason (empty after a success), attempt, seconds,
    outputs, params and run, e.g. `exitCode == 99`. If it is true for an attempt, the task is skipped: no attempt
    follows, and no budget is used. A task that fails between two attempts is asked about with the reason
    LoopFailed (its loop has used up its iterations) or TotalTimeout. It doesn't apply to losses by the
    infrastructure."""


class Teardown(Model):
    """The tasks that a teardown cleans up after."""

    of: Annotated[list[Name], Field(min_length=1, max_length=16, json_schema_extra=crd(x_kubernetes_list_type="set"))]
    """The setups: tasks whose resources this task removes. It waits for all tasks that depend on them, and runs if any
    of them had an attempt, even if the run is cancelled or has timed out."""
    fails_run: bool = False
    """Whether a failure of the teardown fails the run."""


class Handles(Model):
    """The ends that a handler runs for."""

    of: Annotated[
        list[Annotated[str, Field(max_length=63, pattern=rf"^\*$|{DNS_LABEL}")]],
        Field(min_length=1, max_length=MAX_DEPENDENCIES, json_schema_extra=crd(x_kubernetes_list_type="set")),
    ]
    """Names of tasks, or `"*"` for all that are neither handlers nor exit tasks."""
    ends: Annotated[
        list[Literal["Failed", "Retry", "Succeeded", "Skipped"]],
        Field(min_length=1, max_length=4, json_schema_extra=crd(x_kubernetes_list_type="set")),
    ] = ["Failed"]
    """Which ends: Failed (for good), Succeeded and Skipped, and Retry for a failed attempt once another one has started."""


class Task(PodSettings):
    """One node of a DAG: a container or a script, which runs as a pod per attempt, or something without a container: an
    HTTP request, a wait, an approval, a computation, a run of another DAG, or a sensor."""

    template: TemplateUse | None = None
    """The TaskTemplate that provides all fields that the task doesn't set. Environment variables, outputs and node
    labels are merged by name."""
    depends_on: Annotated[
        list[Name], Field(max_length=MAX_DEPENDENCIES, json_schema_extra=crd(x_kubernetes_list_type="set"))
    ] = []
    """Tasks that must end first. The trigger rule then decides whether this task runs."""
    trigger_rule: Expression = "AllSucceeded"
    """Rule over the states of the dependencies that decides whether the task runs: AllSucceeded, AllDone, AllFailed,
    AllSkipped, OneSucceeded, OneFailed, OneDone, NoneFailed, NoneFailedMinOneSucceeded, NoneSkipped, Always,
    AllDoneMinOneSucceeded, or CEL such as `Failed(a) && Succeeded(b)`."""
    when: Expression = ""
    """CEL over params, tasks and run (and item). If it is false, the task is skipped."""
    allow_failure: bool = False
    """If true, a failure of this task has the same effect as a success on the tasks that depend on it, and doesn't fail
    the run."""
    teardown: Teardown | None = None
    """Makes this task the teardown of others. If they ran, it runs after everything that needs them, whatever the
    result."""
    on_exit: Annotated[
        list[Literal["Succeeded", "Failed", "Cancelled", "Always"]],
        Field(max_length=4, json_schema_extra=crd(x_kubernetes_list_type="set")),
    ] = []
    """Makes this an exit task: it runs after all other tasks have ended, if the run's outcome is one of these. Its
    expressions can use `run.outcome` and `run.message`. It doesn't change the outcome."""
    handles: Handles | None = None
    """Makes this task a handler: it runs once for each end of the named tasks, as soon as they end. Its expressions can use
    `item`, with the fields task, state, reason, exitCode, message and attempts, but no other tasks. It doesn't change how the
    run ends."""
    deadline: Limit | None = None
    """Time within which the task should have ended, from the start of the run. When it expires, the run's condition
    DeadlineMissed and an Event say so, and the task continues. No deadline when absent."""
    wait_for_previous: bool = False
    """If true, the task starts once the same task of the DAG's run before has succeeded or was skipped: of the run with the
    next earlier logical date that was not cancelled. Without such a run, or such a task in it, it starts at once."""
    for_each: ForEach | None = None
    """Runs the task once for each item of a list."""
    loop: Loop | None = None
    """Repeats the task (with forEach: each item) until a condition is true. Its expressions can use `iteration`, from
    1, and `previous`, the outputs of the previous iteration."""
    outputs: Annotated[
        dict[str, Output], Field(max_length=64, json_schema_extra=keys(IDENTIFIER, "output", OF_IDENTIFIERS))
    ] = {}
    """Outputs that the task must write, with their types. It may write others."""
    artifacts: TaskArtifacts | None = None
    """Large files and folders that the task creates or receives through the DAG's store, `spec.artifacts`."""
    produces: Annotated[list[Produces], Field(max_length=16)] = []
    """Assets that get a new version each time the task succeeds. Triggers can wait for them."""
    pools: Annotated[list[PoolClaim], Field(max_length=8)] = []
    """Pools whose slots the task needs. They limit how many such tasks run at once. With `dag`, the run of the other DAG holds them
    until it has ended; with `http`, the request is sent from a pod; wait, approval and compute can't claim any."""
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] = 0
    """Priority of the task, added to the run's. If tasks wait for the same limit, higher priorities start first."""
    command: Annotated[list[Text], Field(max_length=256)] = []
    """Replaces the image's entrypoint. `$[[ ]]` is rendered."""
    args: Annotated[list[Text], Field(max_length=256)] = []
    """Arguments for the command or for the image's entrypoint. `$[[ ]]` is rendered."""
    script: ScriptSource | None = None
    """A program in the manifest, instead of command and args."""
    http: HttpRequest | None = None
    """An HTTP request, instead of a container."""
    wait: Wait | None = None
    """A delay, instead of a container."""
    approval: Approval | None = None
    """A decision by a person, instead of a container."""
    compute: Annotated[dict[str, Expression], Field(max_length=64)] = {}
    """Outputs computed from other values, instead of a container: CEL by name, e.g. {total: tasks.a.outputs.n +
    tasks.b.outputs.n}."""
    dag: SubDAG | None = None
    """A run of another DAG, instead of a container."""
    sensor: TaskSensor | None = None
    """A sensor to wait for, instead of a container."""

    @property
    def podless(self) -> bool:
        """Whether it can run without a pod: it has no container of its own."""
        return any(getattr(self, way) for way in PODLESS)


HANDLED = ForEach(items=[], name="$[[ item.task ]]")
"""The fan-out that a handler is. Its items appear as tasks end."""


def merged(defaults: PodSettings, task: Task) -> Task:
    """The task, with `defaults` for the fields that it does not set. Maps of variables are merged by name."""
    update: dict[str, Any] = {
        name: getattr(defaults, name)
        for name in PodSettings.model_fields
        if name in defaults.model_fields_set and name not in task.model_fields_set
    }
    if task.podless:
        update.pop("image", None)
    if task.handles and task.for_each is None:
        update["for_each"] = HANDLED
    for name in ("env", "env_from", "node_selector"):
        update[name] = {**getattr(defaults, name), **getattr(task, name)}
    # A variable that the task sets in one way replaces a default that sets it in the other.
    update["env"] = {k: v for k, v in update["env"].items() if k in task.env or k not in task.env_from}
    update["env_from"] = {k: v for k, v in update["env_from"].items() if k in task.env_from or k not in task.env}
    return task.model_copy(update=update)
