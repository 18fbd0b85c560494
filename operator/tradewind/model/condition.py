"""Conditions, as Kubernetes defines them."""

from typing import Annotated, Literal

from pydantic import Field

from tradewind.model.base import Model, Timestamp, crd


class Condition(Model):
    """One observation about an object, for people and for `kubectl wait`."""

    type: Annotated[str, Field(max_length=63)]
    """Name of the condition."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Annotated[str, Field(max_length=63)]
    """One CamelCase word for programs."""
    message: Annotated[str, Field(max_length=4_096)] = ""
    """A sentence for people."""
    last_transition_time: Timestamp = ""
    """When the status last changed."""
    observed_generation: int = 0
    """The generation that this describes."""


Conditions = Annotated[
    list[Condition],
    Field(max_length=16, json_schema_extra=crd(x_kubernetes_list_type="map", x_kubernetes_list_map_keys=["type"])),
]
"""The conditions of a status, one of each type."""
