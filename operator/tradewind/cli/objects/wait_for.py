"""`tradewind wait`: waits until runs have ended."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from tradewind.cli.objects.follow_backfill import story
from tradewind.cli.objects.targets import FOLLOWED, target
from tradewind.cli.options import DURATION, cluster
from tradewind.cli.output.terminal import say
from tradewind.cli.shell.completion import names_of
from tradewind.cli.views.unanswered import Reaction
from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dags.revisions import Revisions
from tradewind.kube.client import Client
from tradewind.kube.errors import Forbidden
from tradewind.kube.resources import RUNS
from tradewind.look.reading import StatusUnreadable, of_kind, reading
from tradewind.look.reading import status as status_of
from tradewind.look.run_view import look
from tradewind.look.unclaimed import unclaimed
from tradewind.model import duration
from tradewind.model.backfill import FINISHED

NAMED = 3
"""Tasks that are named."""
LOOK = 1.0
"""Seconds between two polls."""
LOOK_AT_PODS = 5.0
"""Seconds between two lists of a run's pods."""


class Late(click.ClickException):
    """A run has not ended in time."""

    exit_code = 124
    """The exit code of `timeout`."""


@click.command()
@click.argument(
    "runs", type=FOLLOWED, nargs=-1, required=True, metavar="RUN|backfill/BACKFILL...", shell_complete=names_of("runs")
)
@click.option(
    "--timeout", "patience", type=DURATION, metavar="DURATION", help="Maximum time to wait.  [default: no limit]"
)
@cluster
async def command(client: Client, namespace: str, runs: tuple[str, ...], patience: float | None) -> None:
    """Wait until all RUNs, and each backfill/NAME, have ended. The exit code is 0 if all succeeded, 124 if --timeout
    expired first, and otherwise 1."""
    latest: dict[str, Run | _Backfill] = {}
    try:
        async with asyncio.timeout(patience):
            ended = await asyncio.gather(*(_end(client, namespace, name, latest) for name in runs))
    except TimeoutError:
        raise Late(_late(runs, latest, patience or 0)) from None
    for name, run in zip(runs, ended, strict=True):
        message = str(run.status.get("message") or "") if isinstance(run, Run) else story(run.status)
        say(f"{_label(name)} {run.phase}{f': {message}' if message else ''}")
    if any(run.phase != "Succeeded" for run in ended):
        raise click.exceptions.Exit(1)


@dataclass(frozen=True, slots=True)
class _Backfill:
    """A backfill with the attributes of a run that are used here."""

    phase: str
    status: Mapping[str, Any]
    desired: str

    @property
    def final(self) -> bool:
        return self.phase in FINISHED


def _label(name: str) -> str:
    """A target in messages: a name alone is a run's."""
    return name if "/" in name else f"dagrun/{name}"


async def _look(client: Client, namespace: str, name: str) -> Run | _Backfill:
    resource, rest = target(name)
    found = await client.get(resource, namespace, rest)
    if resource is RUNS:
        return read_run(found)
    status, spec = status_of(found), of_kind(dict, found.get("spec"))
    return _Backfill(str(status.get("phase") or ""), status, str(spec.get("desiredState") or ""))


def _idle(found: Run | _Backfill) -> str:
    return unclaimed(found) if isinstance(found, Run) else ""


async def _end(client: Client, namespace: str, name: str, latest: dict[str, Run | _Backfill]) -> Run | _Backfill:
    attention = _Attention(client, namespace)
    while not (run := await _look(client, namespace, name)).final:
        if (words := _idle(run)) and not (name in latest and _idle(latest[name])):
            say(f"{_label(name)}: {words}", err=True)
        if isinstance(run, Run) and (words := await attention.missing(run)):
            say(f"{_label(name)}: {words}", err=True)
        latest[name] = run
        await asyncio.sleep(LOOK)
    latest[name] = run
    return run


class _Attention:
    """Whether an operator reacts to a run. It reads the run's pods, if the user has the right to, but less often than
    the run."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client, self._namespace = client, namespace
        self._revisions, self._reaction = Revisions(client), Reaction()
        self._due = time.monotonic() + LOOK_AT_PODS

    async def missing(self, run: Run) -> str:
        """A message, once, that no operator reacts; otherwise empty."""
        if not run.status.get("revision") or time.monotonic() < self._due:
            return ""
        self._due = time.monotonic() + LOOK_AT_PODS
        try:
            _, view = await look(self._client, self._namespace, run.name, self._revisions)
            with reading(f"dagrun/{run.name}"):
                return self._reaction.missing([view] if view else [])
        except (Forbidden, StatusUnreadable):
            return ""


def _late(runs: Sequence[str], latest: Mapping[str, Run | _Backfill], patience: float) -> str:
    """A line for each run that has not ended, with its state."""
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
        idle = f", and {words}" if run and (words := _idle(run)) else ""
        words = f"{_label(name)} has not ended within {duration.text(patience)}: it is {stands}{suspended}{waits}{idle}"
        way = "get" if "/" in name else "describe"
        lines.append(f"{words}; see `tradewind {way} {name}`")
    return "\n".join(lines)
