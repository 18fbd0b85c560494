"""Messages for invalid fields: the current value, and what to write instead."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin

from tradewind.model.base import NAMED, TEMPLATED, Model, Role
from tradewind.model.duration import is_duration
from tradewind.model.shown import counted
from tradewind.plan.documents.foreign_fields import FOREIGN
from tradewind.plan.documents.nearest import nearest
from tradewind.plan.documents.problem import Problem
from tradewind.plan.documents.reshape import flow, member, plain, reshaped

VALUE_SHOWN = 80
"""Characters of a value that are quoted."""
UNKNOWN = "unknown field"
WRITTEN: Mapping[str, str] = {"true": "y, yes, on or true", "false": "n, no, off or false"}
"""Names -> the keys that YAML 1.1, and so kubectl, turns into them unless they are quoted."""


MEANT: Mapping[str, str] = {
    "skip": "Forbid",
    "queue": "Enqueue",
    "wait": "Enqueue",
    "cancel": "Replace",
    "terminate": "Replace",
}
"""Values of other products' fields, in lower case -> their equivalents."""
QUOTE = 'write the key in quotes, such as "n", or use another name'
_SHELL = frozenset("|&;<>()$`\\\"'*?[]{}~#\n")
"""Characters with a meaning in a shell or in YAML."""
_VARIABLE = re.compile(r"\.env\.[^.\[]+$")
"""The path of an environment variable."""
EXAMPLES: Mapping[str, str] = {
    "tasks": "tasks by name: {NAME: {image: ...}}",
    "params": "params by name: {NAME: {type: string}}",
    "env": 'variables by name: {NAME: "value"}, and those of Secrets and ConfigMaps under envFrom: {NAME: {secretKeyRef: {name: ..., key: ...}}}',
    "envFrom": "variables by name: {NAME: {secretKeyRef: {name: ..., key: ...}}}",
    "script": "{shell: ...} or {python: ...}",
    "template": "{name: ...}",
    "dag": "{name: ...}",
    "dags": "local DAGs by name: {NAME: {tasks: ...}}",
    "loop": '{until: "outputs.done", maxIterations: 10}',
    "forEach": "{items: [...]}",
    "wait": "{duration: 10m}",
    "http": "{url: ...}",
    "resources": "{limits: {memory: 1Gi}}",
    "compute": "expressions by name: {NAME: ...}",
    "schedule": '{cron: "0 5 * * *"}',
}
"""Field with subfields -> an example value."""


def quoted(name: str) -> str:
    """What to write instead of a name that YAML has turned into a boolean; empty for others."""
    return f"kubectl makes {name} of the key {WRITTEN[name]} without quotes: {QUOTE}" if name in WRITTEN else ""


def described(value: Any) -> str:
    """The kind of a value, for people."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "a mapping"


def shown(value: Any) -> str:
    """A value quoted in a message."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= VALUE_SHOWN else f"{text[:VALUE_SHOWN]}..."


def _entries(path: str, value: Any, kind: Any) -> str:
    """A list to write instead of a single value. Words of a command become entries; a shell's line goes to a shell."""
    if isinstance(value, str) and path.endswith((".command", ".args")) and len(words := value.split()) > 1:
        if not _SHELL.isdisjoint(value):
            return "a script, which a shell reads: script: {shell: ...}"
        return f"[{shown(', '.join(words))}]"
    return reshaped(kind, value) or "a list, each entry after `- `"


FEWER = {
    "dependsOn": """, and depend on tasks that join others, such as {dependsOn: [...], compute: {joined: "true"}}"""
}
"""How to write fewer entries, by the field."""


