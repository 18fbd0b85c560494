"""Templates: tasks and DAGs with typed inputs, to be used by name."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tradewind.model.base import IDENTIFIER, Model, Name, Opaque, Params, ShortText, crd, rule
from tradewind.model.condition import Conditions
from tradewind.model.value import Param


class TemplateUse(Model):
    """Which template, and with what."""

    name: Name
    """Name of the template."""
    cluster: bool = False
    """When true the template is one of the whole cluster; otherwise one in the same namespace."""
    params: Params = {}
    """Values for the template's params: plain, or with `$[[ CEL ]]` that is evaluated when the task starts."""


class TemplateSpec(Model):
    """What every template has."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[
                rule(
                    f"!has(self.params) || self.params.all(p, p.matches('{IDENTIFIER}'))",
                    "names of params have at most 63 characters: letters, digits and '_', not beginning with a digit",
                    fieldPath=".params",
                )
            ]
        )
    )

    description: ShortText = ""
    """What it is for."""
    params: Annotated[dict[str, Param], Field(max_length=100)] = {}
    """Inputs, by name: `$[[ inputs.NAME ]]` stands for one."""


class TaskTemplateSpec(TemplateSpec):
    """A task with inputs."""

    task: Opaque
    """What a task of a DAG has. Any value may hold `$[[ inputs.NAME ]]`, expressions may say `inputs.NAME`, scripts neither."""


class DAGTemplateSpec(TemplateSpec):
    """A DAG with inputs."""

    dag: Opaque
    """What the spec of a DAG has. Any value may hold `$[[ inputs.NAME ]]`, expressions may say `inputs.NAME`, scripts neither."""


class TemplateStatus(Model):
    """What the operator found out."""

    observed_generation: int = 0
    """The generation that this status describes."""
    phase: Literal["Valid", "Invalid", ""] = ""
    """Valid when it can be used."""
    params: str = ""
    """Its params; those with a `?` have a default."""
    conditions: Conditions = []
    """Valid: whether it can be used and, if not, what to fix. Ready: the same, with Stalled or Reconciling while it is false."""


class Template(Model):
    """What the kinds of templates have in common."""

    short_names: ClassVar[list[str]] = []
    name_limit: ClassVar = 63
    columns: ClassVar[list[dict[str, Any]]] = [
        {"name": "Params", "type": "string", "jsonPath": ".status.params"},
        {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    selectable: ClassVar[list[str]] = []


class TaskTemplate(Template):
    """A task with inputs, for the DAGs of its namespace."""

    kind: ClassVar = "TaskTemplate"
    plural: ClassVar = "tasktemplates"
    scope: ClassVar = "Namespaced"

    spec: TaskTemplateSpec
    """The task and its inputs."""
    status: TemplateStatus | None = None
    """What the operator found out."""


class ClusterTaskTemplate(TaskTemplate):
    """A task with inputs, for the DAGs of all namespaces."""

    kind: ClassVar = "ClusterTaskTemplate"
    plural: ClassVar = "clustertasktemplates"
    scope: ClassVar = "Cluster"


class DAGTemplate(Template):
    """A DAG with inputs, for the DAGs of its namespace."""

    kind: ClassVar = "DAGTemplate"
    plural: ClassVar = "dagtemplates"
    scope: ClassVar = "Namespaced"

    spec: DAGTemplateSpec
    """The DAG and its inputs."""
    status: TemplateStatus | None = None
    """What the operator found out."""


class ClusterDAGTemplate(DAGTemplate):
    """A DAG with inputs, for the DAGs of all namespaces."""

    kind: ClassVar = "ClusterDAGTemplate"
    plural: ClassVar = "clusterdagtemplates"
    scope: ClassVar = "Cluster"
