"""Assets: named data that tasks produce, and triggers that wait for updates of them."""

from typing import Annotated

from pydantic import ConfigDict, Field

from tradewind.model.base import Anything, Model, Name, Opaque, Text, Timestamp, crd, rule


class Produces(Model):
    """An asset that gets a new version when a task, or a run, succeeds."""

    name: Name
    """Name of the asset. It means the same asset for all DAGs of the namespace."""
    partition: Text = ""
    """The part of the asset that is updated, e.g. a day. `$[[ ]]` is rendered; it can use params and run, in a task
    also its `outputs` and item, in a DAG also tasks."""
    metadata: Annotated[dict[str, Anything], Field(max_length=32)] = {}
    """Additional values, up to 1 KiB as JSON. `$[[ ]]` is rendered; an expression that is the whole value keeps its
    type."""


class AssetUpdate(Model):
    """A new version of an asset."""

    name: str
    """Name of the asset."""
    partition: Annotated[str, Field(max_length=256)] = ""
    """The part of the asset that was updated."""
    task: str = ""
    """Task or item that made the version; empty if the run as a whole made it."""
    at: Timestamp
    """Time when that task, item or run ended."""
    metadata: Opaque = {}
    """Additional values of this version."""


class AssetClause(Model):
    """One asset, or any or all of several."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[
                rule(
                    "[has(self.name), has(self.anyOf), has(self.allOf)].filter(x, x).size() == 1",
                    "write one of name, anyOf and allOf",
                )
            ]
        )
    )

    name: Name | None = None
    """Name of an asset that must be updated."""
    any_of: Annotated[list[Name], Field(max_length=16, json_schema_extra=crd(x_kubernetes_list_type="set"))] = []
    """Names of assets, at least one of which must be updated."""
    all_of: Annotated[list[Name], Field(max_length=16, json_schema_extra=crd(x_kubernetes_list_type="set"))] = []
    """Names of assets, all of which must be updated."""


class Assets(Model):
    """Fires when the given assets have been updated since the trigger last fired. Each partition counts separately."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[
                rule("has(self.anyOf) != has(self.allOf)", "write anyOf or allOf"),
            ]
        )
    )

    any_of: Annotated[list[AssetClause], Field(max_length=8)] = []
    """Clauses, at least one of which must be satisfied."""
    all_of: Annotated[list[AssetClause], Field(max_length=8)] = []
    """Clauses, all of which must be satisfied."""
