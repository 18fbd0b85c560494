"""Functions for JSON text, and for durations with days."""

import re
from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction
from typing import Any

import orjson
from cel_expr_python import cel

from tradewind.model.bounded import OutOfBounds, checked, in_key_order, read_json
from tradewind.plan.cel.references import overload

JSON_BYTES_LIMIT = 2**20
"""Bytes of a text that is parsed as JSON."""
DURATION_LIMIT = 200
"""Characters of a duration: each part takes as long as a hundred characters of another text."""
_PARTS = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)(d|h|ms|us|µs|m|s)")
_MICROS = {"d": 86_400_000_000, "h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000, "ms": 1_000, "us": 1, "µs": 1}
_DYN = cel.Type.DYN
_KINDS = (
    cel.Type.STRING,
    cel.Type.INT,
    cel.Type.DOUBLE,
    cel.Type.BOOL,
    cel.Type.NULL,
    cel.Type.List(_DYN),
    cel.Type.Map(_DYN, _DYN),
    cel.Type.TIMESTAMP,
    cel.Type.DURATION,
)


def parse(text: str) -> Any:
    """The value of a JSON text."""
    try:
        return checked(read_json(text, limit=JSON_BYTES_LIMIT, name="the text"), name="the text", nul=False)
    except OutOfBounds as error:
        raise ValueError(f"json.parse: {error}") from None


def format_(value: Any) -> str:
    """A value as JSON without whitespace, its objects sorted by key."""
    try:
        return orjson.dumps(in_key_order(checked(value, name="the value"))).decode()
    except OutOfBounds as error:
        raise ValueError(f"json.format: {error}") from None


def duration(text: str) -> timedelta:
    """A duration as in params, timeouts and waits: `1d`, `1h30m`."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    parts = _PARTS.findall(rest) if len(rest) <= DURATION_LIMIT else []
    if rest == "0":
        return timedelta()
    if not parts or "".join(number + unit for number, unit in parts) != rest:
        raise ValueError(f"duration: {text[:80]!r} is not a duration: write one like 1d, 1h30m or 90s")
    try:
        return timedelta(microseconds=sign * round(sum(Fraction(number) * _MICROS[unit] for number, unit in parts)))
    except OverflowError:
        raise ValueError(f"duration: {text[:80]!r} is too long") from None


def declarations() -> Iterator[Any]:
    """Declarations of these functions for the engine."""
    string = cel.Type.STRING
    parsing = overload("tradewind_json_parse", [string], _DYN, parse)
    yield cel.FunctionDecl("json.parse", [parsing])
    writing = [overload(f"tradewind_json_{at}", [kind], string, format_) for at, kind in enumerate(_KINDS)]
    yield cel.FunctionDecl("json.format", writing)
    lasting = overload("tradewind_duration", [string], cel.Type.DURATION, duration)
    yield cel.FunctionDecl("tradewind_duration", [lasting])
