"""`tradewind revisions`: the earlier specs of a DAG."""

from collections import Counter

import click
from rich.table import Table

from tradewind.cli.objects.targets import DAG
from tradewind.cli.options import OUTPUT, cluster
from tradewind.cli.output.terminal import Console, Text, say, say_data
from tradewind.cli.revision_reader import RevisionEntry, past
from tradewind.cli.views.age import age
from tradewind.control.retention.revisions import uses
from tradewind.kube.client import Client


@click.command()
@click.argument("dag", type=DAG)
@OUTPUT
@cluster
async def command(client: Client, namespace: str, dag: str, output: str) -> None:
    """List the revisions of DAG, oldest first: every valid spec so far, and how many runs use it. A `*` marks the
    current one."""
    found = await past(client, namespace, dag)
    runs = await uses(client, namespace, dag)
    if output != "text":
        say_data(_data(found, runs), output)
        return
    if not found.revisions:
        say(f"dag/{dag} has no revisions; {found.summary()}", err=True)
        return
    Console().print_whole(_table(found, runs))
    if found.dag is None:
        say(f"DAG {dag!r} was deleted: its revisions go with the last runs that use them", err=True)
    elif found.current is None:
        say(f"the spec of dag/{dag} is not recorded: it is invalid, or the operator has not seen it yet", err=True)


def _table(found: RevisionEntry, runs: Counter[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("REVISION", "RUNS"):
        table.add_column(head, justify="right")
    for head in ("AGE", "NAME", "CHANGE CAUSE"):
        table.add_column(head, overflow="fold")
    current = found.current
    for item in found.revisions:
        mark = "*" if item is current else " "
        style = "bold" if item is current else ""
        table.add_row(
            Text(f"{mark} {item.number}", style=style),
            str(runs[item.name]),
            age(item.created),
            item.name,
            Text(item.cause),
        )
    return table


def _data(found: RevisionEntry, runs: Counter[str]) -> list[dict[str, object]]:
    current = found.current
    return [
        {
            "revision": item.number,
            "name": item.name,
            "current": item is current,
            "createdAt": item.created,
            "runs": runs[item.name],
            "changeCause": item.cause,
            "spec": item.spec,
        }
        for item in found.revisions
    ]
