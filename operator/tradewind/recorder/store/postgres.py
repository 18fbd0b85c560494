"""PostgreSQL as the store: the same statements, over psycopg."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from tradewind.recorder.store.database import LONGEST, Cursor, StoreError

LOCK = 7_368_201_949
"""The key of the advisory lock of migrations."""
PATIENCE = 10
"""Seconds to connect."""


class Postgres:
    """A database on a server. Each thread has a connection of its own, which is made again after it was lost."""

    words: Mapping[str, str] = {
        "id": "bigint generated always as identity primary key",
        "int": "bigint",
        "bytes": "bytea",
    }

    def __init__(self, dsn: str) -> None:
        """`dsn` as libpq has it: `postgresql://USER@HOST/DATABASE`; PGPASSWORD and the like count too. Raises StoreError."""
        try:
            import psycopg
        except ImportError:
            raise StoreError("PostgreSQL needs psycopg: pip install 'tradewind[postgres]'") from None
        self._dsn, self._psycopg = dsn, psycopg
        self._local = threading.local()
        self._all: list[Any] = []
        self._guard = threading.Lock()
        with self.reading() as cursor:
            cursor.execute("select 1")

    def sql(self, statement: str) -> str:
        """The statement with psycopg's placeholders."""
        return statement.replace("%", "%%").replace("?", "%s")

    @contextlib.contextmanager
    def writing(self) -> Iterator[Cursor]:
        """A transaction that writes. Raises StoreError."""
        with self._transaction() as cursor:
            yield cursor

    @contextlib.contextmanager
    def reading(self) -> Iterator[Cursor]:
        """A transaction that reads one state of the data, for LONGEST seconds at most. Raises StoreError."""
        with self._transaction() as cursor:
            cursor.execute("set transaction isolation level repeatable read read only")
            cursor.execute(f"set local statement_timeout = {LONGEST * 1_000:.0f}")
            yield cursor

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Any]:
        try:
            connection = self._connection()
            with connection.transaction(), connection.cursor() as cursor:
                yield cursor
        except self._psycopg.errors.QueryCanceled:
            words = f"the query takes longer than {LONGEST:.0f} s: ask for one DAG, or for a shorter time"
            raise StoreError(words) from None
        except self._psycopg.Error as error:
            self._drop()
            # Its message may name the host, never the password.
            raise StoreError(f"PostgreSQL: {str(error).strip()}") from None

    def _connection(self) -> Any:
        found = getattr(self._local, "connection", None)
        if found is None or found.closed:
            found = self._psycopg.connect(self._dsn, connect_timeout=PATIENCE, autocommit=True)
            self._local.connection = found
            with self._guard:
                self._all = [other for other in self._all if not other.closed] + [found]
        return found

    def _drop(self) -> None:
        """Closes this thread's connection if it is of no more use."""
        found = getattr(self._local, "connection", None)
        if found is not None and (found.closed or found.broken):
            found.close()
            self._local.connection = None

    def lock(self, cursor: Cursor) -> None:
        """Keeps other processes from migrating, until the transaction ends."""
        cursor.execute(f"select pg_advisory_xact_lock({LOCK})")

    def size(self) -> int:
        """Bytes of the database."""
        with self.reading() as cursor:
            cursor.execute("select pg_database_size(current_database())")
            return int(cursor.fetchone()[0])

    def close(self) -> None:
        """Closes the connections of all threads."""
        with self._guard:
            for connection in self._all:
                connection.close()
            self._all = []
