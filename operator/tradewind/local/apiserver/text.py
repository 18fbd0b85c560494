"""JSON within a real API server's limit of 10,000 nesting levels. Levels below any schema are kept as text."""

import re
import secrets
from typing import Any

import orjson

from tradewind.kube.nested import split
from tradewind.model.bounded import depth

LEVELS = 100
"""Levels that are parsed; no schema is as deep."""
DEEPEST = 10_000
_MARK = secrets.token_hex(16)
"""The prefix of texts that stand for deeper levels."""
_HELD = re.compile(rb'"%s[^"\\]*+(?:\\.[^"\\]*+)*+"' % _MARK.encode(), re.DOTALL)


def read(data: bytes) -> Any:
    """Parses a document, to be written with `write`. Raises ValueError for invalid JSON or too many levels."""
    kept, deeper = split(data, LEVELS)
    if deeper and depth(data) > DEEPEST:
        raise ValueError("exceeded max depth")
    for piece in deeper:
        read(piece)  # it must be valid JSON too
    held = (orjson.dumps(_MARK + piece.decode()) for piece in deeper)
    return orjson.loads(b"".join(part for pair in zip(kept, [*held, b""], strict=True) for part in pair))


def write(value: Any) -> bytes:
    """The document as JSON."""
    data = orjson.dumps(value)
    return (
        _HELD.sub(lambda found: orjson.loads(found[0])[len(_MARK) :].encode(), data) if _MARK.encode() in data else data
    )
