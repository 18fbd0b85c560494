"""Conditions, as Kubernetes defines them."""

from typing import Annotated, Literal

from pydantic import Field

from tradewind.model.base import Model, Timestamp, crd


class Condition(Model):
    """An observation about an object, for people and for `kubectl wait`."""

    type: Annotated[str, Field(max_length=63)]
    """Type of the condition."""
    status: Literal["True", "False", "Unknown"]
    """Whether the condition is true."""
    reason: Annotated[str, Field(max_length=63)]
    """Reason as one CamelCase word, for programs."""
    message: Annotated[str, Field(max_length=4_096)] = ""
    """Explanation for people."""
    last_transition_time: Timestamp = ""
    """Time when the status last changed."""
    observed_generation: int = 0
    """Generation of the object that this condition describes."""


Conditions = Annotated[
    list[Condition],
    Field(max_length=16, json_schema_extra=crd(x_kubernetes_list_type="map", x_kubernetes_list_map_keys=["type"])),
]
"""The conditions of a status, one of each type."""
