"""`tradewind wait`: until runs have ended."""

import asyncio
from collections.abc import Mapping, Sequence

import click

from tradewind.cli.objects.targets import RUN
from tradewind.cli.options import DURATION, cluster
from tradewind.cli.output.terminal import say
from tradewind.cli.reading import of_kind
from tradewind.cli.shell.completion import names_of
from tradewind.cli.views.unclaimed import unclaimed
from tradewind.control.dagrun.run import Run, read_run
from tradewind.kube.client import Client
from tradewind.kube.resources import RUNS
from tradewind.model import duration

NAMED = 3
"""Tasks that are named."""
LOOK = 1.0
"""Seconds between two looks."""


class Late(click.ClickException):
    """A run has not ended in time."""

    exit_code = 124
    """As `timeout` has it."""


@click.command()
@click.argument("runs", type=RUN, nargs=-1, required=True, metavar="RUN...", shell_complete=names_of("runs"))
@click.option(
    "--timeout", "patience", type=DURATION, metavar="DURATION", help="Maximum time to wait.  [default: no limit]"
)
@cluster
async def command(client: Client, namespace: str, runs: tuple[str, ...], patience: float | None) -> None:
    """Wait until all RUNs have ended. The exit code is 0 if all succeeded, 124 if --timeout expired first, and otherwise 1."""
    latest: dict[str, Run] = {}
    try:
        async with asyncio.timeout(patience):
            ended = await asyncio.gather(*(_end(client, namespace, name, latest) for name in runs))
    except TimeoutError:
        raise Late(_late(runs, latest, patience or 0)) from None
    for run in ended:
        message = f": {run.status.get('message')}" if run.status.get("message") else ""
        say(f"dagrun/{run.name} {run.phase}{message}")
    if any(run.phase != "Succeeded" for run in ended):
        raise click.exceptions.Exit(1)


async def _end(client: Client, namespace: str, name: str, latest: dict[str, Run]) -> Run:
    while not (run := read_run(await client.get(RUNS, namespace, name))).final:
        if (words := unclaimed(run)) and not (name in latest and unclaimed(latest[name])):
            say(f"dagrun/{name}: {words}", err=True)
        latest[name] = run
        await asyncio.sleep(LOOK)
    latest[name] = run
    return run


def _late(runs: Sequence[str], latest: Mapping[str, Run], patience: float) -> str:
    """A line for each run that has not ended, with where it stands."""
    lines = []
    for name in dict.fromkeys(runs):
        run = latest.get(name)
        if run and run.final:
            continue
        stands = f"{run.phase or 'Queued'} {run.status.get('progress') or ''}".strip() if run else "not seen yet"
        suspended = ", suspended" if run and run.desired == "Suspended" else ""
        waiting = of_kind(list, run.status.get("waiting")) if run else []
        tasks = ", ".join(str(item.get("task")) for item in waiting[:NAMED] if isinstance(item, dict))
        waits = f", waits for {tasks}{' and others' if waiting[NAMED:] else ''}" if tasks else ""
        idle = f", and {words}" if run and (words := unclaimed(run)) else ""
        words = f"dagrun/{name} has not ended within {duration.text(patience)}: it is {stands}{suspended}{waits}{idle}"
        lines.append(f"{words}; see `tradewind describe {name}`")
    return "\n".join(lines)
