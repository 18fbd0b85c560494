"""Conditions, as Kubernetes defines them."""

from typing import Annotated, Literal

from pydantic import Field

from tradewind.model.base import Model


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
    last_transition_time: Annotated[str, Field(json_schema_extra={"format": "date-time"})] = ""
    """When the status last changed."""
    observed_generation: int = 0
    """The generation that this describes."""
