"""Logs that were recorded."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import click

from tradewind.cli.history.source import Asked, folder
from tradewind.cli.views.log_label import label
from tradewind.recorder.folder import open_history
from tradewind.recorder.logs.shelf import StoredLog, logs_of, read
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
    """Shows the recorded logs of a run. Raises ClickException."""
    with folder(data) as source:
        found = (await source.page(Asked(namespace, run=run), 1, "", ()))["runs"]
    if not found:
        raise click.ClickException(f"no run {run} is on record in {data}")
    try:
        database = open_history(data)
        try:
            logs = logs_of(database, found[0]["namespace"], found[0]["uid"], task)
            if not logs:
                what = f"task {task} of run {run}" if task else f"run {run}"
                raise click.ClickException(f"{what} has no recorded logs: its tasks need no pods, or none has begun")
            several = len({log.task for log in logs}) > 1 or not task
            for log in logs:
                again = sum(other.task == log.task for other in logs) > 1
                before = label(log.task, log.attempt, again) if several or again else ""
                _print(before, log, read(database, data, log.id), tail, show)
        finally:
            database.close()
    except (StoreError, ValueError) as error:
        raise click.ClickException(str(error)) from None


def _print(before: str, log: StoredLog, pieces: Iterable[bytes], tail: int | None, show: Show) -> None:
    lines: Iterable[str] = (line.decode(errors="replace") for line in lines_of(pieces))
    for line in lines if tail is None else deque(lines, tail):
        if line or not before:
            show(before, [line])
    if not log.complete:
        show(before, [f"(this log is not complete: {WHY.get(log.reason, log.reason)})"])


def lines_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The lines in pieces of a log; one of more than about LONGEST bytes comes in parts."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
        if len(rest) > LONGEST:
            yield rest
            rest = b""
    if rest:
        yield rest
