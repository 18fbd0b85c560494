"""`tradewind wait`: until runs have ended."""

import asyncio

import click

from tradewind.cli.objects.targets import RUN
from tradewind.cli.options import DURATION, cluster
from tradewind.cli.shell.completion import names_of
from tradewind.cli.terminal import say
from tradewind.control.run import Run, read_run
from tradewind.kube.client import Client
from tradewind.kube.resources import RUNS

LOOK = 1.0
"""Seconds between two looks."""


@click.command()
@click.argument("runs", type=RUN, nargs=-1, required=True, metavar="RUN...", shell_complete=names_of("runs"))
@click.option(
    "--timeout", "patience", type=DURATION, metavar="DURATION", help="How long to wait at most.  [default: for ever]"
)
@cluster
async def command(client: Client, namespace: str, runs: tuple[str, ...], patience: float | None) -> None:
    """Wait until all RUNs have ended. The exit code is 0 when all of them succeeded, else 1."""
    try:
        async with asyncio.timeout(patience):
            ended = await asyncio.gather(*(_end(client, namespace, name) for name in runs))
    except TimeoutError:
        raise click.ClickException("not all of them have ended in time: see `tradewind get runs`") from None
    for run in ended:
        message = f": {run.status.get('message')}" if run.status.get("message") else ""
        say(f"dagrun/{run.name} {run.phase}{message}")
    if any(run.phase != "Succeeded" for run in ended):
        raise click.exceptions.Exit(1)


async def _end(client: Client, namespace: str, name: str) -> Run:
    while not (run := read_run(await client.get(RUNS, namespace, name))).final:
        await asyncio.sleep(LOOK)
    return run
