"""Structured fields of log lines: namespace, run, DAG and task, in addition to the text."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

FIELDS: ContextVar[Mapping[str, str]] = ContextVar("FIELDS", default={})  # noqa: B039 - nobody modifies it
"""Fields of all later log lines of this task and the tasks that it starts."""


def extra(**fields: str) -> dict[str, Any]:
    """Fields of one log line, for the argument `extra` of a logger."""
    return {"fields": fields}


def of_key(queue: str, key: object) -> Mapping[str, str]:
    """Fields for a queue's key; none for a key that names no namespaced object."""
    match key:
        case (str(namespace), str(name)):
            return {"namespace": namespace, queue: name}
        case (str(), str(namespace), str(name)):
            return {"namespace": namespace, queue: name}
    return {}
