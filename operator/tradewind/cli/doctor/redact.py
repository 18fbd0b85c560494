"""What of an object may leave the cluster: its shape, names and states, and nothing that a user has put into it as a value."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

HIDDEN = "<hidden>"
VALUES = frozenset({
    "env", "args", "command", "script", "headers", "body", "parameters", "params", "outputs", "results", "compute", "annotations",
    "default", "enum", "query", "cursor", "keys", "items", "last-applied-configuration",
})  # fmt: skip
"""Fields in which there are a user's values. Of those with names the names are kept."""
DROPPED = frozenset({"managedFields"})
_TOLD = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w\-.~+/=]+"), rf"\1 {HIDDEN}"),
    (
        re.compile(r"(?i)\b([\w-]*(?:password|passwd|secret|token|apikey|api_key|access_key)[\w-]*\s*[=:]\s*)\S+"),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"://[^/\s:@]+:[^/\s@]+@"), f"://{HIDDEN}@"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), HIDDEN),
    (re.compile(r"(://[^\s?\"']+)\?[^\s\"']+"), rf"\1?{HIDDEN}"),
)
"""Credentials as they look in texts: headers, assignments, addresses with a password or a query, JSON Web Tokens."""


def text(words: str) -> str:
    """A text, such as a line of a log, without what looks like a credential."""
    for pattern, instead in _TOLD:
        words = pattern.sub(instead, words)
    return words


def body(value: Any, key: str = "") -> Any:
    """An object, or a part of one that stands under `key`."""
    if key in VALUES:
        return _hidden(value)
    if isinstance(value, Mapping):
        return {name: body(inner, str(name)) for name, inner in value.items() if name not in DROPPED}
    if isinstance(value, list):
        return [body(inner) for inner in value]
    if isinstance(value, str):
        return _address(value) if key == "url" else text(value)
    return value


def _hidden(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict.fromkeys(value, HIDDEN)
    if isinstance(value, list):
        return [HIDDEN] * len(value)
    return value if value is None or isinstance(value, bool) else HIDDEN


def _address(url: str) -> str:
    """Where it is, and not what is asked."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname}/{HIDDEN}" if parts.hostname else HIDDEN
    except ValueError:
        return HIDDEN
