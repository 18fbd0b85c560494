"""Stores to test with: each test that asks for one runs with every database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tradewind.recorder.store.database import Database, SQLite
from tradewind.recorder.store.migration import migrate


@pytest.fixture(params=["sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    found: Database = SQLite(tmp_path / "history.db")
    migrate(found)
    yield found
    found.close()
