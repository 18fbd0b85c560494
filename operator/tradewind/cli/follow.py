"""Following a run to its end: live in a terminal, line by line elsewhere."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence

from rich.live import Live

from tradewind.cli.picture import Row, drawn, rows
from tradewind.cli.reading import StatusUnreadable, reading
from tradewind.cli.terminal import Console
from tradewind.control.belonging import pod_name
from tradewind.control.revisions import Revisions
from tradewind.control.run import Run, read_run
from tradewind.control.view import View
from tradewind.control.view import picture as pictured
from tradewind.kube.client import Client
from tradewind.kube.pod import RUN_UID, parse_list
from tradewind.kube.resources import PODS, RUNS
from tradewind.model import duration
from tradewind.model.shown import shown
from tradewind.plan.attempt import parse_key
from tradewind.plan.state import FINAL

LOGS = 10
"""Failed tasks whose logs are printed at the end."""
INTERVAL = 0.2
"""Seconds between two looks. One get and, while tasks run, one list of the run's pods."""


async def look(client: Client, namespace: str, name: str, revisions: Revisions) -> tuple[Run, View | None]:
    """The run now, and the planner's picture of it once it has begun. Raises StatusUnreadable."""
    run = read_run(await client.get(RUNS, namespace, name))
    revision = run.status.get("revision")
    if not revision:
        return run, None
    with reading(f"dagrun/{name}"):
        definition = await revisions.load(namespace, revision)
    raw = await client.list_raw(PODS, namespace, labelSelector=f"{RUN_UID}={run.uid}")
    with reading(f"dagrun/{name}"):
        return run, pictured(run, definition, {pod.metadata.name: pod for pod in parse_list(raw).items})


async def picture(client: Client, namespace: str, name: str, revisions: Revisions) -> tuple[Run, list[Row]]:
    """The run now. No rows before it has begun. Raises StatusUnreadable."""
    run, found = await look(client, namespace, name, revisions)
    with reading(f"dagrun/{name}"):
        return run, rows(found) if found else []


async def looks(client: Client, namespace: str, name: str) -> AsyncIterator[tuple[Run, list[Row]]]:
    """The run, again and again, until it has ended."""
    revisions = Revisions(client)
    while True:
        began = time.monotonic()
        try:
            run, found = await picture(client, namespace, name, revisions)
        except StatusUnreadable:  # It is followed by its phase, and may be mended.
            run, found = read_run(await client.get(RUNS, namespace, name)), []
        yield run, found
        if run.final:
            return
        # A run of thousands is looked at less often: looking must not cost more than running.
        await asyncio.sleep(max(INTERVAL, 4 * (time.monotonic() - began)))


async def follow(
    client: Client, namespace: str, name: str, console: Console, note: Callable[[], str]
) -> tuple[Run, list[Row]]:
    """Shows the run until it has ended, and returns how. `note` is shown under it."""
    last: tuple[Run, list[Row]] | None = None
    if not console.is_terminal:
        said: dict[str, str] = {}
        async for last in looks(client, namespace, name):
            _say(console, last, said)
    else:
        with Live(console=console, refresh_per_second=8, transient=True) as live:
            async for last in looks(client, namespace, name):
                live.update(drawn(*last))
                live.console.set_window_title(shown(note() or f"tradewind: {name}"))
        if last:
            console.print(drawn(*last))
    if last is None:
        raise RuntimeError("a run has at least one look")
    return last


def _say(console: Console, look: tuple[Run, Sequence[Row]], said: dict[str, str]) -> None:
    run, found = look
    for row in found:
        if said.get(row.task) != row.state and (row.state in FINAL or row.message or row.live):
            took = f" ({duration.text(row.seconds)})" if row.state in FINAL and row.seconds is not None else ""
            words = f": {row.message}" if row.message else ""
            console.print(f"{row.task}: {row.state}{took}{words}", soft_wrap=True)
        said[row.task] = row.state
    phase = run.phase or "Queued"
    if said.get("") != phase:
        message = f": {run.status.get('message')}" if run.status.get("message") else ""
        console.print(f"run {run.name}: {phase}{message}", soft_wrap=True)
        said[""] = phase


async def print_logs(client: Client, run: Run, found: Sequence[Row], console: Console, lines: int = 40) -> None:
    """The last lines that failed tasks have printed."""
    told = [row for row in found if row.attempts]
    if len(told) > LOGS:
        console.print(f"{len(told)} tasks failed; the logs of the first {LOGS}:", style="dim")
    for row in told[:LOGS]:
        task, index = parse_key(row.task)
        pod = pod_name(run.name, task, row.attempts[-1].number, index)
        console.rule(f"log of {row.task} (last {lines} lines)", align="left", style="dim")
        with contextlib.suppress(Exception):
            async for line in client.logs(run.namespace, pod, tailLines=str(lines)):
                console.log(line.decode(errors="replace"))
