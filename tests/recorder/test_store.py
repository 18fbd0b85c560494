"""The store: idempotent writes, pages by a cursor, deletion."""

import random
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from tradewind.recorder import answers
from tradewind.recorder.record import record_of
from tradewind.recorder.store.database import Database, SQLite, StoreError
from tradewind.recorder.store.queries import BadCursor, Home, Wanted, every, expire, purge, runs, spec
from tradewind.recorder.store.writing import UNREADABLE, Batch, Place, Position, Revision, Unread, positions, write

from recorder.bodies import raw

PLACE = Place("cluster", "ns-uid", 0)
TABLES = ("run", "task", "edit", "revision", "unreadable", "position")


def put(database: Database, *bodies: bytes, place: Place = PLACE) -> int:
    return write(database, Batch([(place, record_of(item)) for item in bodies]))


def rows(database: Database) -> dict[str, list[Any]]:
    """All that the store holds, without the numbers that it gave."""
    with database.reading() as cursor:
        found: dict[str, list[Any]] = {}
        for table in ("run", "task", "edit"):
            join = "" if table == "run" else " join run on run.id = run"
            cursor.execute(f"select {table}.*, run.uid from {table}{join} order by run.uid")
            found[table] = sorted(tuple(row)[1:] for row in cursor.fetchall())
    return found


def names(found: Sequence[Any]) -> list[str]:
    return [run.row["name"] for run in found]


def at(second: int) -> dict[str, Any]:
    return {"creationTimestamp": f"2026-05-01T06:{second // 60:02}:{second % 60:02}Z"}


def test_a_run_is_written_once_however_often_it_is_seen(database: Database) -> None:
    assert [put(database, raw()), put(database, raw(), raw())] == [1, 0]
    assert len(rows(database)["run"]) == len(rows(database)["task"]) == 1


def test_the_newer_version_wins_and_an_older_one_changes_nothing(database: Database) -> None:
    put(database, raw(version=5, phase="Failed"))
    put(database, raw(version=9, phase="Succeeded"))
    before = rows(database)
    assert put(database, raw(version=7, phase="Cancelled")) == 0 and rows(database) == before
    assert before["run"][0][8] == "Succeeded"


def test_versions_that_begin_again_after_a_restored_etcd_are_newer(database: Database) -> None:
    put(database, raw(version=900, phase="Failed"))
    put(database, raw(version=20, phase="Succeeded"), place=PLACE._replace(epoch=1))
    assert put(database, raw(version=950, phase="Cancelled")) == 0
    assert names(runs(database, Wanted(phases=frozenset({"Succeeded"}))).runs) == ["etl-1"]


@pytest.mark.parametrize("seed", range(12))
def test_any_order_with_repeats_gives_the_same_rows(database: Database, seed: int) -> None:
    chance = random.Random(seed)
    phases = ("Failed", "Succeeded", "Cancelled", "Running")
    edit = {"action": "Clear", "tasks": ["a"], "by": "eve"}
    versions = [
        raw(f"r-{n}", 10 * n + step + 1, chance.choice(phases), spec={"edits": [edit] * step})
        for n in range(6)
        for step in range(4)
    ]
    put(database, *versions)
    before = rows(database)
    with database.writing() as cursor:
        cursor.execute("delete from run")
    seen = versions + chance.choices(versions, k=30)
    chance.shuffle(seen)
    while seen:
        size = chance.randint(1, 7)
        put(database, *seen[:size])
        seen = seen[size:]
    assert rows(database) == before and len(before["run"]) == 6


