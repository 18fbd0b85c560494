"""The runs of a DAG by their logical dates: `dag/NAME --since … --until …`."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import click
import orjson

from tradewind.cli.objects.targets import RUN_OR_DAG
from tradewind.cli.output.terminal import say
from tradewind.control.dagrun.run import Run, read_run
from tradewind.kube.client import Client
from tradewind.kube.pages import items
from tradewind.kube.resources import RUNS
from tradewind.model.shown import counted
from tradewind.plan.triggers.calendar import dated_moment_of

PAGE = 100
SINCE = click.option(
    "--since",
    metavar="TIME",
    help="With dag/NAME: runs whose logical date is not before TIME (UTC, or with an offset).",
)
UNTIL = click.option("--until", metavar="TIME", help="With dag/NAME: runs whose logical date is before TIME.")
WHICH = click.argument("run", type=RUN_OR_DAG, metavar="RUN|dag/NAME")


async def each_run(
    client: Client,
    namespace: str,
    which: str,
    since: str | None,
    until: str | None,
    act: Callable[[str], Awaitable[None]],
) -> None:
    """Acts on one run, or on those of `dag/NAME` in a range, the earliest date first. A refused run of a range is reported, and
    the others follow. Raises ClickException if all are refused, and UsageError."""
    _, slash, dag = which.rpartition("/")
    if not slash:
        if since or until:
            raise click.UsageError(f"--since and --until are for the runs of a DAG: write dag/NAME instead of {which}")
        await act(which)
        return
    if not since and not until:
        raise click.UsageError(
            f"{which}: say which of its runs, with --since TIME, --until TIME or both; or name a run"
        )
    first, end = (
        moment_of(text, option).timestamp() if text is not None else usual
        for text, option, usual in ((since, "--since", float("-inf")), (until, "--until", float("inf")))
    )
    found = await _dated(client, namespace, dag, first, end)
    if not found:
        raise click.ClickException(f"{which} has no runs in this range: see `tradewind get runs --dag {dag}`")
    refused = 0
    for run in found:
        try:
            await act(run.name)
        except click.ClickException as error:
            refused += 1
            say(f"dagrun/{run.name}: not changed: {error.message}", err=True)
    if refused == len(found):
        raise click.ClickException(f"none of {counted(refused, 'run')} is changed")


async def _dated(client: Client, namespace: str, dag: str, first: float, end: float) -> list[Run]:
    runs = [
        read_run(orjson.loads(raw))
        async for raw in items(client, RUNS, namespace, PAGE, fieldSelector=f"spec.dag={dag}")
    ]
    return sorted(
        (run for run in runs if first <= run.moment < end), key=lambda run: (run.moment, run.created, run.name)
    )


def moment_of(text: str, option: str) -> datetime:
    """A point in time from the command line, in UTC unless it has an offset. Raises UsageError, with the option."""
    try:
        return dated_moment_of(text, UTC)
    except ValueError as error:
        raise click.UsageError(f"{option}: {error}") from None
