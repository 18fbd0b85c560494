"""Foreign data within bounds: JSON from outside, values of expressions, documents.

Accepted data can be written by every part of the product, with any reader or writer."""

import json
import math
import re
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

import orjson

MAX_DEPTH = 64
"""Nesting levels of lists and objects."""
MAX_VALUES = 1_000_000
"""Values in one document. One that refers to the same list repeatedly (YAML has anchors) can be far larger than it
looks."""
PARAMS_LIMIT = 256 * 1024
"""Bytes of the params of a run. Its object contains them twice, as given and as effective, besides everything else."""
PARAM_VALUES_LIMIT = 20_000
"""Values in the params of a run, including nested ones: each takes some 100 bytes of memory, however short its text is."""
EDIT_VALUES_LIMIT = 50_000
"""Values in the edits of a run: two hundred edits, each with the names of a hundred tasks, and outputs for many of
these."""
VALUES_LIMIT = 150_000
"""Values in any object: a DAG of ten thousand tasks has fewer."""
_ELSEWHERE = "keep large data in a volume or an object store, and give the path"
MANY_VALUES = f"hold more than {PARAM_VALUES_LIMIT:,} values together: {_ELSEWHERE}"
"""The problem of params with too many values."""
TEXT_SHOWN = 80
"""Characters of foreign content quoted in a message."""
_LEAST, _MOST = -(2**63), 2**63 - 1
_TEXTS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_LONG_NUMBER = re.compile(rb"[0-9]{19}")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class OutOfBounds(ValueError):
    """Foreign data that is refused. `path` is the place in the document (`body.items[3].n`), `problem` says what is
    wrong; the text of the error contains both."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path or 'the value'} {problem}")
        self.path, self.problem = path, problem


class NotJson(OutOfBounds):
    """Foreign data that is not JSON although it should be."""


def read_json(raw: bytes | str, *, limit: int, name: str = "") -> Any:
    """Plain data from strict JSON of at most `limit` bytes in UTF-8. `name` is the document's name in messages.

    Raises OutOfBounds, and nothing else, for data beyond the bounds of `checked`, and NotJson for invalid JSON."""
    data = raw.encode(errors="surrogatepass") if isinstance(raw, str) else raw
    if len(data) > limit:
        raise OutOfBounds(name, f"is {_size(len(data))} long, more than the {_size(limit)} that are taken")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if "depth limit" in str(error) or "ecursion" in str(error):
            raise OutOfBounds(name, _too_deep()) from None
        raise NotJson(name, f"is not JSON ({error})") from None
    deep = data.count(b"[") + data.count(b"{") > MAX_DEPTH and depth(data) > MAX_DEPTH
    if not deep and _LONG_NUMBER.search(data):
        value = json.loads(data)  # the faster parser turns integers beyond 64 bits into fractions
        return checked(value, name=name)
    return checked(value, name=name) if deep else value


def checked(value: Any, *, name: str = "", nul: bool = True) -> Any:
    """The value as plain data: objects with text keys, lists, texts, booleans, 64-bit integers, finite fractions and
    null, at most MAX_DEPTH levels and MAX_VALUES values. An integral fraction becomes an integer, as in the API
    server's storage, so that a value read back after a restart is unchanged. Points in time become RFC 3339 text,
    durations text such as `1h30m0s`.

    Plain data is not copied. `nul` allows the character U+0000 in texts. Raises OutOfBounds, and nothing else."""
    if nul and _fits(value):
        return value
    try:
        return _Walk(nul).plain(value, 0)
    except _Found as found:
        raise OutOfBounds(_path(name, found.steps), found.problem) from None


def in_key_order(value: Any) -> Any:
    """Plain data with sorted keys; the same object if they already are."""
    if isinstance(value, dict):
        found = {key: in_key_order(value[key]) for key in sorted(value)}
        same = all(one is other for one, other in zip(found, value, strict=True))
        return value if same and all(found[key] is value[key] for key in value) else found
    if isinstance(value, list):
        items = [in_key_order(item) if isinstance(item, dict | list) else item for item in value]
        return value if all(one is other for one, other in zip(items, value, strict=True)) else items
    return value


class _Found(Exception):
    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.steps: list[str | int] = []
        """From the innermost step to the outermost."""


def _fits(value: Any) -> bool:
    """Whether a list or an object already is plain data, as nearly all are: large ones are walked on an event loop."""
    if type(value) is not dict and type(value) is not list:
        return False
    stack: list[tuple[Any, int]] = [(value, 0)]
    left = MAX_VALUES
    while stack:
        container, depth = stack.pop()
        left -= len(container)
        if depth >= MAX_DEPTH or left < 0:
            return False
        items = container
        if type(container) is dict:
            if not all(type(key) is str and key.isascii() for key in container):
                return False
            items = container.values()
        for item in items:
            kind = type(item)
            if kind is str:
                if not item.isascii() and not _unicode(item):
                    return False
            elif kind is int:
                if not _LEAST <= item <= _MOST:
                    return False
            elif kind is dict or kind is list:
                if item or depth + 1 >= MAX_DEPTH:
                    stack.append((item, depth + 1))
            elif kind is float:
                if not math.isfinite(item) or item.is_integer():
                    return False
            elif kind is not bool and item is not None:
                return False
    return True


class _Walk:
    """One pass over a value that converts it to plain data."""

    def __init__(self, nul: bool) -> None:
        self._nul, self._left = nul, MAX_VALUES

    def plain(self, value: Any, depth: int) -> Any:
        match value:
            case None | bool():
                return value
            case str():
                return self._text(value)
            case int():
                if not _LEAST <= value <= _MOST:
                    raise _Found("is an integer beyond 64 bits: send it as text")
                return int(value)
            case float():
                if not math.isfinite(value):
                    raise _Found("is not a finite number")
                return int(value) if value.is_integer() and _LEAST <= value <= _MOST else float(value)
            case dict() | list():
                return self._container(value, depth)
            case datetime():
                return _instant(value)
            case timedelta():
                return _duration(value)
            case bytes() | bytearray() | memoryview():
                raise _Found("is bytes, not text: encode it, for example as base64")
        raise _Found(f"is of the type {type(value).__name__}, which JSON does not have"[:200])

    def _container(self, value: dict[Any, Any] | list[Any], depth: int) -> Any:
        if depth >= MAX_DEPTH:
            raise _Found(_too_deep())
        self._left -= len(value)
        if self._left < 0:
            raise _Found(f"has more than {MAX_VALUES:,} values in it")
        if isinstance(value, list):
            return [self._at(index, item, depth) for index, item in enumerate(value)]
        return {self._key(key): self._at(key, item, depth) for key, item in value.items()}

    def _at(self, step: str | int, item: Any, depth: int) -> Any:
        try:
            return self.plain(item, depth + 1)
        except _Found as found:
            found.steps.append(step)
            raise

    def _key(self, key: Any) -> str:
        if not isinstance(key, str):
            raise _Found("has a key that is not text")
        return self._text(key, "has a key that ")

    def _text(self, value: str, subject: str = "") -> str:
        if not value.isascii() and not _unicode(value):
            raise _Found(f"{subject}is not valid Unicode: it has half a surrogate pair")
        if not self._nul and "\0" in value:
            raise _Found(f"{subject}contains the character U+0000, which is not possible here")
        return str(value)


def params_problem(params: dict[str, Any]) -> str:
    """What is wrong with the size of params; empty if nothing is."""
    try:
        written = orjson.dumps(params)
    except orjson.JSONEncodeError as error:
        return f"can't be written as JSON: {error}"
    if holds_more(params, written, PARAM_VALUES_LIMIT):
        return MANY_VALUES
    if len(written) > PARAMS_LIMIT:
        what = f"are {_size(len(written))} large together, and a run takes {_size(PARAMS_LIMIT)}"
        return f"{what}: {_ELSEWHERE}"
    return ""


def holds_more(value: Any, written: bytes, limit: int) -> bool:
    """Whether a value contains more than `limit` values, including itself. `written` is its JSON, whose length suffices
    for most."""
    return _marks(written) > limit // 2 and values_in(value, limit) > limit


def values_in(value: Any, limit: int) -> int:
    """The number of values in plain data, including itself; counting stops above `limit`."""
    count, ahead = 1, [value]
    while ahead and count <= limit:
        each = ahead.pop()
        inside = each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()
        count += len(inside)
        ahead += [item for item in inside if isinstance(item, (dict, list))]
    return count


def values_written(written: bytes) -> int:
    """The same for unparsed JSON as the API server writes it, without spaces."""
    bare = _TEXTS.sub(b"0", written)
    empty = bare.count(b"[]") + bare.count(b"{}")
    return 1 + _marks(bare) - empty


def placeholder(limit: int) -> dict[str, Any]:
    """Replaces data with more than `limit` values: to keep it would take a hundred times the memory of its text.
    Readers refuse the field with a message."""
    return {f"(more than {limit:,} values)": None}


def _marks(written: bytes) -> int:
    return written.count(b",") + written.count(b"[") + written.count(b"{")


def _unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def depth(data: bytes) -> int:
    """Nesting levels of lists and objects in JSON."""
    steps = _TEXTS.sub(b"", data).translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(memoryview(steps).cast("b")), default=0)


def _too_deep() -> str:
    return f"is nested more than {MAX_DEPTH} levels deep"


def _size(count: int) -> str:
    return f"{count} bytes" if count < 10_240 else f"{count // 1024} KiB"


def _path(name: str, steps: list[str | int]) -> str:
    """The path of a value. The middle of a long path is omitted."""
    parts = "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" if _WORD.fullmatch(step) else f"[{json.dumps(step)}]"
        for step in reversed(steps)
    )
    if len(parts) > TEXT_SHOWN:
        parts = f"{parts[: TEXT_SHOWN // 2 - 1]}…{parts[-TEXT_SHOWN // 2 :]}"
    return name + parts if name else parts.removeprefix(".")


def _instant(value: datetime) -> str:
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    try:
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:
        raise _Found("is a point in time outside of the years 1 to 9999") from None


def _duration(value: timedelta) -> str:
    """A duration in Go's format: `1h30m0s`, `1.5s`, `20ms`."""
    micros = value // timedelta(microseconds=1)
    sign, micros = ("-", -micros) if micros < 0 else ("", micros)
    if micros == 0:
        return "0s"
    if micros < 1_000_000:
        number, unit = (micros / 1000, "ms") if micros >= 1000 else (micros, "µs")
        return f"{sign}{number:g}{unit}"
    whole, fraction = divmod(micros, 1_000_000)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    text = f"{rest}.{fraction:06}".rstrip("0").rstrip(".") if fraction else str(rest)
    larger = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{larger}{text}s"