def test_a_batch_is_written_whole_or_not_at_all(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = record_of(raw("etl-2"))
    object.__setattr__(broken, "tasks", [("a",)])
    batch = Batch([(PLACE, record_of(raw())), (PLACE, broken)], positions={"": Position("c", 0, 9, 0)})
    with pytest.raises((StoreError, ValueError)):
        write(database, batch)
    assert rows(database)["run"] == [] and positions(database) == {}


def test_pages_go_on_where_the_one_before_ended(database: Database) -> None:
    put(database, *(raw(f"r-{n}", metadata=at(n // 3)) for n in range(25)))
    seen: list[str] = []
    after = ""
    while True:
        page = runs(database, Wanted(), 4, after)
        seen += names(page.runs)
        after = page.more
        if not after:
            break
    assert seen == [f"r-{n}" for n in range(24, -1, -1)] == names(list(every(database, Wanted())))


@pytest.mark.parametrize("cursor", ["x", "é", "MTIz", "a" * 5_000, "LjU", "\0"])
def test_a_cursor_that_no_page_gave_is_refused(database: Database, cursor: str) -> None:
    with pytest.raises(BadCursor):
        runs(database, Wanted(), 5, cursor)


def test_namespaces_are_merged_by_time_and_a_recreated_one_does_not_show_former_rows(database: Database) -> None:
    for n, (namespace, uid) in enumerate([("a", "a1"), ("b", "b1"), ("a", "a2"), ("b", "b1"), ("c", "c1"), ("a", "")]):
        item = raw(f"r-{n}", metadata={"namespace": namespace, **at(n)})
        put(database, item, place=PLACE._replace(namespace_uid=uid))
    assert names(runs(database, Wanted([Home("a", "a2"), Home("b", "b1")])).runs) == ["r-3", "r-2", "r-1"]
    assert names(runs(database, Wanted([Home("a", "a3")])).runs) == []
    assert names(runs(database, Wanted([Home("a")])).runs) == ["r-5", "r-2", "r-0"]
    assert names(runs(database, Wanted([])).runs) == []


def test_filters(database: Database) -> None:
    put(database, raw("a", metadata=at(0)), raw("b", phase="Failed", metadata=at(5)), raw("c", metadata=at(9)))
    put(database, raw("d", spec={"dag": "other"}, metadata=at(7)))
    start = record_of(raw(metadata=at(5))).created
    assert names(runs(database, Wanted(dag="etl", since=start)).runs) == ["c", "b"]
    assert names(runs(database, Wanted(until=start)).runs) == ["a"]
    assert names(runs(database, Wanted(phases=frozenset({"Failed", "Cancelled"}))).runs) == ["b"]
    assert names(runs(database, Wanted(name="d")).runs) == ["d"] == names(runs(database, Wanted(uid="uid-d")).runs)
    assert names(runs(database, Wanted(dag="etl' or 1=1 --")).runs) == []


def test_hostile_texts_come_back_as_they_were(database: Database) -> None:
    text = "'; drop table run; -- %s ? {id} \u202e \x1b[31m é 漢"
    put(database, raw(status={"message": text}, metadata={"annotations": {"tradewind.dev/by": text}}))
    found = answers.page(database, Wanted(), 5, parts=answers.PARTS)["runs"][0]
    assert found["message"] == found["author"] == text and found["object"]["status"]["message"] == text


def test_purged_runs_are_gone_with_their_tasks(database: Database) -> None:
    put(database, *(raw(f"r-{n}") for n in range(1_203)), raw("kept", spec={"dag": "other"}))
    assert purge(database, Wanted(dag="etl")) == 1_203
    assert [len(found) for found in rows(database).values()] == [1, 1, 0] and purge(database, Wanted(dag="etl")) == 0


def test_runs_expire_by_their_end(database: Database) -> None:
    put(database, raw("old"), raw("new", status={"finishedAt": "2026-05-02T06:00:00Z"}))
    ended = record_of(raw("old")).finished
    assert ended and expire(database, ended) == 0 and expire(database, ended + 1) == 1
    assert names(runs(database, Wanted()).runs) == ["new"]


def test_objects_that_can_t_be_read_are_kept_once_and_bounded(database: Database) -> None:
    def unread(n: int) -> Unread:
        return Unread(f"k-{n}", "shop", "x", n, "why", b"\0\xff{", 7)

    write(database, Batch(unreadable=[unread(n) for n in range(UNREADABLE + 20)]))
    write(database, Batch(unreadable=[unread(UNREADABLE + 19)] * 3))
    with database.reading() as cursor:
        cursor.execute("select count(*), min(version), max(version) from unreadable")
        count, first, last = cursor.fetchone()
    assert count <= UNREADABLE and (first, last) == (UNREADABLE + 20 - count, UNREADABLE + 19)


def test_the_spec_of_a_run_s_revision_is_on_record(database: Database) -> None:
    wanted = Revision("cluster", "shop", "ns-uid", "etl-abc", "etl", 3, "why", orjson.dumps({"tasks": {}}))
    write(database, Batch([(PLACE, record_of(raw()))], revisions=[wanted, wanted]))
    run = runs(database, Wanted()).runs[0]
    assert spec(database, run) == {"tasks": {}}
    run.row["namespace_uid"] = "another"
    assert spec(database, run) is None


def test_lists_use_an_index_and_read_no_detail(database: Database) -> None:
    from tradewind.recorder.store import queries

    put(database, *(raw(f"r-{n}", metadata=at(n)) for n in range(50)))
    wanted = [
        (Wanted(), None),
        (Wanted(dag="etl"), Home("shop", "ns-uid")),
        (Wanted(), Home("shop", "ns-uid")),
        (Wanted(phases=frozenset({"Failed"})), Home("shop", "ns-uid")),
        (Wanted(name="r-3"), Home("shop")),
        (Wanted(uid="uid-r-3"), None),
    ]
    explain = "explain query plan" if isinstance(database, SQLite) else "explain"
    with database.reading() as cursor:
        if explain == "explain":
            cursor.execute("set local enable_seqscan = off")  # A table of one page is scanned otherwise.
        for asked, home in wanted:
            conditions, values = queries._conditions(asked, home, (1, 1))
            sql = f"{queries._LIST} where {' and '.join(conditions)} order by created desc, id desc limit 5"
            cursor.execute(database.sql(f"{explain} {sql}"), values)
            plan = " / ".join(str(row[-1]) for row in cursor.fetchall())
            assert "SCAN run" not in plan and "Seq Scan" not in plan and "detail" not in sql, plan
            if not (asked.name or asked.uid):
                assert "TEMP B-TREE" not in plan and "Sort" not in plan, plan
