"""Deeply nested JSON. The API server takes 10,000 levels, the parsers here break at a tenth of that, and the product at less: what lies
deeper than anything that is valid is cut off before it is read, so that one object can't keep the others from being read."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import orjson

from tradewind.model.bounded import MAX_DEPTH, depth

T = TypeVar("T")
KEPT = 2 * MAX_DEPTH
"""Levels that are kept: more than is valid anywhere, so that what was cut off is still refused for its depth."""
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)


def split(raw: bytes, levels: int) -> tuple[list[bytes], list[bytes]]:
    """A document in pieces: what is at most so many levels deep, and the lists and objects between that are deeper. What is no JSON stays
    none."""
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
    """The document with `null` for everything that is deeper than KEPT levels."""
    return b"null".join(split(raw, KEPT)[0])


def load(raw: bytes) -> Any:
    """Plain data of at most KEPT levels. Raises ValueError for what is no JSON."""
    return orjson.loads(pruned(raw))


def decoded(decode: Callable[[bytes], T], raw: bytes) -> T:
    """What a decoder of msgspec makes of a document. Raises what that raises, but RecursionError."""
    try:
        return decode(raw)
    except RecursionError:
        return decode(pruned(bytes(raw)))
