"""Deeply nested JSON. The API server accepts 10,000 levels, the parsers here break at a tenth of that, and valid objects have fewer. Deeper
levels are cut off before parsing, so that one object can't keep others from being read."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import orjson

from tradewind.model.bounded import MAX_DEPTH, depth

T = TypeVar("T")
KEPT = 2 * MAX_DEPTH
"""Levels that are kept: more than any valid object has, so that a truncated one is still refused for its depth."""
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)


def split(raw: bytes, levels: int) -> tuple[list[bytes], list[bytes]]:
    """Splits a document into the pieces of at most `levels` levels, and the deeper lists and objects between them. Invalid JSON stays
    invalid."""
    if raw.count(b"[") + raw.count(b"{") <= levels or depth(raw) <= levels:
        return [raw], []
    kept: list[bytes] = []
    deeper: list[bytes] = []
    level = begin = 0
    for token in _TOKEN.finditer(raw):
        mark = raw[token.start()]
        if mark in b"[{":
            level += 1
            if level == levels + 1:
                kept.append(raw[begin : token.start()])
                begin = token.start()
        elif mark in b"]}":
            if level == levels + 1:
                deeper.append(raw[begin : token.end()])
                begin = token.end()
            level -= 1
    return [*kept, raw[begin:]], deeper


def pruned(raw: bytes) -> bytes:
    """The document with everything deeper than KEPT levels replaced by `null`."""
    return b"null".join(split(raw, KEPT)[0])


def load(raw: bytes) -> Any:
    """Plain data of at most KEPT levels. Raises ValueError for invalid JSON."""
    return orjson.loads(pruned(raw))


def decoded(decode: Callable[[bytes], T], raw: bytes) -> T:
    """A document decoded by a decoder of msgspec. Raises what that raises, except RecursionError."""
    try:
        return decode(raw)
    except RecursionError:
        return decode(pruned(bytes(raw)))
