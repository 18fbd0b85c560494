"""Structural schemas: defaults, unknown fields, and validation errors in the API server's words."""

import json
import re
from collections.abc import Iterator
from typing import Any

from tradewind.local.apiserver.errors import Cause

Schema = dict[str, Any]
ROOT = ("apiVersion", "kind", "metadata")


def defaulted(schema: Schema, value: Any) -> Any:
    """The value with the schema's defaults filled in."""
    if isinstance(value, dict):
        properties = schema.get("properties") or {}
        rest = schema.get("additionalProperties")
        result = {
            key: defaulted(properties.get(key) or (rest if isinstance(rest, dict) else {}), item)
            for key, item in value.items()
        }
        for key, child in properties.items():
            if key not in result and "default" in child:
                result[key] = defaulted(child, child["default"])
        return result
    if isinstance(value, list):
        return [defaulted(schema.get("items") or {}, item) for item in value]
    return value


def pruned(schema: Schema, value: Any, path: str = "", root: bool = True) -> tuple[Any, list[str]]:
    """The value without fields that the schema does not know, and the paths of those fields."""
    unknown: list[str] = []
    if isinstance(value, list):
        items = []
        # A schema that preserves unknown fields does so in lists too.
        inner = schema.get("items") or (schema if schema.get("x-kubernetes-preserve-unknown-fields") else {})
        for index, item in enumerate(value):
            kept, lost = pruned(inner, item, f"{path}[{index}]", root=False)
            items.append(kept)
            unknown += lost
        return items, unknown
    if not isinstance(value, dict):
        return value, unknown
    properties, rest = schema.get("properties") or {}, schema.get("additionalProperties")
    result = {}
    for key, item in value.items():
        here = f"{path}.{key}" if path else key
        if root and key in ROOT:
            result[key] = item
        elif key in properties:
            result[key], lost = pruned(properties[key], item, here, root=False)
            unknown += lost
        elif isinstance(rest, dict):
            result[key], lost = pruned(rest, item, here, root=False)
            unknown += lost
        elif rest is True or schema.get("x-kubernetes-preserve-unknown-fields"):
            result[key] = item
        else:
            unknown.append(here)
    return result, unknown


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
    "array": (list,),
}


def _name(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    kinds = {str: "string", int: "integer", float: "number", dict: "object", list: "array", type(None): "null"}
    return kinds.get(type(value), "unknown")


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool | int | float) else f'"{_name(value)}"'


def _fits(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind]) or (kind == "integer" and isinstance(value, float) and value.is_integer())


def problems(schema: Schema, value: Any, path: str = "") -> Iterator[Cause]:
    """What is wrong with a value, apart from CEL rules."""
    kind = schema.get("type")
    if value is None and not schema.get("nullable"):
        if kind:
            yield Cause.invalid(path, '"null"', f'{path} in body must be of type {kind}: "null"')
        return
    if schema.get("x-kubernetes-int-or-string"):
        if isinstance(value, bool) or not isinstance(value, int | str):
            yield Cause.invalid(
                path, f'"{_name(value)}"', f'{path} in body must be of type int,string: "{_name(value)}"'
            )
        return
    if kind and not _fits(kind, value):
        yield Cause.invalid(path, f'"{_name(value)}"', f'{path} in body must be of type {kind}: "{_name(value)}"')
        return
    if "enum" in schema and value not in schema["enum"]:
        supported = ", ".join(json.dumps(item) for item in schema["enum"])
        yield Cause(
            "FieldValueNotSupported", path, f"Unsupported value: {_shown(value)}: supported values: {supported}"
        )
    if isinstance(value, str):
        yield from _string(schema, value, path)
    elif isinstance(value, dict):
        yield from _object(schema, value, path)
    elif isinstance(value, list):
        yield from _array(schema, value, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number(schema, value, path)


def _string(schema: Schema, value: str, path: str) -> Iterator[Cause]:
    if len(value) < schema.get("minLength", 0):
        yield Cause.invalid(path, _shown(value), f"{path} in body should be at least {schema['minLength']} chars long")
    if len(value) > schema.get("maxLength", len(value)):
        yield Cause("FieldValueTooLong", path, f"Too long: may not be more than {schema['maxLength']} bytes")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield Cause.invalid(path, _shown(value), f"{path} in body should match '{schema['pattern']}'")


def _number(schema: Schema, value: float, path: str) -> Iterator[Cause]:
    if value < schema.get("minimum", value):
        yield Cause.invalid(
            path, _shown(value), f"{path} in body should be greater than or equal to {schema['minimum']}"
        )
    if value > schema.get("maximum", value):
        yield Cause.invalid(path, _shown(value), f"{path} in body should be less than or equal to {schema['maximum']}")


def _array(schema: Schema, value: list[Any], path: str) -> Iterator[Cause]:
    if len(value) > schema.get("maxItems", len(value)):
        yield Cause("FieldValueTooMany", path, f"Too many: {len(value)}: must have at most {schema['maxItems']} items")
    if len(value) < schema.get("minItems", 0):
        yield Cause.invalid(path, str(len(value)), f"{path} in body should have at least {schema['minItems']} items")
    keys = schema.get("x-kubernetes-list-map-keys") if schema.get("x-kubernetes-list-type") == "map" else None
    unique = schema.get("x-kubernetes-list-type") == "set"
    seen: list[Any] = []
    for index, item in enumerate(value):
        mark = {key: item.get(key) for key in keys} if keys and isinstance(item, dict) else item
        if (keys or unique) and mark in seen:
            yield Cause(
                "FieldValueDuplicate",
                f"{path}[{index}]",
                f"Duplicate value: {_shown(mark) if unique else json.dumps(mark)}",
            )
        seen.append(mark) if keys or unique else None
        yield from problems(schema.get("items") or {}, item, f"{path}[{index}]")


def _object(schema: Schema, value: dict[str, Any], path: str) -> Iterator[Cause]:
    if len(value) > schema.get("maxProperties", len(value)):
        yield Cause(
            "FieldValueTooMany", path, f"Too many: {len(value)}: must have at most {schema['maxProperties']} items"
        )
    if len(value) < schema.get("minProperties", 0):
        yield Cause.invalid(
            path, str(len(value)), f"{path} in body should have at least {schema['minProperties']} properties"
        )
    for key in schema.get("required", ()):
        if key not in value:
            yield Cause.required(f"{path}.{key}" if path else key)
    properties, rest = schema.get("properties") or {}, schema.get("additionalProperties")
    for key, item in value.items():
        child = properties.get(key) or (rest if isinstance(rest, dict) else None)
        if child and not (not path and key in ROOT):
            yield from problems(child, item, f"{path}.{key}" if path else key)
