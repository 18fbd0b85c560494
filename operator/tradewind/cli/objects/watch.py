"""`tradewind watch`: follows a run until it has ended."""

import asyncio

import click

from tradewind.cli.objects.follow_backfill import follow as backfill_end
from tradewind.cli.objects.targets import FOLLOWED
from tradewind.cli.options import OUTPUT, cluster
from tradewind.cli.output.pipes import reader_gone
from tradewind.cli.output.terminal import Console, say, say_data
from tradewind.cli.shell.completion import names_of
from tradewind.cli.starts.conclusion import conclude
from tradewind.cli.views.follow_run import follow
from tradewind.cli.views.pod_logs import PodLogs
from tradewind.cli.views.screen import Screen
from tradewind.kube.client import Client
from tradewind.look.reading import status as status_of

BACKFILL = "backfill/"


@click.command()
@click.argument("run", type=FOLLOWED, metavar="RUN|backfill/BACKFILL", shell_complete=names_of("runs"))
@click.option("--log", is_flag=True, help="Also show the tasks' logs.")
@OUTPUT
@cluster
async def command(client: Client, namespace: str, run: str, log: bool, output: str) -> None:
    """Follow RUN, or a backfill/NAME, until it has ended. The exit code is 0 if it succeeded, and otherwise 1; 130
    after Ctrl-C, which doesn't stop the run."""
    if run.startswith(BACKFILL):
        found = await backfill_end(client, namespace, run.removeprefix(BACKFILL), output != "text")
        if output != "text":
            say_data(found, output)
        if status_of(found).get("phase") != "Succeeded":
            raise click.exceptions.Exit(1)
    elif not await follow_to_end(client, namespace, run, log, output):
        raise click.exceptions.Exit(1)


async def follow_to_end(client: Client, namespace: str, name: str, log: bool, output: str) -> bool:
    """Shows a run until it has ended; returns whether it succeeded."""
    console = Console(stderr=output != "text")
    try:
        with Screen(console, f"tradewind: {name}") as screen:
            logs = PodLogs(client, namespace).follow(name, screen.log) if log else asyncio.sleep(0)
            (run, rows), _ = await asyncio.gather(follow(client, namespace, name, screen), logs)
    except asyncio.CancelledError:
        if not reader_gone():
            say(f"the run continues: tradewind watch {name}", err=True)
        raise
    return await conclude(client, run, rows, output, console)
