"""Assets: data that tasks produce, by name; and triggers that wait for news of them."""

from typing import Annotated

from pydantic import ConfigDict, Field

from tradewind.model.base import Anything, Model, Name, Opaque, Text, Timestamp, crd, rule


class Produces(Model):
    """An asset of which a task, or a run, makes a new version when it succeeds."""

    name: Name
    """The asset's name: all DAGs of the namespace mean the same by it."""
    partition: Text = ""
    """Which part of it, e.g. a day; `$[[ ]]` is rendered, over params and run, and the task's `outputs` and item, or of a DAG over tasks."""
    metadata: Annotated[dict[str, Anything], Field(max_length=32)] = {}
    """What else to say of it, up to 1 KiB as JSON; `$[[ ]]` is rendered, and where it is the whole value, its type is kept."""


class AssetUpdate(Model):
    """A new version of an asset."""

    name: str
    """The asset's name."""
    partition: Annotated[str, Field(max_length=256)] = ""
    """Which part of it."""
    task: str = ""
    """The task or item that made it; empty where it was the run as a whole."""
    at: Timestamp
    """When that ended."""
    metadata: Opaque = {}
    """What was said of it."""


class AssetClause(Model):
    """An asset, or several of which any or all are meant."""

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
    """An asset."""
    any_of: Annotated[list[Name], Field(max_length=16, json_schema_extra=crd(x_kubernetes_list_type="set"))] = []
    """One of these is enough."""
    all_of: Annotated[list[Name], Field(max_length=16, json_schema_extra=crd(x_kubernetes_list_type="set"))] = []
    """All of these."""


class Assets(Model):
    """Fires when assets have been updated since it fired last: for each partition by itself."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[
                rule("has(self.anyOf) != has(self.allOf)", "write anyOf or allOf"),
            ]
        )
    )

    any_of: Annotated[list[AssetClause], Field(max_length=8)] = []
    """One of these is enough."""
    all_of: Annotated[list[AssetClause], Field(max_length=8)] = []
    """All of these."""