def problem(path: str, detail: Mapping[str, Any], kind: Any) -> Problem:
    """The problem of a validation error: `detail` is pydantic's, `kind` is the annotation of the field."""
    value, limits = detail["input"], detail.get("ctx") or {}
    match detail["type"]:
        case "string_type":
            return _no_text(path, value, kind)
        case "int_type" | "float_type" | "int_from_float" | "float_parsing" | "int_parsing":
            return _no_number(path, value, "a number" if detail["type"].startswith("float") else "a whole number", kind)
        case "bool_type" | "bool_parsing":
            return _no_boolean(path, value, kind)
        case "list_type":
            return Problem(path, f"{described(value)}, not a list", f"write {_entries(path, value, kind)}")
        case "dict_type" | "model_type" | "model_attributes_type" | "dict_attributes_type":
            return _no_mapping(path, value, kind)
        case "literal_error" | "enum" if isinstance(value, list | dict):
            there = ", ".join(map(str, _choices(kind)))
            return Problem(path, f"{described(value)}, not text", f"write {reshaped(kind, value) or f'one of {there}'}")
        case "literal_error" | "enum":
            return unknown_word(path, value, _choices(kind))
        case "greater_than_equal" | "greater_than":
            return Problem(path, f"{shown(value)} is too small", f"write at least {_number(limits)}")
        case "less_than_equal" | "less_than":
            return Problem(path, f"{shown(value)} is too large", f"write at most {_number(limits)}")
        case "finite_number":
            return Problem(path, f"{shown(value)} is not a finite number", "write a number")
        case "string_too_long":
            return Problem(path, counted(len(value), "character"), f"use at most {limits['max_length']}")
        case "string_too_short" | "too_short":
            least = limits.get("min_length", 1)
            what = "empty" if not value else counted(len(value), "entry", "entries")
            return Problem(path, what, f"write {_example(path, kind)}" if not value else f"write at least {least}")
        case "too_long":
            fewer = FEWER.get(path.rpartition(".")[2], "")
            return Problem(path, counted(len(value), "entry", "entries"), f"use at most {limits['max_length']}{fewer}")
        case "string_pattern_mismatch":
            return _no_match(path, value, limits["pattern"])
        case "value_error":
            what, _, instead = detail["msg"].removeprefix("Value error, ").rpartition(": write ")
            return Problem(path, what, f"write {instead}") if what else Problem(path, instead)
        case _:
            return Problem(path, f"{shown(value)} is not valid here", f"write {_example(path, kind)}")


def unknown_field(path: str, name: str, model: Any) -> Problem:
    """A field that a model does not have."""
    if not (isinstance(model, type) and issubclass(model, Model)):
        return Problem(path, UNKNOWN, "remove it")
    fields = [str(field.alias) for field in model.model_fields.values()]
    if found := foreign(model, name):
        return Problem(path, UNKNOWN, found)
    if found := nearest(name, fields):
        return Problem(path, UNKNOWN, f"did you mean {found}?")
    return Problem(path, UNKNOWN, f"remove it; there are: {', '.join(sorted(fields))}")


def foreign(model: type[Model], name: str) -> str:
    """What to write instead of a field of another product; empty for others."""
    found = (FOREIGN.get(kind.__name__, {}).get(name) for kind in model.__mro__)
    return next((words for words in found if words), "")


def fields_meant(model: Any, name: str) -> Sequence[str]:
    """The fields of a model that an unknown one may be meant for: any, if there is no guess."""
    if not (isinstance(model, type) and issubclass(model, Model)):
        return ()
    fields = [str(field.alias) for field in model.model_fields.values()]
    if found := foreign(model, name):
        return [field for field in fields if re.search(rf"\b{field}: ", found)]
    guess = nearest(name, fields)
    return (guess,) if guess else fields


def unknown_word(path: str, value: Any, words: Sequence[Any]) -> Problem:
    """A value that is not among the allowed ones."""
    there = ", ".join(map(str, words))
    if isinstance(value, str) and (meant := MEANT.get(value.lower())) in words:
        return Problem(path, f"{shown(value)!r} is not known", f"did you mean {meant}? there are: {there}")
    guess = nearest(value, [str(word) for word in words]) if isinstance(value, str) else ""
    return Problem(
        path,
        f"{shown(value)!r} is not known",
        f"did you mean {guess}? there are: {there}" if guess else f"write one of {there}",
    )


def _no_text(path: str, value: Any, kind: Any) -> Problem:
    if isinstance(value, bool | int | float):
        if _is_duration(path, kind) and not isinstance(value, bool):
            return Problem(
                path, f"{shown(value)} has no unit", f"write {shown(value)}s for seconds, or such as 10m or 2h"
            )
        return unquoted(path, shown(value), value)
    if value is None:
        return Problem(path, "null, not text", 'write "" for an empty text, or remove it')
    if _VARIABLE.search(path):
        if way := _from_elsewhere(path, value):
            return Problem(path, "a reference, not text", way)
        return Problem(path, f"{described(value)}, not text", f"write JSON in quotes: {shown(repr(json.dumps(value)))}")
    return Problem(path, f"{described(value)}, not text", f"write {reshaped(kind, value) or _text(path, kind)}")


