"""Triggers that fire when objects of the cluster change."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from tradewind.model.base import Anything, ApiVersion, KindName, LabelKey, LabelValue, Model, Timestamp, crd, rule


class LabelRequirement(Model):
    """A requirement on a label, as defined by Kubernetes."""

    key: LabelKey
    """Key of the label."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """Relation of the label to `values`."""
    values: Annotated[list[LabelValue], Field(max_length=64)] = []
    """Values for In and NotIn."""


class LabelSelector(Model):
    """Selects objects by labels, as defined by Kubernetes. All requirements must be met."""

    match_labels: Annotated[dict[LabelKey, LabelValue], Field(max_length=32)] = {}
    """Labels and their required values."""
    match_expressions: Annotated[list[LabelRequirement], Field(max_length=32)] = []
    """Further requirements on labels."""


class ConditionWanted(Model):
    """A condition in an object's `status.conditions`."""

    type: Annotated[str, Field(min_length=1, max_length=316)]
    """Type of the condition, e.g. Ready."""
    status: Literal["True", "False", "Unknown"] = "True"
    """Status that the condition must reach."""


class ObjectChange(Model):
    """Fires when objects of a kind change in the trigger's namespace."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[
                rule(
                    "has(self.condition) == ('Condition' in self.changes)",
                    "write condition, and Condition among the changes",
                    fieldPath=".condition",
                )
            ]
        )
    )

    api_version: ApiVersion
    """API version of the kind, e.g. v1 or batch/v1."""
    kind: KindName
    """The kind, which must be namespaced. The operator needs the right to read it: see objectTriggers.rules in the
    chart."""
    label_selector: LabelSelector = LabelSelector()
    """Selects the objects to follow. Empty selects all."""
    changes: Annotated[
        list[Literal["Created", "Updated", "Deleted", "Condition"]],
        Field(min_length=1, max_length=4, json_schema_extra=crd(x_kubernetes_list_type="set")),
    ]
    """Changes that count. Created: an object is new or begins to match the selector. Updated: it has a new version.
    Deleted: it is gone or no longer matches. Condition: `condition` has reached its status."""
    condition: ConditionWanted | None = None
    """The condition to watch for the change Condition."""


class ObjectDue(Model):
    """A run that is being created for a change."""

    suffix: str
    """Suffix of the run's name."""
    at: Timestamp
    """Time when the operator saw the change."""
    cause: str
    """The change and its object."""
    params: Annotated[dict[str, Anything], Field(max_length=100)] = {}
    """Params of the run."""


class ObjectChangeStatus(Model):
    """Changes that have been processed."""

    followed: str = ""
    """The kind and the selector that are followed. When they change, the trigger starts again with the existing
    objects."""
    known: Annotated[str, Field(max_length=131_072)] = ""
    """Processed objects, one per line: name, digest of the uid, version that last created a run (if relevant), and + if
    the condition has the wanted status."""
    objects: int = 0
    """Number of objects."""
    due: Annotated[list[ObjectDue], Field(max_length=20)] = []
    """Runs that are being created."""
    skipped: Annotated[str, Field(max_length=1_024)] = ""
    """The latest change for which no run was created, and the reason."""
