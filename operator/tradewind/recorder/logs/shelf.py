"""Where logs are: pieces in segment files, many logs in one file, and rows that tell which is where."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tradewind.model.duration import stamp
from tradewind.recorder.logs.pieces import Piece, unpacked
from tradewind.recorder.store.database import Cursor, Database, StoreError
from tradewind.recorder.store.queries import Home

FOLDER = "logs"
SEGMENT = 64 * 2**20
"""Bytes after which a new file begins."""
EXPIRED = 1_000
"""Logs that are deleted in one transaction."""


class Reason:
    """Why a log is not complete."""

    DELETED = "PodDeleted"
    """Its pod was deleted before its log was read, or while it was."""
    LOST = "NodeLost"
    """Its node did not answer."""
    LARGE = "TooLarge"
    """It is longer than the limit: the beginning is kept."""
    UNREADABLE = "Unreadable"
    """The API server refused to read it."""


class Attempt(NamedTuple):
    """Whose log it is. Times are epoch milliseconds."""

    pod_uid: str
    run_uid: str
    namespace: str
    namespace_uid: str
    run: str
    task: str
    """The task, or `task[item]`."""
    attempt: int
    pod: str
    started: int | None
    ended: int | None


class Span(NamedTuple):
    """Where a piece is."""

    segment: int
    place: int
    size: int
    bytes: int
    first_line: int


@dataclass(slots=True)
class Kept:
    """A log that is being stored."""

    spans: list[Span] = field(default_factory=list)
    bytes: int = 0
    lines: int = 0


class Shelf:
    """The segment files in a folder. One thread writes."""

    def __init__(self, folder: Path, database: Database) -> None:
        """Raises StoreError."""
        self._folder, self._database = folder / FOLDER, database
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{self._folder} can't be used: {error.strerror or error}") from None
        # What a process that was killed has left at the end of a file has no rows: it is never read, and a new file begins.
        self._number = max((int(path.stem) for path in self._folder.glob("*.seg")), default=0)
        self._file: int | None = None
        self._end = 0

    def _path(self, segment: int) -> Path:
        return self._folder / f"{segment:08}.seg"

    def add(self, kept: Kept, piece: Piece) -> None:
        """Appends a piece. Raises StoreError."""
        try:
            if self._file is None or self._end >= SEGMENT:
                self._begin()
            assert self._file is not None  # noqa: S101 - just begun
            view = memoryview(piece.packed)
            while view:
                view = view[os.write(self._file, view) :]
        except OSError as error:
            self.close()  # What was written of it stays without a row.
            raise StoreError(f"logs can't be stored in {self._folder}: {error.strerror or error}") from None
        size = len(piece.packed)
        kept.spans.append(Span(self._number, self._end, size, piece.bytes, piece.first_line))
        kept.bytes += piece.bytes
        self._end += size

    def _begin(self) -> None:
        self.close()
        while self._file is None:
            self._number += 1
            with contextlib.suppress(FileExistsError):  # Another session has the same folder.
                self._file = os.open(self._path(self._number), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._end = 0

    def commit(self, attempt: Attempt, kept: Kept, reason: str, now: int) -> None:
        """Records a log whose pieces are all added; of a pod that has one already, nothing changes. `reason` is empty for a complete one.
        Raises StoreError."""
        try:
            if self._file is not None:
                os.fsync(self._file)
        except OSError as error:
            self.close()
            raise StoreError(f"logs can't be stored in {self._folder}: {error.strerror or error}") from None
        with self._database.writing() as cursor:
            cursor.execute(
                self._database.sql(
                    "insert into log (pod_uid, run_uid, namespace, namespace_uid, run, task, attempt, pod, started, ended, bytes,"
                    " lines, complete, reason, stored) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                    " on conflict (pod_uid) do nothing returning id"
                ),
                (*attempt, kept.bytes, kept.lines, int(not reason), reason, now),
            )
            found = cursor.fetchone()
            if found is not None and kept.spans:
                sql = "insert into log_chunk (log, n, segment, place, size, bytes, first_line) values (?, ?, ?, ?, ?, ?, ?)"
                rows = [(int(found[0]), n, *place) for n, place in enumerate(kept.spans)]
                cursor.executemany(self._database.sql(sql), rows)

    def expire(self, before: int) -> int:
        """Deletes up to EXPIRED logs stored before a moment (epoch milliseconds), and the files that no log is in any more; returns how many
        logs. Raises StoreError."""
        with self._database.writing() as cursor:
            cursor.execute(
                self._database.sql(
                    "delete from log where id in (select id from log where stored < ? order by stored limit ?) returning id"
                ),
                (before, EXPIRED),
            )
            gone = len(cursor.fetchall())
        if gone:
            self.sweep()
        return gone

    def sweep(self) -> None:
        """Deletes the files that no log is in. Raises StoreError."""
        with self._database.reading() as cursor:
            for path in self._folder.glob("*.seg"):
                number = int(path.stem)
                if number == self._number and self._file is not None:
                    continue
                cursor.execute(self._database.sql("select 1 from log_chunk where segment = ? limit 1"), (number,))
                if cursor.fetchone() is None:
                    path.unlink(missing_ok=True)

    def close(self) -> None:
        """Ends the file that is being written."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


