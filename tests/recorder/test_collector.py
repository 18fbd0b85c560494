"""From the watch to the rows: whatever is repeated, lost, killed or away."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from tradewind.control.shared.task_groups import tasks
from tradewind.kube.client import Client, Object
from tradewind.kube.connection import Connection
from tradewind.kube.resources import NAMESPACES, RUNS
from tradewind.local.apiserver import ApiServer
from tradewind.model.crd import manifests
from tradewind.recorder import collector as module
from tradewind.recorder.collector import Backlog, Collector, Mark, PacedClient, Seen
from tradewind.recorder.origin import Origins
from tradewind.recorder.store.database import Database, SQLite, StoreError
from tradewind.recorder.store.queries import Found, Wanted, every
from tradewind.recorder.store.writing import Batch, positions, write

from recorder.bodies import raw


@asynccontextmanager
async def api() -> AsyncIterator[PacedClient]:
    server = ApiServer(crds=manifests(), token="t")
    await server.start()
    try:
        async with PacedClient(Connection(server.url, authorization=lambda: "Bearer t")) as client:
            yield client
    finally:
        await server.stop()


def collecting(client: Client, database: Database, **more: Any) -> Collector:
    return Collector(client, database, Origins(client, "cluster"), **more)


async def make(client: Client, name: str, phase: str = "", namespace: str = "default") -> Object:
    body = {"apiVersion": "tradewind.dev/v1alpha1", "kind": "DAGRun", "metadata": {"name": name}, "spec": {"dag": "d"}}
    made: Object = orjson.loads(await client.create(RUNS, namespace, body))
    return await end(client, name, phase, namespace) if phase else made


async def end(client: Client, name: str, phase: str, namespace: str = "default") -> Object:
    times = {"startedAt": "2026-05-01T06:00:01Z", "finishedAt": "2026-05-01T06:01:00Z"}
    return await client.patch(RUNS, namespace, name, {"status": {"phase": phase, **times}}, "status")


def recorded(database: Database) -> dict[str, Found]:
    return {run.row["name"]: run for run in every(database, Wanted())}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def test_runs_that_end_are_recorded_with_their_namespace(database: Database) -> None:
    async with api() as client:
        await make(client, "before", "Succeeded")
        collector = collecting(client, database)
        async with tasks([collector.run()]):
            await make(client, "active")
            await make(client, "after", "Failed")
            await until(lambda: len(recorded(database)) == 2)
        uid = (await client.get(NAMESPACES, "", "default"))["metadata"]["uid"]
        collector.close()
    found = recorded(database)
    assert {name: run.row["phase"] for name, run in found.items()} == {"before": "Succeeded", "after": "Failed"}
    assert {run.row["namespace_uid"] for run in found.values()} == {uid}


async def test_a_run_deleted_before_its_end_is_recorded_and_a_reopened_one_again(database: Database) -> None:
    async with api() as client:
        await make(client, "gone")
        await make(client, "again", "Failed")
        collector = collecting(client, database)
        async with tasks([collector.run()]):
            await until(lambda: "again" in recorded(database))
            await client.delete(RUNS, "default", "gone")
            await end(client, "again", "Running")
            await end(client, "again", "Succeeded")
            await until(
                lambda: "gone" in recorded(database) and recorded(database)["again"].row["phase"] == "Succeeded"
            )
        collector.close()
    gone = recorded(database)["gone"].row
    assert gone["deleted"] and gone["finished"] is None and gone["phase"] == "Queued"


async def test_the_position_is_that_of_the_last_run_written(database: Database) -> None:
    async with api() as client:
        collector = collecting(client, database)
        async with tasks([collector.run()]):
            last = int((await make(client, "a", "Succeeded"))["metadata"]["resourceVersion"])
            await until(lambda: (collector.reached or 0) >= last)
            assert positions(database)[""].version == collector.reached and "a" in recorded(database)
        collector.close()


async def test_a_collector_goes_on_where_the_one_before_was_and_lists_nothing(database: Database) -> None:
    async with api() as client:
        first = collecting(client, database)
        async with tasks([first.run()]):
            await make(client, "a", "Succeeded")
            await until(lambda: "a" in recorded(database))
        first.close()
        await make(client, "gone", "Succeeded")
        await client.delete(RUNS, "default", "gone")
        with database.writing() as cursor:
            cursor.execute("delete from run")
        second = collecting(client, database)
        second.watch.resume({None: positions(database)[""].version})
        async with tasks([second.run()]):
            await until(lambda: "gone" in recorded(database))
        second.close()
    assert "a" not in recorded(database)


async def test_a_run_that_can_t_be_read_keeps_no_other_from_being_recorded(database: Database) -> None:
    async with api() as client:
        collector = collecting(client, database)
        at = collector.backlog
        for item in (b"{", raw("a", 3), raw("b", 4, status={"archive": "!"}), raw("c", 5, status={"revision": "../x"})):
            at.add(Seen(item, False, 1))
        at.add(Mark("", 9))
        await collector.write_next()
        collector.close()
    with database.reading() as cursor:
        cursor.execute("select name, version from unreadable order by version")
        assert [tuple(row) for row in cursor.fetchall()] == [("", 0), ("b", 4)]
    assert set(recorded(database)) == {"a", "c"} and positions(database)[""].version == 9
    assert collector.progress.unreadable == 2


async def test_a_namespace_that_was_made_after_a_run_is_not_its_own(database: Database) -> None:
    async with api() as client:
        collector = collecting(client, database)
        old = {"namespace": "default", "creationTimestamp": "2020-01-01T00:00:00Z"}
        collector.backlog.add(Seen(raw("old", metadata=old), False, 1))
        collector.backlog.add(Seen(raw("none", metadata={"namespace": "never"}), False, 1))
        await collector.write_next()
        collector.close()
    assert {run.row["namespace_uid"] for run in recorded(database).values()} == {""}


async def test_while_the_store_is_away_nothing_is_skipped_and_memory_is_bounded(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAITING_BYTES", 4_000)
    away, tries = True, 0

    def stubborn(store: Database, batch: Batch) -> int:
        nonlocal tries
        tries += 1
        if away:
            raise StoreError("database or disk is full")
        return write(store, batch)

    monkeypatch.setattr(module, "write", stubborn)

    async def rest(seconds: float) -> None:
        await asyncio.sleep(0.001)

    async with api() as client:
        collector = collecting(client, database, resting=rest)
        other = Client(client.connection)
        async with other, tasks([collector.run()]):
            for n in range(40):
                await make(other, f"r-{n}", "Succeeded")
            await until(lambda: tries > 20)
            assert collector.progress.error == "database or disk is full" and recorded(database) == {}
            assert len(collector.backlog) < 40
            away = False
            await until(lambda: len(recorded(database)) == 40)
        collector.close()
    assert collector.progress.error == ""


@pytest.mark.parametrize("seed", range(4))
async def test_killed_between_any_two_steps_it_loses_and_doubles_nothing(
    database: Database, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill before the commit, after it, and before the position is known to anyone."""
    chance = random.Random(seed)

    def killing(store: Database, batch: Batch) -> int:
        choice = chance.random()
        if choice < 0.3:
            raise Killed
        written = write(store, batch)
        if choice < 0.6:
            raise Killed
        return written

    monkeypatch.setattr(module, "BATCH", 3)
    async with api() as client:
        first = collecting(client, database)
        async with tasks([first.run()]):
            await until(lambda: first.reached is not None)
        first.close()
        monkeypatch.setattr(module, "write", killing)
        making = asyncio.create_task(_traffic(client, random.Random(seed)))
        kills = 0
        while True:
            collector = collecting(client, database)
            collector.watch.resume({None: positions(database)[""].version})
            work = asyncio.gather(collector.watch.run(), collector.write_all())
            done, _ = await asyncio.wait([work], timeout=5.0 if kills < 15 else 0.0)
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            collector.close()
            kills += bool(done)
            if making.done() and (kills >= 15 or not done):
                break  # Without a kill for so long there is nothing left to write.
        await making
        monkeypatch.setattr(module, "write", write)
        last = collecting(client, database)
        last.watch.resume({None: positions(database)[""].version})
        async with tasks([last.run()]):
            await make(client, "last", "Succeeded")
            await until(lambda: "last" in recorded(database))
        last.close()
        expected = making.result()
    found = recorded(database)
    assert {name: run.row["phase"] for name, run in found.items() if name != "last"} == expected


