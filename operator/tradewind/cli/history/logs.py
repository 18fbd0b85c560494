"""Logs that were recorded."""

import contextlib
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from tradewind.cli.history.remote import PLACE, Remote
from tradewind.cli.history.source import Asked, folder
from tradewind.cli.views.log_label import label
from tradewind.kube.client import Client
from tradewind.recorder.folder import open_history
from tradewind.recorder.logs.shelf import logs_of, read
from tradewind.recorder.store.database import StoreError

LONGEST = 1024 * 1024
"""Bytes of a line that are shown at once."""
Show = Callable[[str, Sequence[str]], None]
WHY = {
    "PodDeleted": "its pod was deleted before all of it was read",
    "NodeLost": "its node did not answer",
    "TooLarge": "only its beginning was kept: it is longer than the limit",
    "Unreadable": "the API server refused to read it",
}


async def print_stored(data: Path, namespace: str | None, run: str, task: str, tail: int | None, show: Show) -> None:
    """Shows the logs of a run that a folder has. Raises ClickException."""
    with folder(data) as source:
        found = (await source.page(Asked(namespace, run=run), 1, "", ()))["runs"]
    if not found:
        raise click.ClickException(f"no run {run} is on record in {data}")
    try:
        with contextlib.closing(open_history(data)) as database:
            logs = [log.data() for log in logs_of(database, found[0]["namespace"], found[0]["uid"], task)]

            async def pieces(log: int) -> AsyncIterator[bytes]:
                for piece in read(database, data, log):
                    yield piece

            if not await _print_all(logs, pieces, task, tail, show):
                what = f"task {task} of run {run}" if task else f"run {run}"
                raise click.ClickException(f"{what} has no recorded logs: its tasks need no pods, or none has begun")
    except (StoreError, ValueError) as error:
        raise click.ClickException(str(error)) from None


async def print_remote(client: Client, namespace: str, run: str, task: str, tail: int | None, show: Show) -> bool:
    """Shows the logs of a run that the recorder of the cluster has. Returns False if there are none, or no recorder that answers."""
    try:
        named = os.environ.get("TRADEWIND_RECORDER", "").partition("/")
        remote = Remote(client, (named[0], named[2]) if named[2] else PLACE, os.environ.get("TRADEWIND_TOKEN", ""))
        logs = await remote.logs(Asked(namespace, run=run), task)
    except click.ClickException:
        return False

    def pieces(log: int) -> AsyncIterator[bytes]:
        return remote.log(namespace, log)

    return await _print_all(logs, pieces, task, tail, show)


async def _print_all(
    logs: Sequence[Mapping[str, Any]],
    pieces: Callable[[int], AsyncIterator[bytes]],
    task: str,
    tail: int | None,
    show: Show,
) -> bool:
    several = len({log["task"] for log in logs}) > 1 or not task
    for log in logs:
        again = sum(other["task"] == log["task"] for other in logs) > 1
        before = label(log["task"], log["attempt"], again) if several or again else ""
        last: deque[bytes] = deque(maxlen=tail)
        async for line in lines_of(pieces(log["id"])):
            if tail is not None:
                last.append(line)
            elif line or not before:
                show(before, [line.decode(errors="replace")])
        for line in last:
            show(before, [line.decode(errors="replace")])
        if not log["complete"]:
            show(before, [f"(this log is not complete: {WHY.get(log['reason'], log['reason'])})"])
    return bool(logs)


async def lines_of(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The lines in pieces of a log; one of more than about LONGEST bytes comes in parts."""
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line
        if len(rest) > LONGEST:
            yield rest
            rest = b""
    if rest:
        yield rest
