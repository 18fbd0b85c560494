"""Types for the front end, from the models: `python -m tradewind.server.schema.types` writes ui/src/api.d.ts."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tradewind.server.answers import actions, dags, objects, runs, session, tasks
from tradewind.server.answers.base import ProblemAnswer, Wire
from tradewind.server.route import Route

HEAD = """\
// Made by `python -m tradewind.server.schema.types` from operator/tradewind/server/answers. Don't edit it.
// Times are epoch milliseconds in UTC, durations seconds.

export type Millis = number;
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
"""
PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def models() -> list[type[Wire]]:
    """All models that are sent, in the order of their definition."""
    found = {
        name: item
        for module in (session, runs, tasks, objects, dags, actions)
        for name, item in vars(module).items()
        if isinstance(item, type) and issubclass(item, Wire) and item.__module__ == module.__name__
    }
    return [ProblemAnswer, *found.values()]


def typescript(found: Iterable[type[Wire]], routes: Iterable[Route]) -> str:
    """The declarations."""
    parts = [HEAD]
    parts += [_interface(model) for model in found]
    parts.append("/** By route: what it takes and answers; paths are below /api/v1/. */")
    parts.append("export interface Routes {")
    for route in routes:
        answer = route.answer.__name__ if route.answer else "void"
        body = route.body.__name__ if route.body else "undefined"
        parts.append(f"  /** {route.words} */")
        parts.append(f'  "{route.key}": {{ query: {_query(route)}; body: {body}; answer: {answer} }};')
    return "\n".join([*parts, "}", ""])


def _query(route: Route) -> str:
    return route.query.__name__ if route.query.model_fields else "undefined"


def _interface(model: type[Wire]) -> str:
    schema = model.model_json_schema(mode="validation")
    needed = set(schema.get("required") or ())
    lines = _comment(schema.get("description"), "")
    lines.append(f"export interface {model.__name__} {{")
    for name, field in (schema.get("properties") or {}).items():
        lines += _comment(field.get("description"), "  ")
        lines.append(f"  {name}{'' if name in needed else '?'}: {_type(field)};")
    return "\n".join([*lines, "}", ""])


def _comment(words: Any, indent: str) -> list[str]:
    if not words or words in ("Epoch milliseconds, UTC.", "Any JSON value."):
        return []
    return [f"{indent}/** {' '.join(str(words).split())} */"]


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(part) for part in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(f'"{value}"' for value in schema["enum"])
    match schema.get("type"):
        case "array" if "prefixItems" in schema:
            return f"[{', '.join(_type(part) for part in schema['prefixItems'])}]"
        case "array":
            inner = _type(schema.get("items") or {})
            return f"({inner})[]" if "|" in inner else f"{inner}[]"
        case "object":
            return (
                f"Record<string, {_type(more)}>"
                if isinstance(more := schema.get("additionalProperties"), dict)
                else "Record<string, Json>"
            )
        case str(kind):
            return "Millis" if schema.get("description") == "Epoch milliseconds, UTC." else PLAIN[kind]
        case _:
            return "Json"


def main(path: str) -> None:
    """Writes the file."""
    from tradewind.server.table import ROUTES

    Path(path).write_text(typescript(models(), ROUTES))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "ui/src/api.d.ts")
