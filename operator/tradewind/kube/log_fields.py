"""Fields of log lines: namespace, run, DAG and task, in addition to the text."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

FIELDS: ContextVar[Mapping[str, str]] = ContextVar("FIELDS", default={})  # noqa: B039 - nobody writes into it
"""Fields of all lines that are logged from here on, in this task and in those that it starts."""


def extra(**fields: str) -> dict[str, Any]:
    """Fields of one line more, for the argument `extra` of a logger."""
    return {"fields": fields}


def of_key(queue: str, key: object) -> Mapping[str, str]:
    """Fields of what a queue works on; of a key that names no object of a namespace, none."""
    match key:
        case (str(namespace), str(name)):
            return {"namespace": namespace, queue: name}
        case (str(), str(namespace), str(name)):
            return {"namespace": namespace, queue: name}
    return {}
