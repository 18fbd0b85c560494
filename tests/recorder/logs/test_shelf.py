"""Where logs are kept: nothing is read that was not recorded, and what has expired leaves the disk."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from tradewind.recorder.logs import shelf as module
from tradewind.recorder.logs.pieces import Cutter
from tradewind.recorder.logs.shelf import FOLDER, Attempt, Kept, Shelf, logs_of, read, stored_pods
from tradewind.recorder.record import record_of
from tradewind.recorder.store.database import Database, StoreError
from tradewind.recorder.store.queries import Wanted, purge
from tradewind.recorder.store.writing import Batch, Place, write

from recorder.bodies import raw


def attempt(uid: str = "p-1", **more: Any) -> Attempt:
    return Attempt(uid, "uid-etl-1", "shop", "ns", "etl-1", "load", 1, f"pod-{uid}", 5, 9)._replace(**more)


def put(shelf: Shelf, data: bytes, of: Attempt | None = None, reason: str = "", now: int = 10) -> None:
    kept, cutter = Kept(), Cutter()
    for piece in [*cutter.feed(data), *cutter.end()]:
        shelf.add(kept, piece)
    kept.lines = cutter.lines
    shelf.commit(of or attempt(), kept, reason, now)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / FOLDER).iterdir())


def test_a_log_is_read_as_it_was_printed_from_any_piece(database: Database, tmp_path: Path) -> None:
    shelf, text = Shelf(tmp_path, database), b"0123456789\r\n\xff" * 50_000
    put(shelf, text)
    put(shelf, b"another\n", attempt("p-2", task="load[3]"))
    [log, item] = logs_of(database, "shop", "uid-etl-1")
    assert b"".join(read(database, tmp_path, log.id)) == text and (log.bytes, log.lines) == (len(text), 50_000)
    assert text.endswith(b"".join(read(database, tmp_path, log.id, 2))) and log.complete
    assert logs_of(database, "shop", "uid-etl-1", "load[3]") == [item]
    assert logs_of(database, "shop", "uid-etl-1", "load") == [log, item]


def test_a_pod_that_claims_another_namespace_s_run_is_none_of_it(database: Database, tmp_path: Path) -> None:
    put(Shelf(tmp_path, database), b"x", attempt(namespace="evil"))
    assert logs_of(database, "shop", "uid-etl-1") == []


def test_the_same_pod_is_stored_once(database: Database, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, database)
    put(shelf, b"first\n")
    put(shelf, b"again\n")
    [log] = logs_of(database, "shop", "uid-etl-1")
    assert b"".join(read(database, tmp_path, log.id)) == b"first\n"
    assert stored_pods(database, ["p-1", "p-2"]) == {"p-1"}


def test_what_a_killed_process_left_is_never_read(database: Database, tmp_path: Path) -> None:
    first = Shelf(tmp_path, database)
    put(first, b"one\n", attempt("p-1"))
    first.add(Kept(), next(Cutter().feed(b"x" * 300_000)))  # and killed before the row was written
    second = Shelf(tmp_path, database)
    put(second, b"two\n", attempt("p-2"))
    found = [b"".join(read(database, tmp_path, log.id)) for log in logs_of(database, "shop", "uid-etl-1")]
    assert found == [b"one\n", b"two\n"] and len(files(tmp_path)) == 2


def test_files_go_with_the_last_log_in_them(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SEGMENT", 1)
    shelf = Shelf(tmp_path, database)
    for n in range(3):
        put(shelf, b"x", attempt(f"p-{n}"), now=n)
    assert len(files(tmp_path)) == 3
    assert shelf.expire(2) == 2 and files(tmp_path) == ["00000003.seg"]
    assert len(logs_of(database, "shop", "uid-etl-1")) == 1


def test_a_purged_run_takes_its_logs_along(database: Database, tmp_path: Path) -> None:
    write(database, Batch([(Place("c", "ns", 0), record_of(raw("etl-1")))]))
    put(Shelf(tmp_path, database), b"x")
    put(Shelf(tmp_path, database), b"x", attempt("p-2", namespace="till"))
    purge(database, Wanted(name="etl-1"))
    assert logs_of(database, "shop", "uid-etl-1") == [] and len(logs_of(database, "till", "uid-etl-1")) == 1


def test_a_full_disk_is_told_and_spoils_nothing(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(tmp_path, database)
    put(shelf, b"one\n")
    real = os.write

    def full(file: int, data: Any) -> int:
        real(file, bytes(data[:3]))
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(StoreError, match="No space left"):
            put(shelf, b"two\n", attempt("p-2"))
    put(shelf, b"three\n", attempt("p-3"))
    found = [b"".join(read(database, tmp_path, log.id)) for log in logs_of(database, "shop", "uid-etl-1")]
    assert found == [b"one\n", b"three\n"]


def test_a_file_that_is_gone_is_named(database: Database, tmp_path: Path) -> None:
    put(Shelf(tmp_path, database), b"one\n")
    (tmp_path / FOLDER / "00000001.seg").unlink()
    [log] = logs_of(database, "shop", "uid-etl-1")
    with pytest.raises(StoreError, match=r"00000001\.seg"):
        list(read(database, tmp_path, log.id))


def test_two_sessions_write_to_files_of_their_own(database: Database, tmp_path: Path) -> None:
    one, two = Shelf(tmp_path, database), Shelf(tmp_path, database)
    put(one, b"one\n", attempt("p-1"))
    put(two, b"two\n", attempt("p-2"))
    put(one, b"three\n", attempt("p-3"))
    found = [b"".join(read(database, tmp_path, log.id)) for log in logs_of(database, "shop", "uid-etl-1")]
    assert sorted(found) == [b"one\n", b"three\n", b"two\n"] and len(files(tmp_path)) == 2
