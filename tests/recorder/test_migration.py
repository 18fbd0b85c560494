"""Migrations: each once, forward only, and every schema that was released can be upgraded."""

import sqlite3
from pathlib import Path

import pytest
from tradewind.recorder.store.database import SQLite, StoreError
from tradewind.recorder.store.migration import migrate, scripts
from tradewind.recorder.store.queries import Wanted, runs

SCHEMAS = sorted((Path(__file__).parent / "schemas").glob("*.sql"))


def test_scripts_are_numbered_without_gaps() -> None:
    assert list(scripts()) == list(range(1, len(scripts()) + 1))


def test_there_is_a_fixture_of_every_schema() -> None:
    assert [int(path.stem) for path in SCHEMAS] == list(scripts())


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: str(path.stem))
def test_a_store_of_an_older_schema_is_upgraded_and_read(tmp_path: Path, path: Path) -> None:
    with sqlite3.connect(tmp_path / "h.db") as old:
        old.executescript(path.read_text())
    old.close()
    database = SQLite(tmp_path / "h.db")
    assert migrate(database) == max(scripts())
    page = runs(database, Wanted(name="etl-1"))
    assert [run.row["phase"] for run in page.runs] == ["Succeeded"]
    database.close()


def test_a_migration_is_applied_once(tmp_path: Path) -> None:
    for _ in range(3):
        database = SQLite(tmp_path / "h.db")
        assert migrate(database) == max(scripts())
        database.close()


def test_a_store_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    database = SQLite(tmp_path / "h.db")
    migrate(database)
    with database.writing() as cursor:
        cursor.execute("insert into schema_version (version) values (99)")
    with pytest.raises(StoreError, match="schema 99"):
        migrate(database)
    database.close()


@pytest.mark.parametrize("content", [b"not a database " * 100, b"SQLite format 3\0" + b"x" * 5_000])
def test_a_file_that_is_no_database_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "h.db").write_bytes(content)
    with pytest.raises(StoreError, match=r"h\.db"):
        migrate(SQLite(tmp_path / "h.db"))
    assert (tmp_path / "h.db").read_bytes() == content


def test_the_file_is_its_owner_s_alone(tmp_path: Path) -> None:
    SQLite(tmp_path / "new" / "h.db").close()
    assert (tmp_path / "new" / "h.db").stat().st_mode & 0o077 == 0
