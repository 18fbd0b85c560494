"""`tradewind explain`: the meaning of fields, without a cluster."""

from typing import Any

import click

from tradewind.cli.objects.targets import KINDS, kind_of
from tradewind.cli.output.terminal import say
from tradewind.model.crd import manifests
from tradewind.plan.documents.nearest import choose, listed

WIDTH = 100
Schema = dict[str, Any]


@click.command()
@click.argument("path", metavar="KIND[.FIELD]...")
def command(path: str) -> None:
    """Show what a kind or a field of it means, and which fields it has, as `kubectl explain` does, without a cluster."""
    kind, *steps = path.split(".")
    resource = kind_of(kind)
    if resource is None:
        raise click.UsageError(f"there is no kind {kind!r}; {choose(kind, KINDS, f'there are: {listed(KINDS)}')}")
    schema = _schema(resource.kind)
    for at, step in enumerate(steps):
        schema = _within(schema, step, ".".join([kind, *steps[:at]]))
    _show(path, schema)


def _schema(kind: str) -> Schema:
    crd = next(item for item in manifests() if item["spec"]["names"]["kind"] == kind)
    found: Schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def _within(schema: Schema, step: str, where: str) -> Schema:
    """The schema of a field; for maps and lists, a field of their values: `dag.spec.tasks.retries`. Raises UsageError."""
    fields = _fields(schema)
    if step not in fields:
        way = choose(step, fields, f"there are: {listed(fields)}") if fields else "it has no fields"
        raise click.UsageError(f"{where} has no field {step!r}; {way}")
    found: Schema = fields[step]
    return found


def _fields(schema: Schema) -> dict[str, Schema]:
    found: dict[str, Schema] = _object(schema).get("properties") or {}
    return found


def _object(schema: Schema) -> Schema:
    """The schema, or that of a list's or map's values, if it has fields; empty if none has."""
    while "properties" not in schema:
        inner = schema.get("items") or schema.get("additionalProperties")
        if not isinstance(inner, dict):
            return {}
        schema = inner
    return schema


def _type(schema: Schema) -> str:
    if "items" in schema:
        return f"list of {_type(schema['items'])}"
    if isinstance(values := schema.get("additionalProperties"), dict):
        return f"map of {_type(values)}"
    return str(schema.get("type") or "any")


def _show(path: str, schema: Schema) -> None:
    say(f"{path} ({_type(schema)})")
    say(click.wrap_text(schema.get("description") or "", WIDTH, "  ", "  "))
    if schema.get("enum"):
        say(f"  One of: {', '.join(map(str, schema['enum']))}")
    needed = _object(schema).get("required") or ()
    for name, field in _fields(schema).items():
        say(f"\n{name} ({_type(field)}{', required' if name in needed else ''})")
        if words := field.get("description"):
            say(click.wrap_text(words, WIDTH, "  ", "  "))
