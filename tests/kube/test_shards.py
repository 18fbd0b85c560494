"""Replicas share shards by Leases, on the embedded server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.lease import Lost
from tradewind.kube.resources import LEASES
from tradewind.kube.shards import Shards
from tradewind.local.apiserver import ApiServer, Fault
from worlds.world import eventually

COUNT = 5


class Replica:
    """A replica that can end in two ways."""

    def __init__(self, client: Client, identity: str) -> None:
        self.shards = Shards(client, "default", "op", identity, COUNT, duration=0.8, renew_within=0.5, retry=0.05)
        self.task = asyncio.create_task(self.shards.run())

    async def killed(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def stopped(self) -> None:
        await self.killed()
        await self.shards.release()


@contextlib.asynccontextmanager
async def served() -> AsyncIterator[tuple[ApiServer, Client]]:
    async with ApiServer() as server, Client(Connection(server.url)) as client:
        yield server, client


async def become(replicas: list[Replica], sizes: list[int]) -> None:
    async def so() -> bool:
        held = [shard for replica in replicas for shard in replica.shards.held]
        return sorted(len(replica.shards.held) for replica in replicas) == sizes and sorted(held) == list(range(COUNT))

    await eventually(so)


async def test_replicas_divide_the_shards_and_those_of_one_that_ends_go_to_the_others() -> None:
    async with served() as (_, client):
        first = Replica(client, "a")
        await become([first], [5])
        second, third = Replica(client, "b"), Replica(client, "c")
        await become([first, second, third], [1, 2, 2])
        await first.killed()
        await become([second, third], [2, 3])
        await second.stopped()
        await become([third], [5])
        await third.stopped()
        leases = (await client.list(LEASES, "default"))["items"]
        assert len(leases) == COUNT and not any(lease["spec"].get("holderIdentity") for lease in leases), (
            "replicas that are no more leave no Lease behind, and no shard held"
        )


async def test_a_replica_that_is_restarted_under_its_name_goes_on_with_its_shards() -> None:
    async with served() as (_, client):
        replicas = [Replica(client, "a"), Replica(client, "b")]
        await become(replicas, [2, 3])
        before = replicas[0].shards.held
        await replicas[0].killed()
        replicas[0] = Replica(client, "a")
        await become(replicas, [2, 3])
        assert replicas[0].shards.held == before
        for replica in replicas:
            await replica.killed()


async def test_a_replica_that_can_not_renew_holds_nothing_any_more() -> None:
    async with served() as (server, client):
        replica = Replica(client, "a")
        await become([replica], [5])
        server.faults.add(Fault("error", resource="leases", code=500, times=None))
        with pytest.raises(Lost, match="leases"):
            await asyncio.wait_for(replica.task, 100)
        assert not replica.shards.held and replica.shards.changed.is_set()
