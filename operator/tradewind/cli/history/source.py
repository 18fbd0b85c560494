"""Where recorded runs are read from: a folder of this machine."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import click

from tradewind.recorder import answers
from tradewind.recorder.folder import open_history
from tradewind.recorder.store.database import Database, StoreError
from tradewind.recorder.store.queries import PAGE, Home, Wanted, purge

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """Which runs, as asked for on the command line. Times are epoch milliseconds."""

    namespace: str | None = None
    """None: all of them."""
    dag: str = ""
    phases: frozenset[str] = frozenset()
    since: int | None = None
    until: int | None = None
    run: str = ""
    """A name, or a uid."""
    ended_before: int | None = None


class Source(Protocol):
    """Recorded runs."""

    where: str
    """For messages."""

    async def page(self, asked: Asked, limit: int, after: str, parts: Collection[str]) -> dict[str, Any]:
        """A page: `runs`, newest first, and `more`, the cursor of the next page. Raises ClickException."""

    async def purge(self, asked: Asked) -> int:
        """Deletes runs, and returns how many. Raises ClickException."""


async def every(source: Source, asked: Asked, parts: Collection[str] = ()) -> AsyncIterator[dict[str, Any]]:
    """All of them, newest first."""
    after = ""
    while True:
        page = await source.page(asked, PAGE, after, parts)
        for run in page["runs"]:
            yield run
        after = page["more"]
        if not after:
            return


class Folder:
    """What `--data DIR` recorded."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database, self.where = database, str(folder)

    async def page(self, asked: Asked, limit: int, after: str, parts: Collection[str]) -> dict[str, Any]:
        """A page. Raises ClickException."""
        return await _thread(answers.page, self._database, wanted(asked), limit, after, parts)

    async def purge(self, asked: Asked) -> int:
        """Deletes runs. Raises ClickException."""
        return await _thread(purge, self._database, wanted(asked))


async def _thread(function: Callable[..., T], *arguments: Any) -> T:
    try:
        return await asyncio.to_thread(function, *arguments)
    except StoreError as error:
        raise click.ClickException(str(error)) from None


def wanted(asked: Asked) -> Wanted:
    """The query for a folder, whose owner may read all of it."""
    uid = is_uid(asked.run)
    return Wanted(
        homes=None if asked.namespace is None else [Home(asked.namespace)],
        dag=asked.dag,
        phases=asked.phases,
        since=asked.since,
        until=asked.until,
        name="" if uid else asked.run,
        uid=asked.run if uid else "",
        ended_before=asked.ended_before,
    )


def is_uid(text: str) -> bool:
    """Whether a text is a uid rather than a name."""
    return len(text) == 36 and text.count("-") == 4 and all(char in "0123456789abcdef-" for char in text)


@contextlib.contextmanager
def folder(path: Path) -> Iterator[Folder]:
    """The history in a folder. Raises ClickException."""
    try:
        database = open_history(path)
    except StoreError as error:
        raise click.ClickException(str(error)) from None
    with contextlib.closing(database):
        yield Folder(database, path)
