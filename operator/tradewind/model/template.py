"""Templates: reusable tasks and DAGs with typed params."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from tradewind.model.base import IDENTIFIER, OF_IDENTIFIERS, Model, Name, Opaque, Params, ShortText, keys
from tradewind.model.condition import Conditions
from tradewind.model.value import Param


class TemplateUse(Model):
    """A template and the params for it."""

    name: Name
    """Name of the template."""
    cluster: bool = False
    """If true, the template is cluster-scoped. Otherwise it is in the same namespace."""
    params: Params = {}
    """Values for the template's params: literal, or `$[[ CEL ]]`, which is evaluated when the task starts."""


class TemplateSpec(Model):
    """Fields of every template."""

    description: ShortText = ""
    """Purpose of the template."""
    params: Annotated[
        dict[str, Param], Field(max_length=100, json_schema_extra=keys(IDENTIFIER, "param", OF_IDENTIFIERS))
    ] = {}
    """Params of the template, by name. `$[[ inputs.NAME ]]` inserts one."""


class TaskTemplateSpec(TemplateSpec):
    """A task with params."""

    task: Opaque
    """Fields of a task. Any value can contain `$[[ inputs.NAME ]]`, and expressions can use `inputs.NAME`; scripts can
    use neither."""


class DAGTemplateSpec(TemplateSpec):
    """A DAG with params."""

    dag: Opaque
    """Fields of a DAG's spec. Any value can contain `$[[ inputs.NAME ]]`, and expressions can use `inputs.NAME`;
    scripts can use neither."""


class TemplateStatus(Model):
    """Observed state of the template."""

    observed_generation: int = 0
    """The generation that this status describes."""
    phase: Literal["Valid", "Invalid", ""] = ""
    """Valid if the template can be used."""
    params: str = ""
    """Names of the params; a `?` marks those with a default."""
    conditions: Conditions = []
    """Valid: true if the template can be used; the message says what to fix. Ready: as Valid; while it is false,
    Stalled or Reconciling is true."""


class Template(Model):
    """What the kinds of templates have in common."""

    short_names: ClassVar[list[str]] = []
    name_limit: ClassVar = 63
    columns: ClassVar[list[dict[str, Any]]] = [
        {"name": "Params", "type": "string", "jsonPath": ".status.params"},
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


class TaskTemplate(Template):
    """A task with params, for the DAGs of its namespace."""

    kind: ClassVar = "TaskTemplate"
    plural: ClassVar = "tasktemplates"
    scope: ClassVar = "Namespaced"

    spec: TaskTemplateSpec
    """The task and its params."""
    status: TemplateStatus | None = None
    """Observed state of the template."""


class ClusterTaskTemplate(TaskTemplate):
    """A task with params, for the DAGs of all namespaces."""

    kind: ClassVar = "ClusterTaskTemplate"
    plural: ClassVar = "clustertasktemplates"
    scope: ClassVar = "Cluster"


class DAGTemplate(Template):
    """A DAG with params, for the DAGs of its namespace."""

    kind: ClassVar = "DAGTemplate"
    plural: ClassVar = "dagtemplates"
    scope: ClassVar = "Namespaced"

    spec: DAGTemplateSpec
    """The DAG and its params."""
    status: TemplateStatus | None = None
    """Observed state of the template."""


class ClusterDAGTemplate(DAGTemplate):
    """A DAG with params, for the DAGs of all namespaces."""

    kind: ClassVar = "ClusterDAGTemplate"
    plural: ClassVar = "clusterdagtemplates"
    scope: ClassVar = "Cluster"
