"""`tradewind top`: where waiting time goes now."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import click
from rich.console import Group, RenderableType
from rich.live import Live

from tradewind.cli.objects.targets import DAG
from tradewind.cli.objects.unknown import must_be_there
from tradewind.cli.options import OUTPUT, cluster
from tradewind.cli.output.terminal import Console, Text, say_data
from tradewind.cli.views.waiting_tables import drawn
from tradewind.control.dags.revisions import Revisions
from tradewind.kube.client import Client
from tradewind.kube.errors import Unavailable
from tradewind.look.explained import explained
from tradewind.look.waiting.summary import as_data
from tradewind.look.waiting.survey import Surveyed, survey

INTERVAL = 2.0
"""Seconds between two refreshes."""


@click.command()
@click.option("-A", "--all-namespaces", is_flag=True, help="All namespaces.")
@click.option("--dag", type=DAG, metavar="DAG", help="Only runs of this DAG.")
@click.option("-w", "--watch", is_flag=True, help="Refresh every two seconds, until Ctrl-C.")
@OUTPUT
@cluster
async def command(
    client: Client, namespace: str, all_namespaces: bool, dag: str | None, watch: bool, output: str
) -> None:
    """Show what the tasks of all active runs wait for, and the longest waits."""
    if watch and output != "text":
        raise click.UsageError("--watch is for people: leave out -o")
    where = None if all_namespaces else namespace
    place = "in any namespace" if where is None else f"in namespace {where}"
    whose = f" of DAG {dag}" if dag else ""
    revisions = Revisions(client)

    async def look() -> RenderableType:
        now = time.time()
        return drawn(await _survey(client, where, dag, revisions, now), whose, place, now, all_namespaces)

    if watch:
        await _watch(look)
    elif output != "text":
        now = time.time()
        say_data(as_data(await _survey(client, where, dag, revisions, now), now), output)
    else:
        Console().print(await look())


async def _survey(
    client: Client, where: str | None, dag: str | None, revisions: Revisions, now: float
) -> list[Surveyed]:
    found = await survey(client, where, dag, revisions, now)
    if not found and where is not None:
        await must_be_there(client, where)
    return found


async def _watch(look: Callable[[], Awaitable[RenderableType]]) -> None:
    """Refreshes the screen until interrupted; the last state stays on it."""
    console = Console()
    last: RenderableType = Text()
    try:
        with Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
            while True:
                began = time.monotonic()
                try:
                    last = await look()
                    shown = last
                except Unavailable as error:
                    shown = Group(last, Text(f"\n{explained(error)}; trying again", style="red"))
                if console.is_terminal:
                    live.update(shown, refresh=True)
                else:
                    console.print(shown)
                # Thousands of runs are refreshed less often.
                await asyncio.sleep(max(INTERVAL, 4 * (time.monotonic() - began)))
    except asyncio.CancelledError:
        if console.is_terminal:
            console.print(last)
