"""A task: what one node of a DAG runs, and on what terms."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from tradewind.model.artifact import TaskArtifacts
from tradewind.model.asset import Produces
from tradewind.model.base import (
    DNS_SUBDOMAIN,
    IDENTIFIER,
    MAX_DEPENDENCIES,
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
"""Fields of a task that say what it does, and need no pod and no image."""
WAYS = ("script", *PODLESS)
"""What a task can be instead of a container with a command."""


def in_words(ways: Sequence[str]) -> str:
    """`a, b and c`."""
    return f"{', '.join(ways[:-1])} and {ways[-1]}"


class Resources(Model):
    """CPU, memory and other resources of the task's container, as Kubernetes defines them."""

    requests: Annotated[dict[str, Quantity], Field(max_length=32)] = {}
    """What the scheduler reserves, e.g. {cpu: 500m, memory: 256Mi}; `$[[ ]]` is rendered."""
    limits: Annotated[dict[str, Quantity], Field(max_length=32)] = {}
    """What the container may not exceed; `$[[ ]]` is rendered."""


class KeyRef(Model):
    """One key of a Secret or ConfigMap in the run's namespace."""

    name: ObjectName
    """Name of the Secret or ConfigMap."""
    key: DataKey
    """The key in its data."""
    optional: bool = False
    """When true, a missing object or key leaves the variable unset instead of holding the task back."""


class EnvSource(Model):
    """Where an environment variable's value comes from."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[
                rule("has(self.secretKeyRef) != has(self.configMapKeyRef)", "write secretKeyRef or configMapKeyRef")
            ]
        )
    )

    secret_key_ref: KeyRef | None = None
    """A key of a Secret. The value never enters a manifest, a status or a log of Tradewind."""
    config_map_key_ref: KeyRef | None = None
    """A key of a ConfigMap."""


class ScriptSource(Model):
    """A program written in the manifest. It is never interpolated: values reach it as environment variables."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[rule("has(self.python) != has(self.shell)", "write python or shell")]
        )
    )

    python: Script | None = None
    """Run by `python3 -c` of the task's image."""
    shell: Script | None = None
    """Run by `/bin/sh -ec` of the task's image: the first command that fails fails the task."""


class PodSettings(Model):
    """What a task's pod needs. In `spec.defaults` it holds for every task that doesn't say otherwise."""

    image: Annotated[str, Field(max_length=512)] = ""
    """Container image; `$[[ ]]` is rendered. Required here or in spec.defaults, but for http tasks: those run in Tradewind's own."""
    env: Annotated[dict[EnvName, Text], Field(max_length=256)] = {}
    """Environment variables. `$[[ ]]` expressions are rendered; one that is a secret param becomes a reference to the Secret. Merged
    with those of spec.defaults."""
    env_from: Annotated[dict[EnvName, EnvSource], Field(max_length=256)] = {}
    """Environment variables taken from Secrets and ConfigMaps, by variable name. Merged with those of spec.defaults."""
    resources: Resources | None = None
    """CPU and memory."""
    service_account_name: Annotated[str, Field(max_length=253, pattern=rf"^$|{DNS_SUBDOMAIN}")] = ""
    """Service account of the pod; the namespace's `default` when empty. Its token is mounted only when this is set."""
    node_selector: Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=32)] = {}
    """Labels that the node must have; `$[[ ]]` is rendered."""
    tolerations: Annotated[list[Opaque], Field(max_length=32)] = []
    """Taints to tolerate, as in a pod."""
    pod_template: Opaque | None = None
    """Anything else of a pod: {metadata, spec}, merged over the pod that Tradewind builds (lists by their Kubernetes
    merge keys). The task's own container is called `main`. `$[[ ]]` is rendered; where it is the whole value, its type is kept."""
    timeout: Limit | None = None
    """Limit for one attempt, from the moment that a node accepts the pod. No limit when absent."""
    total_timeout: Limit | None = None
    """Limit for all attempts together, with the waiting between them, from the start of the first. No limit when absent."""
    pending_timeout: Limit | None = None
    """How long an attempt may wait to start before it is given up: as lost when no node takes the pod or the image can't be pulled,
    as failed when its configuration is wrong; 10m when absent."""
    grace_period: Limit | None = None
    """Time between the signal to end (SIGTERM) and the end by force, when a pod is stopped; 30s when absent."""
    retries: Retries | None = None
    """How often to try again. No retries of failures, five of losses, when absent."""


class Teardown(Model):
    """What a task tidies up after."""

    of: Annotated[list[Name], Field(min_length=1, max_length=16, json_schema_extra=crd(x_kubernetes_list_type="set"))]
    """The setups: tasks that made what this one removes. It waits for all that depends on them, and runs if one of them had an
    attempt, also when the run is cancelled or out of time."""
    fails_run: bool = False
    """Whether its failure fails the run."""