@dataclass(frozen=True, slots=True)
class StoredLog:
    """A log on record."""

    id: int
    task: str
    attempt: int
    pod: str
    bytes: int
    lines: int
    complete: bool
    reason: str
    started: int | None

    def data(self) -> dict[str, Any]:
        """For programs."""
        started = {} if self.started is None else {"startedAt": stamp(self.started / 1_000)}
        return {
            "id": self.id,
            "task": self.task,
            "attempt": self.attempt,
            "pod": self.pod,
            "bytes": self.bytes,
            "lines": self.lines,
            "complete": self.complete,
            "reason": self.reason,
            **started,
        }


LOGS_SHOWN = 20_000
"""Logs of a run that are listed."""


def logs_of(database: Database, namespace: str, run_uid: str, task: str = "") -> Sequence[StoredLog]:
    """The logs of a run, or of one task with its items, or of one item, by their start. A pod's labels can name any run: those of other
    namespaces don't count. Raises StoreError."""
    with database.reading() as cursor:
        cursor.execute(
            database.sql(
                "select id, task, attempt, pod, bytes, lines, complete, reason, started from log where run_uid = ? and namespace = ?"
                " order by started, task, attempt limit ?"
            ),
            (run_uid, namespace, LOGS_SHOWN),
        )
        rows = cursor.fetchall()
    found = [
        StoredLog(number, name, attempt, pod, size, lines, bool(complete), reason, started)
        for number, name, attempt, pod, size, lines, complete, reason, started in rows
    ]
    return [log for log in found if not task or log.task == task or log.task.partition("[")[0] == task]


def read(database: Database, folder: Path, log: int, first: int = 0) -> Iterator[bytes]:
    """The pieces of a log from the one with the number `first`, as they were printed. Raises StoreError, and ValueError for a damaged one."""
    with database.reading() as cursor:
        spans = _spans(database, cursor, log, first)
    for span in spans:
        yield _piece(folder, span)


def part_of(
    database: Database, folder: Path | None, log: int, first: int, most: int, homes: Sequence[Home]
) -> tuple[bytes, int | None] | None:
    """The pieces of a log from the one with the number `first`: as many as fit into `most` bytes, or one; and the number of the next piece,
    None at the end. None for a log that is not in one of `homes`, if there are any. Raises StoreError, and ValueError for a damaged one."""
    with database.reading() as cursor:
        cursor.execute(database.sql("select namespace, namespace_uid from log where id = ?"), (log,))
        row = cursor.fetchone()
        inside = row is not None and any(home.name == row[0] and home.uid in (None, row[1]) for home in homes)
        if row is None or folder is None or (homes and not inside):
            return None
        spans = _spans(database, cursor, log, first)
    data = b""
    for number, span in enumerate(spans, first):
        if data and len(data) + span.bytes > most:
            return data, number
        data += _piece(folder, span)
    return data, None


def _piece(folder: Path, span: Span) -> bytes:
    path = folder / FOLDER / f"{span.segment:08}.seg"
    try:
        with path.open("rb") as file:
            file.seek(span.place)
            member = file.read(span.size)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}") from None
    return unpacked(member, span.bytes)


def _spans(database: Database, cursor: Cursor, log: int, first: int) -> list[Span]:
    cursor.execute(
        database.sql(
            "select segment, place, size, bytes, first_line from log_chunk where log = ? and n >= ? order by n"
        ),
        (log, first),
    )
    return [Span(*row) for row in cursor.fetchall()]


def stored_pods(database: Database, uids: Sequence[str]) -> set[str]:
    """Which of these pods have a log on record. Raises StoreError."""
    found = set()
    with database.reading() as cursor:
        for uid in uids:
            cursor.execute(database.sql("select 1 from log where pod_uid = ?"), (uid,))
            if cursor.fetchone():
                found.add(uid)
    return found
