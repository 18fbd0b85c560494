"""`tradewind describe backfill`: which runs a backfill makes, how far it is, and what holds it up."""

import re
from collections.abc import Iterator

import click
from rich.console import Group, RenderableType
from rich.table import Table

from tradewind.cli.objects.targets import Named
from tradewind.cli.options import OUTPUT, cluster
from tradewind.cli.output.terminal import Console, Text, say_data
from tradewind.cli.output.yaml_text import typed
from tradewind.cli.shell.completion import names_of
from tradewind.cli.views.labelled import labelled, phase_fact
from tradewind.kube.client import Client, Object
from tradewind.kube.resources import BACKFILLS
from tradewind.look.reading import of_kind
from tradewind.look.reading import status as status_of

COUNTS = ("active", "succeeded", "failed", "remaining", "kept")


@click.command("backfill", short_help="Show a backfill: its progress, and what holds it up.")
@click.argument("name", type=Named(BACKFILLS, "backfill"), shell_complete=names_of("backfills"))
@OUTPUT
@cluster
async def describe_backfill(client: Client, namespace: str, name: str, output: str) -> None:
    """Show a backfill: which ticks it covers, how far it is, which runs failed, and what it does next."""
    backfill = await client.get(BACKFILLS, namespace, name)
    if output != "text":
        say_data({"backfill": backfill}, output)
        return
    status = status_of(backfill)
    parts: list[RenderableType] = [*labelled([*_facts(backfill)])]
    if preview := of_kind(list, status.get("preview")):
        parts += [Text(), _preview(preview)]
    if failures := of_kind(list, status.get("failures")):
        parts += [Text(), Text("Runs that failed: " + ", ".join(map(str, failures)))]
    Console().print(Group(*parts))


def _facts(backfill: Object) -> Iterator[tuple[str, str]]:
    spec, status = of_kind(dict, backfill.get("spec")), status_of(backfill)
    yield "Backfill", backfill["metadata"]["name"]
    yield "DAG", str(spec.get("dag") or "")
    yield phase_fact(status, status.get("message"))
    if progress := status.get("progress"):
        counts = ", ".join(f"{status[name]} {name}" for name in COUNTS if status.get(name))
        yield "Done", f"{progress}{f' ({counts})' if counts else ''}"
    for field, value in spec.items():
        if field != "dag":
            yield re.sub("[A-Z]", lambda capital: f" {capital[0].lower()}", field).capitalize(), typed(value)
    if finished := status.get("finishedAt"):
        yield "Finished at", str(finished)


def _preview(items: list[Object]) -> Table:
    table = Table("TICK", "ACTION", box=None, pad_edge=False, header_style="bold")
    for item in items:
        table.add_row(Text(str(item.get("tick", ""))), Text(str(item.get("action", ""))))
    return table
