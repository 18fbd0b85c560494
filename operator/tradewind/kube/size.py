"""The size of objects in the API server's storage."""

from collections.abc import Mapping
from typing import Any

import orjson

OBJECT_LIMIT = 1_572_864
"""Bytes of an object: etcd's default limit for requests."""


def stored_size(value: Mapping[str, Any]) -> int:
    """Bytes of plain data in the storage. Kubernetes 1.36 was found to write `<`, `>`, `&` and the two Unicode line separators as six bytes
    each, while JSON here has them unescaped."""
    return escaped_size(orjson.dumps(value))


def escaped_size(raw: bytes) -> int:
    """The same for JSON as written here."""
    lines = sum(map(raw.count, ("\u2028".encode(), "\u2029".encode())))
    return len(raw) + 5 * sum(map(raw.count, (b"<", b">", b"&"))) + 3 * lines
