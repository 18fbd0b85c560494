"""Typed values: what a run is given, and what tasks hand on."""

from typing import Annotated, Literal

from pydantic import Field

from tradewind.model.base import Anything, Model, ShortText

ValueType = Literal["string", "integer", "number", "boolean", "duration", "date", "list", "object"]
ParamType = Literal["string", "integer", "number", "boolean", "duration", "date", "list", "object", "secret"]


class Bounds(Model):
    """What a value may be, beyond its type."""

    description: ShortText = ""
    """What it is for."""
    enum: Annotated[list[Anything], Field(max_length=100)] = []
    """The only values allowed, when not empty."""
    min: Anything = None
    """The smallest value allowed: a number, a duration or a date; of strings, lists and objects the smallest length."""
    max: Anything = None
    """The largest value allowed, or the largest length."""
    pattern: Annotated[str, Field(max_length=512)] = ""
    """A regular expression (RE2) that must match somewhere in a string; `^` and `$` anchor it."""


class Output(Bounds):
    """An output that a task must write, checked when it ends."""

    type: ValueType = "string"
    """What it is. Expressions downstream are checked against it."""


class Param(Bounds):
    """A typed input of a run. Required when it has no default."""

    type: ParamType = "string"
    """What values may be. Durations are written 90s or 1h30m, dates 2026-01-31. The value of a secret is {name, key} of a Secret in
    the run's namespace; it can only be the whole value of an environment variable."""
    default: Anything = None
    """Value of runs that don't give one."""
