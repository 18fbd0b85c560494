"""Triggers that fire when runs of other DAGs end."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from tradewind.model.base import DNS_LABEL, Expression, Model, Name, crd, rule
from tradewind.model.duration import Duration


class FollowedDAG(Model):
    """A DAG to follow."""

    name: Name
    """Name of the DAG."""
    namespace: Annotated[str, Field(max_length=63, pattern=rf"^$|{DNS_LABEL}")] = ""
    """Namespace of the DAG. Empty means the trigger's own. A DAG in another namespace must list this namespace in its
    spec.allowTriggersFrom."""
    outcomes: Annotated[
        list[Literal["Succeeded", "Failed", "Cancelled"]],
        Field(min_length=1, max_length=3, json_schema_extra=crd(x_kubernetes_list_type="set")),
    ] = ["Succeeded"]
    """Outcomes of a run that count."""
    when: Expression = ""
    """CEL over `source`. Runs for which it is false don't count."""


class Completed(Model):
    """Fires when runs of other DAGs have ended."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[
                rule(
                    "!has(self.atLeast) || self.atLeast <= self.dags.size()",
                    "atLeast is larger than the number of dags",
                    fieldPath=".atLeast",
                )
            ]
        )
    )

    dags: Annotated[list[FollowedDAG], Field(min_length=1, max_length=16)]
    """The DAGs to follow. Only the latest run of each that counts is considered."""
    at_least: Annotated[int, Field(ge=1, le=16)] | None = None
    """Number of these DAGs that must have had a run that counts since the trigger last fired, e.g. 1 for any of them.
    Defaults to all."""
    within: Duration | None = None
    """Maximum time between the ends of these runs. No limit when absent."""
