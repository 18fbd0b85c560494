"""Leader election on the embedded server."""

import asyncio
import time
from typing import Any

import pytest
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.errors import Unavailable
from tradewind.kube.lease import Lease, Lost
from tradewind.kube.resources import CONFIG_MAPS, LEASES
from tradewind.local.apiserver import ApiServer, Fault


def lease(client: Client, identity: str, duration: float = 0.6) -> Lease:
    return Lease(client, "default", "leader", identity, duration=duration, renew_within=duration * 2 / 3, retry=0.05)


async def holder(client: Client) -> str:
    return (await client.get(LEASES, "default", "leader"))["spec"]["holderIdentity"]


async def test_the_second_waits_until_the_first_lets_go() -> None:
    async with ApiServer() as server, Client(Connection(server.url)) as client:
        first, second = lease(client, "one"), lease(client, "two")
        await first.acquire()
        holding = asyncio.create_task(first.hold(lambda: None))
        waiting = asyncio.create_task(second.acquire())
        done, _ = await asyncio.wait([waiting], timeout=1.5)
        assert not done and await holder(client) == "one"
        holding.cancel()
        await first.release()
        await asyncio.wait_for(waiting, 100)
        assert await holder(client) == "two"


async def test_a_dead_holders_lease_runs_out() -> None:
    async with ApiServer() as server, Client(Connection(server.url)) as client:
        await lease(client, "dead").acquire()
        await asyncio.wait_for(lease(client, "next").acquire(), 100)
        assert await holder(client) == "next"


async def test_the_same_identity_goes_on_at_once() -> None:
    async with ApiServer() as server, Client(Connection(server.url)) as client:
        await lease(client, "pod").acquire()
        await asyncio.wait_for(lease(client, "pod").acquire(), 0.5)


async def test_a_holder_that_can_not_renew_stops_being_one() -> None:
    async with ApiServer() as server, Client(Connection(server.url)) as client:
        held = lease(client, "one")
        await held.acquire()
        server.faults.add(Fault("error", resource="leases", code=500, times=None))
        lost = asyncio.Event()
        with pytest.raises(Lost, match="lease default/leader"):
            await asyncio.wait_for(held.hold(lost.set), 100)
        assert lost.is_set()


async def test_who_was_stopped_for_longer_than_the_lease_lasts_changes_nothing_when_it_wakes_up() -> None:
    async with ApiServer() as server, Client(Connection(server.url)) as client:
        held = lease(client, "one", 3.0)
        await held.acquire()
        client.may_write = held.holds
        body = {"metadata": {"name": "c"}}
        await client.create(CONFIG_MAPS, "default", body)
        time.sleep(3.1)  # noqa: ASYNC251 - SIGSTOP: nothing of this process runs, and its clock continues
        for write in (
            client.create(CONFIG_MAPS, "default", {"metadata": {"name": "d"}}),
            client.patch(CONFIG_MAPS, "default", "c", {"data": {"a": "b"}}),
            client.delete(CONFIG_MAPS, "default", "c"),
        ):
            with pytest.raises(Unavailable, match="another operator may act"):
                await write
        assert await client.get(CONFIG_MAPS, "default", "c")
        await held.acquire()
        await client.delete(CONFIG_MAPS, "default", "c")


async def test_a_holder_that_is_cancelled_as_its_renewal_ends_ends() -> None:
    async with ApiServer() as server, Client(Connection(server.url)) as client:
        held = lease(client, "one", 60.0)
        await held.acquire()
        replace = client.replace

        async def replaced_and_cancelled(*args: Any, **options: Any) -> Any:
            answer = await replace(*args, **options)
            asyncio.get_running_loop().call_soon(holding.cancel)
            return answer

        client.replace = replaced_and_cancelled  # type: ignore[method-assign]
        holding = asyncio.create_task(held.hold(lambda: None))
        done, _ = await asyncio.wait([holding], timeout=100)
        assert done and holding.cancelled()


async def test_errors_while_acquiring_are_waited_out() -> None:
    async with ApiServer() as server, Client(Connection(server.url)) as client:
        server.faults.add(Fault("error", resource="leases", code=503, times=3))
        server.faults.add(Fault("error", verb="update|create", resource="leases", code=409, times=1))
        await asyncio.wait_for(lease(client, "one").acquire(), 100)
        assert await holder(client) == "one"
