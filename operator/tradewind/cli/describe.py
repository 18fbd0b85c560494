"""`tradewind describe run`: one run in full."""

import json

import click
from rich.console import Console
from rich.table import Table

from tradewind.cli.follow import picture
from tradewind.cli.options import OUTPUT, cluster
from tradewind.cli.picture import Row, as_data, drawn
from tradewind.control.revisions import Revisions
from tradewind.control.runstatus import stamp
from tradewind.control.view import Run
from tradewind.kube.client import Client
from tradewind.model import duration


@click.group()
def command() -> None:
    """Show one object in full."""


@command.command("run")
@click.argument("name")
@OUTPUT
@cluster
async def describe_run(client: Client, namespace: str, name: str, output: str) -> None:
    """Show a run: its tasks, every attempt, and why anything waits or failed."""
    run, rows = await picture(client, namespace, name, Revisions(client))
    if output == "json":
        click.echo(json.dumps(as_data(run, rows), indent=2, ensure_ascii=False))
        return
    console = Console()
    console.print(drawn(run, rows, limit=1_000))
    console.print()
    for label, value in _facts(run):
        console.print(f"{label + ':':12} {value}", markup=False, highlight=False)
    if any(row.attempts for row in rows):
        console.print()
        console.print(_attempts(rows))


def _facts(run: Run) -> list[tuple[str, str]]:
    status = run.status
    facts = [("DAG", run.dag), ("Revision", status.get("revision") or "none yet")]
    if params := status.get("params") or run.params:
        facts.append(("Params", ", ".join(f"{name}={value}" for name, value in params.items())))
    facts += [("Began", status.get("startedAt") or "not yet"), ("Ended", status.get("finishedAt") or "not yet")]
    for condition in status.get("conditions") or []:
        words = f"{condition['status']} ({condition['reason']})"
        facts.append((condition["type"], f"{words} {condition.get('message') or ''}".strip()))
    return facts


def _attempts(rows: list[Row]) -> Table:
    table = Table(
        "TASK", "ATTEMPT", "ENDED AS", "EXIT", "STARTED", "TOOK", "NODE", box=None, pad_edge=False, header_style="bold"
    )
    for row in rows:
        for attempt in row.attempts:
            table.add_row(
                row.task,
                str(attempt.number),
                attempt.reason or "Succeeded",
                "" if attempt.exit_code is None else str(attempt.exit_code),
                stamp(attempt.start),
                duration.text(attempt.end - attempt.start),
                attempt.node,
            )
    return table
