"""Reads what was recorded: pages by a cursor, never a count, and no detail in a list."""

import base64
import binascii
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from tradewind.model.duration import stamp
from tradewind.model.run import FINAL_PHASES
from tradewind.recorder.record import restored
from tradewind.recorder.store.database import Cursor, Database

PAGE = 500
"""Runs of a page, at most."""
PURGED = 1_000
"""Runs that are deleted in one transaction."""
SHOWN = [
    "id",
    "uid",
    "namespace",
    "namespace_uid",
    "dag",
    "name",
    "phase",
    "created",
    "logical",
    "started",
    "finished",
    "deleted",
    "how",
    "maker",
    "revision",
    "revision_number",
    "author",
    "message",
    "total",
    "done",
    "failed",
    "skipped",
]
_LIST = f"select {', '.join(SHOWN)} from run"  # noqa: S608 - names of columns
_TASKS = (
    "select task, state, items, failed_items, attempts, losses, start, seconds, longest, reason, exit_code from task"
    " where run = ? order by n"
)
TASK = (
    "task",
    "state",
    "items",
    "failedItems",
    "attempts",
    "losses",
    "startedAt",
    "seconds",
    "longest",
    "reason",
    "exitCode",
)
"""What programs read of a task, in the order of the columns."""
_EDITS = "select action, tasks, author, reason from edit where run = ? order by n"


class BadCursor(Exception):
    """A cursor that no page gave."""


class Home(NamedTuple):
    """A namespace whose rows may be read."""

    name: str
    uid: str | None = None
    """Of the namespace that has this name now: rows of a former one have another uid. None: whatever uid a row has."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs. Times are epoch milliseconds."""

    homes: Sequence[Home] | None = None
    """None: of all namespaces, former ones too."""
    dag: str = ""
    """Of a local DAG: `DAG.LOCAL`."""
    phases: frozenset[str] = frozenset()
    since: int | None = None
    """Created then or later."""
    until: int | None = None
    """Created before."""
    name: str = ""
    """A run's name: there may have been several of this name."""
    uid: str = ""
    ended_before: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A run on record."""

    id: int
    row: dict[str, Any]
    """By column: epoch milliseconds, numbers and texts."""

    def data(self) -> dict[str, Any]:
        """For programs: camelCase, API timestamps, without what is not known."""
        row = self.row
        times = {
            f"{name}At": stamp(row[column] / 1_000)
            for name, column in (
                ("created", "created"),
                ("started", "started"),
                ("finished", "finished"),
                ("deleted", "deleted"),
            )
            if row[column] is not None
        }
        logical = {} if row["logical"] is None else {"logicalDate": stamp(row["logical"] / 1_000)}
        return {
            "namespace": row["namespace"],
            "name": row["name"],
            "uid": row["uid"],
            "dag": row["dag"],
            "phase": row["phase"],
            **times,
            **logical,
            "madeBy": row["how"],
            "maker": row["maker"],
            "author": row["author"],
            "revision": row["revision"],
            "revisionNumber": row["revision_number"],
            "total": row["total"],
            "done": row["done"],
            "failed": row["failed"],
            "skipped": row["skipped"],
            "message": row["message"],
        }


@dataclass(frozen=True, slots=True)
class Page:
    """Runs, newest first."""

    runs: Sequence[Found] = field(default_factory=list)
    more: str = ""
    """The cursor of the next page; empty after the last one."""


def runs(database: Database, wanted: Wanted, limit: int = PAGE, after: str = "") -> Page:
    """A page of runs, newest first. Raises BadCursor, and StoreError."""
    limit = max(1, min(limit, PAGE))
    with database.reading() as cursor:
        found = _page(database, cursor, wanted, limit + 1, _place(after))
    more = cursor_after(found[limit - 1]) if len(found) > limit else ""
    return Page(found[:limit], more)


def every(database: Database, wanted: Wanted) -> Iterator[Found]:
    """All of them, newest first, read by pages."""
    more = ""
    while True:
        page = runs(database, wanted, PAGE, more)
        yield from page.runs
        more = page.more
        if not more:
            return


def _page(database: Database, cursor: Cursor, wanted: Wanted, limit: int, after: tuple[int, int] | None) -> list[Found]:
    """Over several namespaces: one query each, merged. A query for any of several can't use an index for its order."""
    found: list[Found] = []
    for home in [None] if wanted.homes is None else wanted.homes:
        conditions, values = _conditions(wanted, home, after)
        where = f" where {' and '.join(conditions)}" if conditions else ""
        cursor.execute(database.sql(f"{_LIST}{where} order by created desc, id desc limit ?"), [*values, limit])
        found += [Found(int(row[0]), dict(zip(SHOWN, row, strict=True))) for row in cursor.fetchall()]
    found.sort(key=lambda run: (run.row["created"], run.id), reverse=True)
    return found[:limit]