class Killed(BaseException):
    """The process ends here."""


async def _traffic(client: Client, chance: random.Random) -> dict[str, str]:
    """Runs that end, are reopened and deleted; returns the phases to find."""
    expected: dict[str, str] = {}
    for n in range(60):
        name = f"r-{n}"
        phase = chance.choice(["Succeeded", "Failed", "Cancelled"])
        await make(client, name, phase)
        if chance.random() < 0.3:
            await end(client, name, "Running")
            phase = "Succeeded"
            await end(client, name, phase)
        if chance.random() < 0.5:
            await client.delete(RUNS, "default", name)
        expected[name] = phase
        await asyncio.sleep(0)
    return expected


async def test_a_mark_counts_only_what_was_seen_before_it() -> None:
    backlog = Backlog()
    backlog.add(Mark("", 1))
    backlog.add(Mark("", 2))
    backlog.add(Seen(b"x", False, 0))
    backlog.add(Mark("", 3))
    first = backlog.first()
    assert [item for item in first if isinstance(item, Mark)] == [Mark("", 2), Mark("", 3)]
    backlog.add(Mark("", 4))
    backlog.drop(first)
    assert backlog.first() == [Mark("", 4)]


async def test_marks_of_many_namespaces_take_room_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_BYTES", 10 * module.MARK)
    backlog = Backlog()
    for n in range(12):
        backlog.add(Mark("ab"[n % 2], n))
    waiting = asyncio.create_task(backlog.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    backlog.drop(backlog.first())
    await waiting


async def test_at_the_end_of_a_session_active_runs_are_recorded_too(tmp_path: Path) -> None:
    from tradewind.recorder.folder import open_history, recording

    async with api() as client, recording(client, tmp_path):
        await make(client, "active", "Running")
        await make(client, "ended", "Succeeded")
    database: SQLite = open_history(tmp_path)
    found = recorded(database)
    assert found["active"].row["deleted"] and found["ended"].row["deleted"] is None
    database.close()
