"""Stores to test with: each test that asks for one runs with every database."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from cluster.postgres import Postgres as Server
from cluster.postgres import postgres as running
from tradewind.recorder.store.database import Database, SQLite
from tradewind.recorder.store.migration import migrate
from tradewind.recorder.store.postgres import Postgres

NUMBERS = count()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with running() as found:
        yield found


def empty(server: Server) -> str:
    """The address of a new database."""
    name = f"history_{next(NUMBERS)}"
    server.run(f"create database {name}")
    return f"postgresql://{server.user}:{server.password}@127.0.0.1:{server.port}/{name}"


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    found: Database
    if request.param == "sqlite":
        found = SQLite(tmp_path / "history.db")
    else:
        found = Postgres(empty(request.getfixturevalue("server")))
    migrate(found)
    yield found
    found.close()
