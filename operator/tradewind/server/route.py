"""A route: its path, what it takes and answers, and which rights it needs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tradewind.kube.resources import Resource
from tradewind.server.answers.base import Answer, Body, Nothing, Query


@dataclass(frozen=True, slots=True)
class Need:
    """A right: a verb on a resource. On a route with `{namespace}` it is needed there; on others the answer is limited
    to the namespaces in which the caller has it."""

    verb: str
    resource: Resource
    subresource: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource.plural}{f'/{self.subresource}' if self.subresource else ''}"


class Form(StrEnum):
    """The form of an answer."""

    JSON = "application/json"
    TEXT = "text/plain"
    STREAM = "text/event-stream"
    HTML = "text/html"
    NONE = ""


@dataclass(frozen=True, slots=True)
class Route:
    """A route below /api/v1. `path` has no leading slash; its parts in braces are handed to `work` by name."""

    method: str
    path: str
    words: str
    """What it does, for OpenAPI."""
    work: Callable[..., Awaitable[Any]]
    """Called with the question; returns the answer's model, or a response."""
    answer: type[Answer] | None = None
    query: type[Query] = Nothing
    body: type[Body] | None = None
    needs: tuple[Need, ...] = ()
    form: Form = Form.JSON
    open: bool = False
    """Whether it is answered without a session."""

    @property
    def unsafe(self) -> bool:
        """Whether it may change something."""
        return self.method != "GET"

    @property
    def key(self) -> str:
        """As in the types of the front end: `GET runs/{namespace}/{name}`."""
        return f"{self.method} {self.path}"
