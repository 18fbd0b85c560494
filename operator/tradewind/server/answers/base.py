"""The base of what is sent: camelCase keys, times as epoch milliseconds in UTC, durations in seconds."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from tradewind.model.base import Model

Millis = Annotated[int, Field(description="Epoch milliseconds, UTC.")]
Json = Annotated[Any, Field(description="Any JSON value.")]


def in_millis(seconds: float | None) -> int | None:
    """Epoch milliseconds of epoch seconds, if there are any."""
    return None if seconds is None else int(seconds * 1000)


class Wire(BaseModel):
    """Anything that is sent."""

    model_config = Model.model_config


class Answer(Wire):
    """An answer, or a part of one."""


class Query(Wire):
    """The query of a request. Lists are given by repeating a name."""


class Body(Wire):
    """The body of a request."""


class Nothing(Query):
    """No query."""


class Preview(Query):
    """Whether to only tell what would happen."""

    preview: bool = False


class ProblemAnswer(Answer):
    """An error, as in RFC 9457."""

    type: str = "about:blank"
    title: str
    """The kind of error, in words."""
    status: int
    """The HTTP status."""
    detail: str
    """What is wrong, and what to do."""
    field: str | None = None
    """Path of the field that is wrong."""
