"""Typed values: params of a run, and outputs of tasks."""

from typing import Annotated, Literal

from pydantic import Field

from tradewind.model.base import Anything, Model, ShortText

ValueType = Literal["string", "integer", "number", "boolean", "duration", "date", "list", "object"]
ParamType = Literal["string", "integer", "number", "boolean", "duration", "date", "list", "object", "secret"]


class Bounds(Model):
    """Constraints on a value, beyond its type."""

    description: ShortText = ""
    """Purpose of the value."""
    enum: Annotated[list[Anything], Field(max_length=100)] = []
    """Allowed values. Empty allows all."""
    min: Anything = None
    """Minimum: a number, a duration or a date; for strings, lists and objects the minimum length."""
    max: Anything = None
    """Maximum: a number, a duration or a date; for strings, lists and objects the maximum length."""
    pattern: Annotated[str, Field(max_length=512)] = ""
    """Regular expression (RE2) that must match somewhere in a string; use `^` and `$` to anchor it."""


class Output(Bounds):
    """An output that a task must write; it is checked when the task ends."""

    type: ValueType = "string"
    """Type of the value. Expressions of downstream tasks are checked against it."""


class Param(Bounds):
    """A typed param. Required if it has no default."""

    type: ParamType = "string"
    """Type of the value. Write durations as 90s or 1h30m, and dates as 2026-01-31. The value of a secret is {name, key}
    of a Secret in the run's namespace; it can only be the whole value of an environment variable."""
    default: Anything = None
    """Value for runs that don't set one."""
