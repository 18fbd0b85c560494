"""Suggests a value in the shape that a field expects: `{initial: 5s}` for `5s`, `[{name: db}]` for `[db]`. It goes by
the types of the fields, so it works for all of them."""

import json
import re
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import TypeAdapter, ValidationError

from tradewind.model.base import Model

LARGEST = 80
"""Characters of a suggestion."""
ENTRIES = 8
"""Entries of a value that are considered: a suggestion with more would be too long."""
DEPTH = 4
MAIN: Mapping[str, tuple[str, ...]] = {
    "Retries": ("limit",),
    "Backoff": ("initial",),
    "ForEach": ("items",),
    "Wait": ("duration", "until"),
    "ScriptSource": ("shell",),
    "Approval": ("message",),
    "Param": ("type", "default"),
    "Output": ("type",),
    "Schedule": ("cron", "every"),
    "Missed": ("policy", "limit"),
    "Kept": ("limit", "ttl"),
    "AssetClause": ("name",),
    "SubDAG": ("name",),
    "Exclusion": ("weekdays", "days"),
    "PoolAllow": ("namespaces",),
    "Teardown": ("of",),
}
"""Model -> the field probably meant by a plain value in the model's place, if that is not a required one."""
_MEANT: Mapping[tuple[str, str], str] = {
    ("Wait", "duration"): r"\S*[a-z]|.*\$\[\[.*",
    ("Schedule", "cron"): r"@.*|.+ .+",
}
"""The pattern of a text that is meant for a field whose type accepts any."""
_BARE = re.compile(r"(\d+(\.\d+)?(ms|s|m|h|d|[KMGT]i?))+|[A-Za-z][\w./-]*( [\w./-]+)*")
_MISREAD = frozenset(["true", "yes", "on", "y", "false", "no", "off", "n", "null"])
_NOTHING = object()
_HOLE = object()
"""Stands for a part that the author has to fill in."""


def reshaped(kind: Any, value: Any) -> str:
    """The value in the shape of a field's type, as YAML on one line; empty if there is none."""
    if not _small(value):
        return ""
    found = _shaped(kind, value, DEPTH)
    text = "" if found is _NOTHING else flow(found)
    return text if len(text) <= LARGEST else ""


def _small(value: Any, depth: int = 3) -> bool:
    if isinstance(value, str):
        return len(value) <= LARGEST
    if isinstance(value, list | dict):
        inner = value.values() if isinstance(value, dict) else value
        return 0 < len(value) <= ENTRIES and depth > 0 and all(_small(item, depth - 1) for item in inner)
    return value is not None


def _shaped(kind: Any, value: Any, depth: int) -> Any:
    if fits(kind, value):
        return value
    bare = plain(kind)
    if depth == 0 or value is None:
        return _NOTHING
    if isinstance(bare, type) and issubclass(bare, Model):
        return _NOTHING if isinstance(value, dict) else _within(bare, value, depth)
    if get_origin(bare) is list:
        return _listed(get_args(bare)[0], value, depth)
    if get_origin(bare) is dict:
        return _named(get_args(bare)[1], value, depth) if isinstance(value, list) else _NOTHING
    if isinstance(value, list | dict):
        inner = [*(value.values() if isinstance(value, dict) else value)]
        return _shaped(kind, inner[0], depth - 1) if len(inner) == 1 else _NOTHING
    return next((other for other in _alike(value) if fits(kind, other)), _NOTHING)


def _alike(value: Any) -> Iterator[Any]:
    """The values that may be meant."""
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value.strip()):
        yield int(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
        yield f"{value}s"  # a duration without a unit


def _within(model: type[Model], value: Any, depth: int) -> Any:
    """An object whose main field has the value."""
    needed = [str(field.alias) for field in model.model_fields.values() if field.is_required()]
    for name in MAIN.get(model.__name__, needed[:1]):
        found = _shaped(member(model, name), value, depth - 1)
        if found is not _NOTHING and re.fullmatch(_MEANT.get((model.__name__, name), ".*"), str(found), re.DOTALL):
            return {name: found} | {other: _HOLE for other in needed if other != name}
    return _NOTHING


def _listed(kind: Any, value: Any, depth: int) -> Any:
    found = [_shaped(kind, item, depth - 1) for item in (value if isinstance(value, list) else [value])]
    return _NOTHING if any(item is _NOTHING for item in found) else found


def _named(kind: Any, entries: list[Any], depth: int) -> Any:
    """Entries with names, as in Kubernetes and Argo, as a map by name."""
    found: dict[str, Any] = {}
    for entry in entries:
        if not (isinstance(entry, dict) and isinstance(name := entry.get("name"), str) and len(entry) > 1):
            return _NOTHING
        rest = {key: item for key, item in entry.items() if key != "name"}
        found[name] = _shaped(kind, rest["value"] if rest.keys() == {"value"} else rest, depth - 1)
    return _NOTHING if any(item is _NOTHING for item in found.values()) else found


def fits(kind: Any, value: Any) -> bool:
    """Whether a type accepts a value."""
    try:
        TypeAdapter(kind).validate_python(value, strict=True, by_alias=True, by_name=False)
    except ValidationError:
        return False
    return True


def flow(value: Any) -> str:
    """Data as YAML on one line."""
    match value:
        case dict():
            return "{" + ", ".join(f"{flow(key)}: {flow(item)}" for key, item in value.items()) + "}"
        case list():
            return f"[{', '.join(map(flow, value))}]"
        case str():
            bare = _BARE.fullmatch(value) and value.lower() not in _MISREAD
            return value if bare else json.dumps(value, ensure_ascii=False)
        case _:
            return "..." if value is _HOLE else json.dumps(value)


def plain(kind: Any) -> Any:
    """A type without its annotations and without None."""
    while True:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif get_origin(kind) in (Union, UnionType):
            options = [option for option in get_args(kind) if option is not type(None)]
            if len(options) != 1:
                return kind
            kind = options[0]
        else:
            return kind


def member(kind: Any, step: str | int) -> Any:
    """The annotation of a field or an entry of a type."""
    if isinstance(kind, type) and issubclass(kind, Model):
        for field in kind.model_fields.values():
            if field.alias == step:
                return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        return Any
    arguments = get_args(kind)
    return arguments[-1] if arguments and get_origin(kind) in (dict, list) else Any