class Task(PodSettings):
    """One node of a DAG: a container or a script, each attempt a pod; or something that needs none: an HTTP request, a wait, an approval,
    a computation, a run of another DAG, a sensor."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[
                rule(
                    f"[{', '.join(f'has(self.{way})' for way in WAYS)}, has(self.command) || has(self.args)]"
                    ".filter(way, way).size() <= 1",
                    f"write one of command/args, {in_words(WAYS)}",
                ),
                rule(
                    "!has(self.teardown) || !(has(self.triggerRule) && self.triggerRule != 'AllSucceeded')",
                    "a teardown runs whenever its setup ran: it has no triggerRule",
                    fieldPath=".triggerRule",
                ),
                rule(
                    f"!has(self.image) || !({' || '.join(f'has(self.{way})' for way in PODLESS)})",
                    f"{in_words(PODLESS)} tasks need no image",
                    fieldPath=".image",
                ),
                rule(
                    "has(self.template) || !has(self.forEach) || !has(self.forEach.itemsOf)"
                    " || (has(self.dependsOn) && self.forEach.itemsOf in self.dependsOn)",
                    "itemsOf names a fan-out that is in dependsOn",
                    fieldPath=".forEach.itemsOf",
                ),
                rule(
                    f"!has(self.outputs) || self.outputs.all(o, o.matches('{IDENTIFIER}'))",
                    "names of outputs have at most 63 characters: letters, digits and '_', not beginning with a digit",
                    fieldPath=".outputs",
                ),
            ]
        )
    )

    template: TemplateUse | None = None
    """A TaskTemplate to take everything from that the task itself doesn't say. Variables, outputs and node labels are merged by name."""
    depends_on: Annotated[
        list[Name], Field(max_length=MAX_DEPENDENCIES, json_schema_extra=crd(x_kubernetes_list_type="set"))
    ] = []
    """Tasks that must have ended first. Whether this one then runs is up to its trigger rule."""
    trigger_rule: Expression = "AllSucceeded"
    """What must have become of the dependencies: AllSucceeded, AllDone, AllFailed, AllSkipped, OneSucceeded, OneFailed, OneDone,
    NoneFailed, NoneFailedMinOneSucceeded, NoneSkipped, Always, AllDoneMinOneSucceeded, or CEL over them, such as
    `Failed(a) && Succeeded(b)`."""
    when: Expression = ""
    """CEL over params, tasks and run (and item): when it is false the task is skipped."""
    allow_failure: bool = False
    """When true, what depends on this task goes on after its failure as after a success, and the run does not fail for it."""
    teardown: Teardown | None = None
    """Makes this task the teardown of others: it runs after everything that needs them, whatever became of it, if they ran."""
    on_exit: Annotated[
        list[Literal["Succeeded", "Failed", "Cancelled", "Always"]],
        Field(max_length=4, json_schema_extra=crd(x_kubernetes_list_type="set")),
    ] = []
    """Makes this an exit task: it runs after all others have ended, if the run ends as one of these. Expressions know `run.outcome`
    and `run.message` then. It does not change how the run ends."""
    for_each: ForEach | None = None
    """Runs the task once per item of a list."""
    loop: Loop | None = None
    """Runs the task (with forEach: each item) until a condition holds. Its expressions then know `iteration`, from 1, and `previous`, the
    outputs of the iteration before."""
    outputs: Annotated[dict[str, Output], Field(max_length=64)] = {}
    """Outputs that the task must write, with their types; it may write others."""
    artifacts: TaskArtifacts | None = None
    """Big files and folders that it makes or is given, through the DAG's store: `spec.artifacts`."""
    produces: Annotated[list[Produces], Field(max_length=16)] = []
    """Assets of which it makes a new version whenever it succeeds. Triggers can wait for them."""
    pools: Annotated[list[PoolClaim], Field(max_length=8)] = []
    """Pools that limit how many such tasks run at once."""
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] = 0
    """Where tasks wait for the same limit, those of higher priority go first; it is added to the run's."""
    command: Annotated[list[Text], Field(max_length=256)] = []
    """Replaces the image's entrypoint. `$[[ ]]` expressions are rendered."""
    args: Annotated[list[Text], Field(max_length=256)] = []
    """Arguments of the command or of the image's entrypoint. `$[[ ]]` expressions are rendered."""
    script: ScriptSource | None = None
    """A program in the manifest, instead of command and args."""
    http: HttpRequest | None = None
    """An HTTP request, instead of a container."""
    wait: Wait | None = None
    """Time to pass, instead of a container."""
    approval: Approval | None = None
    """A person's decision, instead of a container."""
    compute: Annotated[dict[str, Expression], Field(max_length=64)] = {}
    """Outputs computed from others, CEL by name, instead of a container, e.g. {total: tasks.a.outputs.n + tasks.b.outputs.n}."""
    dag: SubDAG | None = None
    """A run of another DAG, instead of a container."""
    sensor: TaskSensor | None = None
    """Something to wait for outside, instead of a container."""

    @property
    def podless(self) -> bool:
        """Whether it may run without a pod: it has no container of its own."""
        return any(getattr(self, way) for way in PODLESS)


def merged(defaults: PodSettings, task: Task) -> Task:
    """The task with what `defaults` says where the task is silent. Maps of variables are merged by name."""
    update: dict[str, Any] = {
        name: getattr(defaults, name)
        for name in PodSettings.model_fields
        if name in defaults.model_fields_set and name not in task.model_fields_set
    }
    if task.podless:
        update.pop("image", None)
    for name in ("env", "env_from", "node_selector"):
        update[name] = {**getattr(defaults, name), **getattr(task, name)}
    # A variable that the task sets in one way is not also set in the other way by the defaults.
    update["env"] = {k: v for k, v in update["env"].items() if k in task.env or k not in task.env_from}
    update["env_from"] = {k: v for k, v in update["env_from"].items() if k in task.env_from or k not in task.env}
    return task.model_copy(update=update)
