"""Runs of other DAGs that end, as what fires a trigger."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from tradewind.model.base import DNS_LABEL, Expression, Model, Name, crd, rule
from tradewind.model.duration import Duration


class FollowedDAG(Model):
    """A DAG whose runs count when they end."""

    name: Name
    """Its name."""
    namespace: Annotated[str, Field(max_length=63, pattern=rf"^$|{DNS_LABEL}")] = ""
    """Its namespace; the trigger's own when empty. A DAG of another one has to name this one in its spec.allowTriggersFrom."""
    outcomes: Annotated[
        list[Literal["Succeeded", "Failed", "Cancelled"]],
        Field(min_length=1, max_length=3, json_schema_extra=crd(x_kubernetes_list_type="set")),
    ] = ["Succeeded"]
    """How a run has to end to count."""
    when: Expression = ""
    """CEL over `source`: runs for which it is false don't count."""


class Completed(Model):
    """Fires when runs of other DAGs have ended."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[
                rule(
                    "!has(self.atLeast) || self.atLeast <= self.dags.size()",
                    "atLeast is more than there are DAGs",
                    fieldPath=".atLeast",
                )
            ]
        )
    )

    dags: Annotated[list[FollowedDAG], Field(min_length=1, max_length=16)]
    """The DAGs. Of each the latest run that counts is looked at."""
    at_least: Annotated[int, Field(ge=1, le=16)] | None = None
    """How many of them must have had a run that counts since the trigger fired last: 1 for any; all of them when absent."""
    within: Duration | None = None
    """These runs must have ended within so much time of each other. No limit when absent."""
