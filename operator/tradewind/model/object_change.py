"""Objects of the cluster that change, as what fires a trigger."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from tradewind.model.base import Anything, ApiVersion, KindName, LabelKey, LabelValue, Model, Timestamp, crd, rule


class LabelRequirement(Model):
    """What a label has to be, as Kubernetes defines it."""

    key: LabelKey
    """The label."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How it is compared with `values`."""
    values: Annotated[list[LabelValue], Field(max_length=64)] = []
    """For In and NotIn."""


class LabelSelector(Model):
    """Objects by their labels, as Kubernetes defines it; all of it has to hold."""

    match_labels: Annotated[dict[LabelKey, LabelValue], Field(max_length=32)] = {}
    """Labels and their values."""
    match_expressions: Annotated[list[LabelRequirement], Field(max_length=32)] = []
    """What else labels have to be."""


class ConditionWanted(Model):
    """A condition in an object's `status.conditions`."""

    type: Annotated[str, Field(min_length=1, max_length=316)]
    """Its type, e.g. Ready."""
    status: Literal["True", "False", "Unknown"] = "True"
    """What it has to become."""


class ObjectChange(Model):
    """Fires when objects of a kind change, in the trigger's namespace."""

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
    """Of the kind, e.g. v1 or batch/v1."""
    kind: KindName
    """The kind, which has to be namespaced. The operator needs the right to read it: the chart's objectTriggers.rules."""
    label_selector: LabelSelector = LabelSelector()
    """Which of them; all when empty."""
    changes: Annotated[
        list[Literal["Created", "Updated", "Deleted", "Condition"]],
        Field(min_length=1, max_length=4, json_schema_extra=crd(x_kubernetes_list_type="set")),
    ]
    """What counts. Created: an object is new, or begins to match. Updated: it has another version. Deleted: it is gone, or matches no
    more. Condition: `condition` has become so."""
    condition: ConditionWanted | None = None
    """The condition that Condition is about."""


class ObjectDue(Model):
    """A run that is being made of a change."""

    suffix: str
    """The end of its name."""
    at: Timestamp
    """When the change was seen."""
    cause: str
    """Which change of which object."""
    params: Annotated[dict[str, Anything], Field(max_length=100)] = {}
    """Its params."""


class ObjectChangeStatus(Model):
    """What has been dealt with."""

    followed: str = ""
    """What the objects are: another kind, or selector, begins anew."""
    known: Annotated[str, Field(max_length=131_072)] = ""
    """The objects that have been dealt with, a line each: name, a digest of the uid, the version that a run was made of last (where that
    matters), and + where the condition is so."""
    objects: int = 0
    """How many there are."""
    due: Annotated[list[ObjectDue], Field(max_length=20)] = []
    """Runs that are being made."""
    skipped: Annotated[str, Field(max_length=1_024)] = ""
    """What became of the latest change that got no run, and why."""
