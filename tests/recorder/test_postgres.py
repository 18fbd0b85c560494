"""PostgreSQL as the store: restarts, slow queries, several processes."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest
from cluster.postgres import Postgres as Server
from tradewind.control.shared.task_groups import tasks
from tradewind.recorder.record import record_of
from tradewind.recorder.store import postgres as module
from tradewind.recorder.store.database import StoreError
from tradewind.recorder.store.migration import migrate, scripts
from tradewind.recorder.store.postgres import Postgres
from tradewind.recorder.store.queries import Wanted, runs
from tradewind.recorder.store.writing import Batch, Place, write

from recorder.bodies import raw
from recorder.conftest import empty
from recorder.test_collector import api, collecting, make, recorded, until

Stores = Callable[[str], Postgres]
PLACE = Place("cluster", "ns", 0)
CUT = (
    "select pg_terminate_backend(pid) from pg_stat_activity where datname like 'history_%' and pid <> pg_backend_pid()"
)


@pytest.fixture
def stores() -> Iterator[Stores]:
    """Makes stores, and closes them: a server that still has clients does not stop."""
    with ExitStack() as stack:
        yield lambda address: stack.enter_context(closing(Postgres(address)))


def test_several_processes_migrate_once(server: Server, stores: Stores) -> None:
    address = empty(server)
    with ThreadPoolExecutor(6) as threads:
        made = [*threads.map(lambda _: stores(address), range(6))]
        assert {*threads.map(migrate, made)} == {max(scripts())}
    with made[0].reading() as cursor:
        cursor.execute("select version from schema_version order by version")
        assert [row[0] for row in cursor.fetchall()] == list(scripts())


def test_a_lost_connection_is_made_again(server: Server, stores: Stores) -> None:
    store = stores(empty(server))
    migrate(store)
    server.run(CUT)
    with pytest.raises(StoreError, match="PostgreSQL"):
        write(store, Batch([(PLACE, record_of(raw()))]))
    assert write(store, Batch([(PLACE, record_of(raw()))])) == 1


def test_a_query_that_takes_too_long_is_ended(server: Server, stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST", 0.05)
    store = stores(empty(server))
    with pytest.raises(StoreError, match="ask for one DAG"), store.reading() as cursor:
        cursor.execute("select pg_sleep(60)")
    with store.reading() as cursor:
        cursor.execute("select 1")


def test_readers_can_t_write(server: Server, stores: Stores) -> None:
    store = stores(empty(server))
    migrate(store)
    with pytest.raises(StoreError, match="read-only"), store.reading() as cursor:
        cursor.execute("delete from run")


def test_an_address_that_answers_not_is_named_without_its_password() -> None:
    with pytest.raises(StoreError) as told:
        Postgres("postgresql://user:s3cret@127.0.0.1:1/history")
    assert "127.0.0.1" in str(told.value) and "s3cret" not in str(told.value)


async def test_runs_that_end_while_connections_are_cut_are_all_recorded(server: Server, stores: Stores) -> None:
    store = stores(empty(server))
    migrate(store)

    async def rest(seconds: float) -> None:
        await asyncio.sleep(0.01)

    async with api() as client:
        collector = collecting(client, store, resting=rest)
        async with tasks([collector.run()]):
            for n in range(40):
                await make(client, f"r-{n}", "Succeeded")
                if n % 8 == 7:
                    await asyncio.to_thread(server.run, CUT)
            found: list[int] = []

            def all_there() -> bool:
                try:
                    found.append(len(recorded(store)))
                except StoreError:  # The reader's connection was cut too.
                    return False
                return found[-1] == 40

            await until(all_there)
        collector.close()
    assert len(runs(store, Wanted(), 500).runs) == 40
