"""The watermark: never ahead of the store, and of no use in another cluster or after a restore."""

import asyncio
from typing import Any

import orjson
import pytest
from tradewind.control.retention.recorded import Recorded, RecorderOptions
from tradewind.control.shared.task_groups import tasks
from tradewind.kube.client import Client
from tradewind.kube.resources import CONFIG_MAPS
from tradewind.plan.retention.watermark import NAME, Watermark, read
from tradewind.recorder import process, watermark
from tradewind.recorder.collector import Collector
from tradewind.recorder.process import Recorder
from tradewind.recorder.store.database import Database
from tradewind.recorder.store.queries import Wanted, runs
from tradewind.recorder.store.writing import Batch, Position, positions, write
from tradewind.recorder.watermark import Publisher, newest_version

from recorder.test_collector import api, collecting, end, make, recorded, until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watermark, "PACE", 0.01)
    monkeypatch.setattr(process, "AGAIN", 0.01)


async def empty(client: Client) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME}}
    await client.create(CONFIG_MAPS, "default", body)


async def published(client: Client) -> Watermark:
    return read(await client.get(CONFIG_MAPS, "default", NAME))


def recording(client: Any, database: Database, **more: Any) -> Recorder:
    return Recorder(client, client, client, database, [], ("default", NAME), more.pop("keep", 1e9), **more)


async def test_the_operator_reads_up_to_where_runs_are_in_the_store(database: Database) -> None:
    async with api() as client:
        await empty(client)
        recorder = recording(client, database)
        operator = Recorded(client, RecorderOptions("default"), iter(range(0, 10**9, 10)).__next__)
        async with tasks([recorder.run()]):
            for n in range(20):
                version = int((await make(client, f"r-{n}", "Succeeded"))["metadata"]["resourceVersion"])
                while (await operator.mark()).runs < version:
                    await asyncio.sleep(0.01)
                assert f"r-{n}" in recorded(database)
        recorder.close()


async def test_without_its_configmap_it_records_and_says_what_is_missing(database: Database) -> None:
    async with api() as client:
        recorder = recording(client, database)
        async with tasks([recorder.run()]):
            await make(client, "a", "Succeeded")
            await until(lambda: "a" in recorded(database) and not recorder.readiness()[0])
            await until(lambda: "is missing: the chart makes it" in recorder.readiness()[1])
            await empty(client)
            await until(lambda: recorder.readiness() == (True, "ok"))
        recorder.close()


async def test_a_copied_configmap_means_nothing(database: Database) -> None:
    async with api() as client:
        await empty(client)
        collector = collecting(client, database)
        publisher = Publisher(client, ("default", NAME), collector, "cluster")
        await make(client, "a", "Succeeded")
        await publisher.publish(Watermark(3))
        assert await published(client) == Watermark(3)
        body = await client.get(CONFIG_MAPS, "default", NAME)
        await client.delete(CONFIG_MAPS, "default", NAME)
        copy = {**body, "metadata": {"name": NAME}}
        await client.create(CONFIG_MAPS, "default", copy)
        assert await published(client) == Watermark()
        collector.close()


class _Counted(Collector):
    again = 0

    def begin_again(self) -> None:
        self.again += 1


async def test_versions_that_do_not_exist_yet_are_not_published_and_start_the_recorder_again(
    database: Database,
) -> None:
    async with api() as client:
        await empty(client)
        collector = _Counted(client, database, collecting(client, database)._origins)
        publisher = Publisher(client, ("default", NAME), collector, "cluster")
        ahead = Watermark(await newest_version(client, None) + 1_000)
        await publisher.publish(ahead)
        assert collector.again == 1 and await published(client) == Watermark()
        collector.close()


