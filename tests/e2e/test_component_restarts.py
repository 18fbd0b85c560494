"""On a real cluster: the operator is killed again and again, every component of the control plane and of the node is
restarted, and the API server goes away. Every task runs exactly once, by its own side effects, and no retry is spent."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from cluster.fixtures import Cluster
from nightly import sized
from tradewind.kube.client import Client
from tradewind.kube.resources import RUNS
from worlds.marks import chain, fan, marked, marking, running
from worlds.real import real
from worlds.world import World, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.disruptive, pytest.mark.timeout(600)]
CHAIN, FAN = sized((15, 40), (40, 100))
AWAY = sized(45, 120)
"""Seconds."""
COMPONENTS = ("kube-apiserver", "etcd", "kubelet", "containerd", "kube-controller-manager", "kube-scheduler")


@pytest.fixture(scope="module")
def world(cluster: Cluster) -> Iterator[World]:
    with real(cluster, f"restarts-{secrets.token_hex(2)}") as made:
        yield made


@contextlib.asynccontextmanager
async def deployed(world: World) -> AsyncIterator[Callable[[], None]]:
    """An operator that is restarted whenever it ends, as by a Deployment; yields a function that kills it."""
    process = world.start_operator()

    async def supervise() -> None:
        nonlocal process
        while True:
            if process.poll() is not None:
                process = world.start_operator()
            await asyncio.sleep(0.2)

    supervisor = asyncio.create_task(supervise())
    try:
        yield lambda: process.kill()
    finally:
        supervisor.cancel()
        process.kill()
        process.wait()


async def ends_with_each_mark_once(world: World, client: Client, run: str, marks: int, seconds: float) -> None:
    status = await world.finished(client, run, seconds)
    assert status["phase"] == "Succeeded", status
    assert status["outputs"]["count"] == {"marks": marks, "often": {}}
    assert not status.get("failures")

    async def nothing_runs() -> bool:
        return {pod["status"]["phase"] for pod in await world.pods(client, run)} == {"Succeeded"}

    await eventually(nothing_runs)  # a pod's phase comes a moment after its container's end, which is what counts


async def test_an_operator_killed_every_five_seconds(
    world: World,
) -> None:
    tasks = {**chain(CHAIN, 0), "fan": fan(FAN, 0.2, parallelism=10)}
    async with deployed(world) as kill, world.client() as client:
        run = await world.start(client, marked(world, "killed", tasks))
        ending, kills = asyncio.create_task(ends_with_each_mark_once(world, client, run, CHAIN + FAN, 500)), 0
        done = -1
        while not (await asyncio.wait([ending], timeout=5))[0]:
            # On a busy machine an operator takes longer than that to start: each may do something before it dies.
            if (
                now := int(((await client.get(RUNS, world.namespace, run)).get("status") or {}).get("done") or 0)
            ) > done:
                kill()
                kills, done = kills + 1, now
        await ending
        assert kills > 2


async def test_a_restart_of_each_component_of_the_cluster(world: World, cluster: Cluster) -> None:
    tasks = {**chain(12, 1), "fan": fan(6, 40)}
    async with deployed(world), world.client() as client:
        run = await world.start(client, marked(world, "restarted", tasks))
        await running(world, client, run, 6)
        for component in COMPONENTS:
            await asyncio.to_thread(cluster.restart, component)
        await ends_with_each_mark_once(world, client, run, 18, 300)


async def test_an_api_server_that_is_away_for_longer_than_any_time_out(world: World, cluster: Cluster) -> None:
    """Longer than a lease, a request's timeout and the tasks: they end while nobody can be notified."""
    tasks = {"fan": fan(5, 20), "first": marking("first", 1), "second": marking("second", 1, "first")}
    async with deployed(world), world.client() as client:
        run = await world.start(client, marked(world, "away", tasks))
        await running(world, client, run, 5)
        await asyncio.to_thread(cluster.kill, "kube-apiserver")
        try:
            await asyncio.sleep(AWAY)
        finally:
            # Scheduler and kubelet, which are not what is tested, would go on waiting for more than a minute.
            for component in ("kube-apiserver", "kube-scheduler", "kubelet"):
                await asyncio.to_thread(cluster.restart, component)
        await ends_with_each_mark_once(world, client, run, 7, 300)