def _from_elsewhere(path: str, value: Any) -> str:
    """What to write for a variable whose value comes from another object in Kubernetes; empty for others."""
    source = value.get("valueFrom", value) if isinstance(value, dict) else None
    if not isinstance(source, dict):
        return ""
    name = path.rpartition(".")[2]
    for field in ("secretKeyRef", "configMapKeyRef"):
        if field in source:
            given = source[field] if isinstance(source[field], dict) else {}
            keys = {key: given.get(key, "...") for key in ("name", "key")}
            return f"write it under envFrom, beside env: {flow({name: {field: keys}})}"
    if "fieldRef" in source or "resourceFieldRef" in source or "valueFrom" in value:
        return "env takes text, envFrom takes secretKeyRef or configMapKeyRef: see docs/environment-variables.md"
    return ""


def _is_duration(path: str, kind: Any) -> bool:
    """Whether a field is, or is rendered to, a duration."""
    return is_duration(kind) or path.endswith(".duration")


def _text(path: str, kind: Any) -> str:
    """What to write in a text field."""
    if _is_duration(path, kind):
        return "a number and a unit, such as 30s, 10m, 1h30m or 2d"
    roles = [*_roles(kind)]
    if Role.EXPRESSION in roles:
        return "an expression, such as `params.n > 0`"
    if Role.SCRIPT in roles:
        return "the program as text, after `|`"
    return "text; quote it when it contains any of : { } [ ] , # *"


def _roles(kind: Any) -> Iterator[Any]:
    yield from getattr(kind, "__metadata__", ())
    for other in getattr(kind, "__args__", ()):
        yield from _roles(other)


def unquoted(path: str, written: str, value: Any) -> Problem:
    """A value that would be text if it were quoted. `written` is the source text."""
    return Problem(
        path, f"{written} without quotes is {described(value)}, not text", f'write "{written}"', unquoted=True
    )


def _no_number(path: str, value: Any, wanted: str, kind: Any) -> Problem:
    if isinstance(value, float):
        return Problem(path, f"{shown(value)} is not a whole number", "write one such as 3")
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal():
        return Problem(path, f"text, not {wanted}", f"write {shown(value.strip())} without quotes")
    if isinstance(value, str) and "$[[" not in value:
        return Problem(path, f"{shown(value)!r} is not {wanted}", "write one such as 3")
    return Problem(path, f"{described(value)}, not {wanted}", f"write {reshaped(kind, value) or f'{wanted} such as 3'}")


def _no_boolean(path: str, value: Any, kind: Any) -> Problem:
    known = {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}
    meant = known.get(value.lower()) if isinstance(value, str) else reshaped(kind, value)
    return Problem(path, f"{described(value)}, not a boolean", _boolean(value, meant or ""))


def _boolean(value: Any, meant: str) -> str:
    if not meant:
        return "write true or false"
    return f"write {meant} without quotes" if isinstance(value, str) else f"write {meant}"


def _no_mapping(path: str, value: Any, kind: Any) -> Problem:
    return Problem(path, f"{described(value)}, not a mapping", f"write {reshaped(kind, value) or _example(path, kind)}")


def _no_match(path: str, value: str, pattern: str) -> Problem:
    bare = value.strip()
    if bare != value and re.search(pattern, bare):
        return Problem(path, f"{shown(value)!r} has a space at its end or beginning", f"write {shown(bare)}")
    plain = pattern.removeprefix("^$|").removeprefix(r"^\*$|").removesuffix(f"|{TEMPLATED}")
    dashed = re.sub(r"[_ ]+", "-", value.lower())
    if plain in NAMED and dashed != value and re.search(pattern, dashed):  # Names as in Python, or in a text.
        return Problem(path, f"{shown(value)!r} is not valid here", f"write {dashed}; {NAMED[plain]}")
    return Problem(path, f"{shown(value)!r} is not valid here", NAMED.get(plain, "use letters, digits and '-'"))


def _number(limits: Mapping[str, Any]) -> str:
    return str(next(limits[name] for name in ("ge", "le", "gt", "lt") if name in limits))


def _example(path: str, kind: Any) -> str:
    field = path.rpartition(".")[2].partition("[")[0]
    if found := EXAMPLES.get(field):
        return found
    model = plain(kind)
    if isinstance(model, type) and issubclass(model, Model):
        fields = [str(field.alias) for field in model.model_fields.values()]
        return f"fields under it: {', '.join(fields[:8])}{', ...' if len(fields) > 8 else ''}"
    if get_origin(model) is dict:
        return "NAME: value for each"
    if get_origin(model) is list:
        return "at least one entry, or remove it"
    return "text, or remove it" if model is str else "another value"


def _choices(kind: Any) -> tuple[Any, ...]:
    return tuple(get_args(plain(kind)))


def annotations(kind: Any, steps: Sequence[str | int]) -> Iterator[Any]:
    """The annotation of a document, and of each step down to a field."""
    yield kind
    for step in steps:
        kind = member(plain(kind), step)
        yield kind