async def test_what_is_published_goes_back_only_where_the_store_is_new(database: Database) -> None:
    async with api() as client:
        await empty(client)
        collector = collecting(client, database)
        for n in range(9):
            await make(client, f"r-{n}")
        place = ("default", NAME)
        await Publisher(client, place, collector, "cluster").publish(Watermark(4, 3))
        await Publisher(client, place, collector, "cluster", fresh=False).publish(Watermark(0, 5))
        assert await published(client) == Watermark(4, 5)
        await Publisher(client, place, collector, "cluster").publish(Watermark(1, 0))
        assert await published(client) == Watermark(1, 0)
        collector.close()


async def test_another_writer_of_the_configmap_leads_to_a_check(database: Database) -> None:
    async with api() as client:
        await empty(client)
        collector = _Counted(client, database, collecting(client, database)._origins)
        publisher = Publisher(client, ("default", NAME), collector, "cluster")
        await publisher.publish(Watermark(2))
        await client.patch(CONFIG_MAPS, "default", NAME, {"data": {"at": "restored"}})
        await publisher.publish(Watermark(3))
        assert await published(client) == Watermark(2)
        await publisher.publish(Watermark(3))
        assert (await published(client), collector.again) == (Watermark(3), 0)
        collector.close()


async def test_after_a_restore_runs_with_lower_versions_are_recorded_again(database: Database) -> None:
    """The store has seen versions that this API server has not reached yet."""
    async with api() as client:
        await empty(client)
        cluster = (await client.get(process.NAMESPACES, "", "kube-system"))["metadata"]["uid"]
        write(database, Batch(positions={"": Position(cluster, 0, 10**6, 10**15)}))
        await make(client, "a", "Succeeded")
        recorder = recording(client, database)
        async with tasks([recorder.run()]):
            await until(lambda: "a" in recorded(database))
            await until(lambda: positions(database)[""].version < 10**6)
        recorder.close()
    assert positions(database)[""].epoch == 1


async def test_begun_again_it_reads_all_runs_in_a_new_epoch(database: Database) -> None:
    async with api() as client:
        collector = collecting(client, database)
        async with tasks([collector.run()]):
            await make(client, "a", "Failed")
            await until(lambda: "a" in recorded(database))
            collector.begin_again()
            assert collector.reached is None
            await until(lambda: collector.reached is not None and positions(database)[""].epoch == 1)
            await end(client, "a", "Succeeded")
            await until(lambda: recorded(database)["a"].row["phase"] == "Succeeded")
        collector.close()


async def test_another_cluster_s_position_is_not_resumed(database: Database) -> None:
    async with api() as client:
        write(database, Batch(positions={"": Position("another", 3, 1, 10**15)}))
        collector = collecting(client, database)
        await collector.resume(5)
        assert (collector.epoch, collector.reached) == (4, None)
        collector.close()


async def test_a_position_of_long_ago_is_not_resumed(database: Database) -> None:
    async with api() as client:
        for at, reached in ((0, None), (10**15, 4)):
            write(database, Batch(positions={"": Position("cluster", 3, 4, at)}))
            collector = collecting(client, database)
            await collector.resume(5)
            assert (collector.epoch, collector.reached) == (3, reached)
            collector.close()


async def test_runs_that_ended_long_ago_leave_the_record(database: Database) -> None:
    async with api() as client:
        await empty(client)
        await make(client, "old", "Succeeded")
        first = recording(client, database)
        async with tasks([first.run()]):
            await until(lambda: "old" in recorded(database))
        first.close()
        second = recording(client, database, keep=60.0)
        async with tasks([second.run()]):
            await until(lambda: not runs(database, Wanted()).runs)
        second.close()


async def test_the_watermark_says_of_which_cluster_and_time_it_is(database: Database) -> None:
    async with api() as client:
        await empty(client)
        collector = collecting(client, database)
        await make(client, "a")
        await Publisher(client, ("default", NAME), collector, "cluster", clock=lambda: 0.0).publish(Watermark(2))
        body = await client.get(CONFIG_MAPS, "default", NAME)
        assert body["data"]["cluster"] == "cluster" and body["data"]["at"] == "1970-01-01T00:00:00Z"
        assert orjson.loads(orjson.dumps(body))["data"]["runsUpTo"] == "2"
        collector.close()
