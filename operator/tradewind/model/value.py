"""Typed values: params of a run, and outputs of tasks."""

from typing import Annotated, Literal

from pydantic import Field

from tradewind.model.base import Anything, Model, ShortText

ValueType = Literal["string", "integer", "number", "boolean", "duration", "date", "datetime", "list", "object", "any"]
ParamType = Literal[
    "string", "integer", "number", "boolean", "duration", "date", "datetime", "list", "object", "any", "secret"
]
ElementType = Literal["string", "integer", "number", "boolean", "duration", "date", "datetime", "object"]


class Bounds(Model):
    """Constraints on a value, beyond its type."""

    description: ShortText = ""
    """Purpose of the value."""
    enum: Annotated[list[Anything], Field(max_length=100)] = []
    """Allowed values. Empty allows all."""
    min: Anything = None
    """Minimum: a number, a duration, a date or a point in time; for strings, lists and objects the minimum length."""
    max: Anything = None
    """Maximum: a number, a duration, a date or a point in time; for strings, lists and objects the maximum length."""
    pattern: Annotated[str, Field(max_length=512)] = ""
    """Regular expression (RE2) that must match somewhere in a string; use `^` and `$` to anchor it."""


class Element(Bounds):
    """What each element of a list must be."""

    type: ElementType = "string"
    """Type of the elements."""


class Output(Bounds):
    """An output that a task must write; it is checked when the task ends."""

    type: ValueType = "string"
    """Type of the value. Expressions of downstream tasks are checked against it."""
    from_: Annotated[Literal["json", "text", "lines"], Field(alias="from")] = "json"
    """Where the value comes from. json: its key in the JSON object that the task writes to $TRADEWIND_OUTPUTS. text: the whole
    file, without a final newline, converted to the type. lines: the lines of the file, as a list. For text and lines the task
    declares no other output."""
    items: Element | None = None
    """For a list: what each of its elements must be."""


class Param(Bounds):
    """A typed param. Required if it has no default and is not optional."""

    type: ParamType = "string"
    """Type of the value. Write durations as 90s or 1h30m, dates as 2026-01-31, and points in time (datetime) as
    2026-01-31T08:00:00Z. The value of a secret is {name, key} of a Secret in the run's namespace; it can only be the whole
    value of an environment variable."""
    items: Element | None = None
    """For a list: what each of its elements must be."""
    optional: bool = False
    """If true, the param may be left out or null; without a default it is null then."""
    title: ShortText = ""
    """Name of the param for people, in prompts and forms."""
    section: ShortText = ""
    """Heading under which prompts and forms show the param."""
    examples: Annotated[list[Anything], Field(max_length=16)] = []
    """Values that prompts and forms suggest. Others are allowed."""

    default: Anything = None
    """Value for runs that don't set one."""

    @property
    def required(self) -> bool:
        """Whether a run must give a value."""
        return self.default is None and not self.optional
