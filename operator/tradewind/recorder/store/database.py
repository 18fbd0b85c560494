"""What differs between the databases: how to connect, and a few words of SQL. Statements are written with `?` for values."""

import contextlib
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

LONGEST = 5.0
"""Seconds that a query may take."""
STEPS = 50_000
"""Steps of SQLite's machine after which the clock is read: some milliseconds."""
BUSY = 10.0
"""Seconds to wait for another process's transaction."""


class StoreError(Exception):
    """The store can't be used now; the message says why and what to do."""


class Cursor(Protocol):
    """What both drivers have."""

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Any:
        """Runs a statement."""

    def executemany(self, sql: str, values: Iterable[Sequence[Any]], /) -> Any:
        """Runs a statement once for each."""

    def fetchone(self) -> Any:
        """The next row, or None."""

    def fetchall(self) -> list[Any]:
        """All further rows."""


class Database(Protocol):
    """A database. Its connections belong to the thread that uses them."""

    words: Mapping[str, str]
    """What stands for the words in braces of migrations."""

    def sql(self, statement: str) -> str:
        """The statement with the driver's placeholders."""

    def writing(self) -> contextlib.AbstractContextManager[Cursor]:
        """A transaction that writes: all of it, or nothing. Raises StoreError."""

    def reading(self) -> contextlib.AbstractContextManager[Cursor]:
        """A transaction that reads one state of the data. Raises StoreError."""

    def lock(self, cursor: Cursor) -> None:
        """Keeps other processes from migrating, until the transaction ends. Raises StoreError."""

    def size(self) -> int:
        """Bytes that the data takes."""

    def close(self) -> None:
        """Closes the connections of all threads."""


class SQLite:
    """A file. One thread writes, others read."""

    words: Mapping[str, str] = {"id": "integer primary key autoincrement", "int": "integer", "bytes": "blob"}

    def __init__(self, path: Path) -> None:
        """Raises StoreError for a file that can't be used."""
        self._path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                path.touch(0o600, exist_ok=False)  # Params and outputs are in it.
            self._writer = self._connect("rwc")
            self._writer.execute("pragma journal_mode = wal")
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"{path} can't be used: {error}") from None

    def _connect(self, mode: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode={mode}",
            BUSY,
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )
        for setting in ("foreign_keys = on", "synchronous = full", "cache_size = -8000", "temp_store = memory"):
            connection.execute(f"pragma {setting}")
        return connection

    def sql(self, statement: str) -> str:
        """The statement as it is."""
        return statement

    @contextlib.contextmanager
    def writing(self) -> Iterator[Cursor]:
        """A transaction that writes. Raises StoreError."""
        with _told(self._path):
            yield from _transaction(self._writer, "begin immediate")

    @contextlib.contextmanager
    def reading(self) -> Iterator[Cursor]:
        """A transaction that reads, on a connection of its own: opening one takes 0.1 ms. Raises StoreError."""
        with _told(self._path), contextlib.closing(self._connect("ro")) as connection:
            end = time.monotonic() + LONGEST
            connection.set_progress_handler(lambda: time.monotonic() > end, STEPS)
            yield from _transaction(connection, "begin")

    def lock(self, cursor: Cursor) -> None:
        """Does nothing: a transaction that writes locks the file."""

    def size(self) -> int:
        """Bytes of the file and its log."""
        files = (self._path, self._path.with_name(f"{self._path.name}-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def close(self) -> None:
        """Closes the writer's connection, which folds the log into the file."""
        self._writer.close()


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        words = str(error)
        if words == "interrupted":
            words = f"the query takes longer than {LONGEST:.0f} s: ask for one DAG, or for a shorter time"
        raise StoreError(f"{path}: {words}") from error


def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[Cursor]:
    connection.execute(begin)
    try:
        yield connection.cursor()
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise
    connection.execute("commit")
