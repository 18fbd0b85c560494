"""Writes what has ended. Idempotent: the same runs, in any order and any number of times, give the same rows."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tradewind.recorder.record import RunRecord
from tradewind.recorder.store.database import Cursor, Database

UNREADABLE = 1_000
"""Objects that can't be read of which the store keeps the first bytes: the latest ones."""
COLUMNS = [
    "uid",
    "epoch",
    "version",
    "cluster",
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
    "ended",
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
    "detail",
]
_SET = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name != "uid")
UPSERT = (
    f"insert into run ({', '.join(COLUMNS)}) values ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 - names of columns
    f" on conflict (uid) do update set {_SET}"
    " where excluded.epoch > run.epoch or (excluded.epoch = run.epoch and excluded.version > run.version) returning id"
)
TASK = (
    "insert into task (run, task, state, items, failed_items, attempts, losses, start, seconds, longest, reason, exit_code, n)"
    " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class Place(NamedTuple):
    """Where a run is from."""

    cluster: str
    """Uid of its cluster."""
    namespace_uid: str
    """Empty if it is not known."""
    epoch: int
    """Raised when the cluster's versions began again below those seen before: etcd was restored. Versions of one epoch compare."""


class Revision(NamedTuple):
    """A spec on record."""

    cluster: str
    namespace: str
    namespace_uid: str
    name: str
    dag: str
    number: int
    cause: str
    spec: bytes
    """JSON."""


class Unread(NamedTuple):
    """An object that can't be read."""

    key: str
    """Its uid and version, or a digest: the same object is kept once."""
    namespace: str
    name: str
    version: int
    error: str
    raw: bytes
    at: int
    """Epoch milliseconds."""


@dataclass(slots=True)
class Batch:
    """What is written together, all of it or nothing."""

    runs: list[tuple[Place, RunRecord]] = field(default_factory=list)
    unreadable: list[Unread] = field(default_factory=list)
    revisions: list[Revision] = field(default_factory=list)
    positions: dict[str, "Position"] = field(default_factory=dict)
    """By namespace; empty for all of them together."""


class Position(NamedTuple):
    """Up to which version everything is written."""

    cluster: str
    epoch: int
    version: int
    at: int
    """Epoch milliseconds of the last contact."""


def write(database: Database, batch: Batch) -> int:
    """Writes a batch, and returns how many runs were new or newer. Raises StoreError."""
    with database.writing() as cursor:
        written = sum(_run(database, cursor, place, run) for place, run in batch.runs)
        _unreadable(database, cursor, batch.unreadable)
        for item in batch.revisions:
            cursor.execute(
                database.sql(
                    "insert into revision (cluster, namespace, namespace_uid, name, dag, number, cause, spec)"
                    " values (?, ?, ?, ?, ?, ?, ?, ?) on conflict (cluster, namespace_uid, namespace, name) do nothing"
                ),
                (*item[:-1], zlib.compress(item.spec, 6)),
            )
        for namespace, position in batch.positions.items():
            cursor.execute(
                database.sql(
                    "insert into position (namespace, cluster, epoch, version, at) values (?, ?, ?, ?, ?)"
                    " on conflict (namespace) do update set cluster = excluded.cluster, epoch = excluded.epoch,"
                    " version = excluded.version, at = excluded.at"
                ),
                (namespace, *position),
            )
    return written


def _run(database: Database, cursor: Cursor, place: Place, run: RunRecord) -> bool:
    ended = next(at for at in (run.finished, run.deleted, run.created) if at is not None)
    values = {name: getattr(run, name) for name in COLUMNS if hasattr(run, name)}
    values |= {"epoch": place.epoch, "cluster": place.cluster, "namespace_uid": place.namespace_uid, "ended": ended}
    cursor.execute(database.sql(UPSERT), [values[name] for name in COLUMNS])
    found = cursor.fetchone()
    if found is None:
        return False
    row = int(found[0])
    for table in ("task", "edit"):
        cursor.execute(database.sql(f"delete from {table} where run = ?"), (row,))  # noqa: S608 - one of two
    if run.tasks:
        cursor.executemany(database.sql(TASK), [(row, *task, n) for n, task in enumerate(_single(run.tasks))])
    if run.edits:
        sql = "insert into edit (run, n, action, tasks, author, reason) values (?, ?, ?, ?, ?, ?)"
        cursor.executemany(database.sql(sql), [(row, *edit) for edit in run.edits])
    return True


def _single(tasks: Iterable[Sequence[object]]) -> Iterable[Sequence[object]]:
    """Each task once: names that were cut may be the same."""
    return {task[0]: task for task in tasks}.values()


def _unreadable(database: Database, cursor: Cursor, found: Sequence[Unread]) -> None:
    for item in found:
        cursor.execute(
            database.sql(
                "insert into unreadable (key, namespace, name, version, error, raw, at) values (?, ?, ?, ?, ?, ?, ?)"
                " on conflict (key) do nothing"
            ),
            item,
        )
    if found:
        cursor.execute(
            database.sql("delete from unreadable where id <= (select coalesce(max(id), 0) from unreadable) - ?"),
            (UNREADABLE,),
        )


def positions(database: Database) -> dict[str, Position]:
    """Up to where everything is written, by namespace. Raises StoreError."""
    with database.reading() as cursor:
        cursor.execute("select namespace, cluster, epoch, version, at from position")
        return {str(name): Position(*rest) for name, *rest in cursor.fetchall()}


def known_revisions(database: Database, wanted: Iterable[tuple[str, str, str, str]]) -> set[tuple[str, str, str, str]]:
    """Which of these are on record: cluster, namespace uid, namespace and name. Raises StoreError."""
    found = set()
    sql = database.sql("select 1 from revision where cluster = ? and namespace_uid = ? and namespace = ? and name = ?")
    with database.reading() as cursor:
        for key in wanted:
            cursor.execute(sql, key)
            if cursor.fetchone():
                found.add(key)
    return found
