"""Follows a run to its end."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence

from tradewind.cli.output.terminal import Console
from tradewind.cli.views.screen import Screen
from tradewind.cli.views.unanswered import Reaction
from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dags.revisions import Revisions
from tradewind.control.pods.names import pod_name
from tradewind.kube.client import Client
from tradewind.kube.resources import RUNS
from tradewind.look.reading import StatusUnreadable, reading
from tradewind.look.run_rows import Row
from tradewind.look.run_tree import RunTree
from tradewind.look.run_view import look
from tradewind.plan.outcomes.attempt import parse_key

LOGS = 10
"""Failed tasks whose logs are printed at the end."""
ASKED = 100
"""Failed tasks whose logs are requested. Not all have one."""
INTERVAL = 0.2
"""Seconds between two polls. Each sends one get and, while tasks run, one list of the run's pods."""


async def picture(client: Client, namespace: str, name: str, revisions: Revisions) -> tuple[Run, list[Row]]:
    """The run now, with the runs below it. No rows before it has begun. Raises StatusUnreadable."""
    return await _picture(name, RunTree(client, namespace, revisions))


async def _picture(name: str, tree: RunTree) -> tuple[Run, list[Row]]:
    run, found = await look(tree.client, tree.namespace, name, tree.revisions)
    with reading(f"dagrun/{name}"):
        return run, await tree.rows(run, found) if found else []


async def looks(client: Client, namespace: str, name: str) -> AsyncIterator[tuple[Run, list[Row], str]]:
    """Yields the run again and again until it has ended; with a message, once, if no operator reacts to it."""
    tree, reaction = RunTree(client, namespace, Revisions(client)), Reaction()
    while True:
        began, missing = time.monotonic(), ""
        try:
            run, found = await _picture(name, tree)
            with reading(f"dagrun/{name}"):
                missing = reaction.missing(tree.views)
        except StatusUnreadable:  # it is followed by its phase, and may be fixed
            run, found = read_run(await client.get(RUNS, namespace, name)), []
        yield run, found, missing
        if run.final:
            return
        # A run of thousands of tasks is polled less often: polling must not cost more than running.
        await asyncio.sleep(max(INTERVAL, 4 * (time.monotonic() - began)))


async def follow(client: Client, namespace: str, name: str, screen: Screen) -> tuple[Run, list[Row]]:
    """Shows the run until it has ended; returns its last state."""
    last: tuple[Run, list[Row]] | None = None
    async for run, found, missing in looks(client, namespace, name):
        last = (run, found)
        screen.show(run, found)
        if missing:
            screen.print(f"run {name}: {missing}", "yellow")
    if last is None:
        raise RuntimeError("a run has at least one look")
    return last


async def print_logs(client: Client, run: Run, found: Sequence[Row], console: Console, lines: int = 40) -> None:
    """Prints the last lines of failed tasks' last attempts."""
    told = [row for row in found if row.attempts]
    printed = 0
    for row in told[:ASKED]:
        task, index = parse_key(row.task.rpartition("/")[2])
        pod = pod_name(row.run or run.name, task, row.attempts[-1].number, index)
        text: list[str] = []
        with contextlib.suppress(Exception):
            text = [
                line.decode(errors="replace") async for line in client.logs(run.namespace, pod, tailLines=str(lines))
            ]
        if not any(text):
            continue
        if printed == LOGS:
            console.print(f"{len(told)} tasks failed; these are the logs of the first {LOGS}", style="dim")
            break
        printed += 1
        console.print(f"── log of {row.task} (last {lines} lines)", style="dim", soft_wrap=True)
        for line in text:
            console.log(line)