def _conditions(wanted: Wanted, home: Home | None, after: tuple[int, int] | None) -> tuple[list[str], list[Any]]:
    given: list[tuple[str, Sequence[Any]]] = []
    if home is not None:
        given.append(("namespace = ?", [home.name]))
        if home.uid is not None:
            given.append(("namespace_uid = ?", [home.uid]))
    exact = {"dag": wanted.dag, "name": wanted.name, "uid": wanted.uid}
    given.extend((f"{column} = ?", [value]) for column, value in exact.items() if value)
    if wanted.phases:
        marks = ", ".join("?" * len(wanted.phases))
        given.append((f"phase in ({marks})", sorted(wanted.phases)))
        if "Succeeded" not in wanted.phases:
            given.append(("phase <> 'Succeeded'", []))  # for the partial index
    if wanted.since is not None:
        given.append(("created >= ?", [wanted.since]))
    if wanted.until is not None:
        given.append(("created < ?", [wanted.until]))
    if wanted.ended_before is not None:
        given.append(("ended < ?", [wanted.ended_before]))
    if after is not None:
        given.append(("(created, id) < (?, ?)", after))
    return [sql for sql, _ in given], [value for _, values in given for value in values]


def cursor_after(run: Found) -> str:
    """The cursor of a page that begins after a run."""
    return base64.urlsafe_b64encode(f"{run.row['created']}.{run.id}".encode()).decode().rstrip("=")


def _place(cursor: str) -> tuple[int, int] | None:
    if not cursor:
        return None
    try:
        created, _, number = (
            base64.urlsafe_b64decode(f"{cursor[:64]}{'=' * (-len(cursor) % 4)}").decode().partition(".")
        )
        return int(created), int(number)
    except (ValueError, binascii.Error):
        raise BadCursor(f"{cursor[:80]!r} is not the cursor of a page") from None


def tasks(database: Database, run: int) -> list[dict[str, Any]]:
    """The tasks of a run on record, by its id, for programs. Raises StoreError."""
    with database.reading() as cursor:
        cursor.execute(database.sql(_TASKS), (run,))
        rows = cursor.fetchall()
    found = [dict(zip(TASK, row, strict=True)) for row in rows]
    for row in found:
        row["startedAt"] = None if row["startedAt"] is None else stamp(row["startedAt"] / 1_000)
    return [{name: value for name, value in row.items() if value is not None} for row in found]


def edits(database: Database, run: int) -> list[dict[str, Any]]:
    """The changes that people made to tasks of a run, for programs. Raises StoreError."""
    with database.reading() as cursor:
        cursor.execute(database.sql(_EDITS), (run,))
        return [dict(zip(("action", "tasks", "by", "reason"), row, strict=True)) for row in cursor.fetchall()]


def detail(database: Database, run: int) -> tuple[dict[str, Any] | None, int]:
    """The DAGRun as it was, by its id here, and its size in bytes; None if it is gone. Raises StoreError."""
    with database.reading() as cursor:
        cursor.execute(database.sql("select detail from run where id = ?"), (run,))
        found = cursor.fetchone()
    if found is None:
        return None, 0
    raw = zlib.decompress(bytes(found[0]))
    return restored(raw), len(raw)


def spec(database: Database, run: Found) -> dict[str, Any] | None:
    """The DAG's spec in the revision of a run, if it is on record. Raises StoreError."""
    name = str(run.row["revision"])
    with database.reading() as cursor:
        cursor.execute(
            database.sql("select spec from revision where namespace_uid = ? and namespace = ? and name = ?"),
            (run.row["namespace_uid"], run.row["namespace"], name),
        )
        found = cursor.fetchone()
    if found is None:
        return None
    loaded: dict[str, Any] = orjson.loads(zlib.decompress(bytes(found[0])))
    return loaded


def purge_some(database: Database, wanted: Wanted) -> int:
    """Deletes up to a page of runs with their logs, and returns how many. Raises StoreError."""
    found = runs(database, wanted, PAGE).runs
    if found:
        with database.writing() as cursor:
            cursor.executemany(database.sql("delete from run where id = ?"), [(run.id,) for run in found])
            logs = [(run.row["uid"], run.row["namespace"]) for run in found]
            cursor.executemany(database.sql("delete from log where run_uid = ? and namespace = ?"), logs)
    return len(found)


def purge(database: Database, wanted: Wanted) -> int:
    """Deletes runs, a page in a transaction, and returns how many. Raises StoreError."""
    count = 0
    while some := purge_some(database, wanted):
        count += some
    return count


def expire(database: Database, before: int) -> int:
    """Deletes up to PURGED runs that ended before a moment (epoch milliseconds), and returns how many. Raises StoreError."""
    with database.writing() as cursor:
        cursor.execute(
            database.sql(
                "delete from run where id in (select id from run where ended < ? order by ended limit ?) returning id"
            ),
            (before, PURGED),
        )
        return len(cursor.fetchall())


PHASES = frozenset({*FINAL_PHASES, "Queued", "Running"})
"""Phases of runs on record. Queued and Running are those of runs that were deleted before their end."""
