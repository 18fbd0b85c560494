"""On a real cluster: pods are evicted, a node is drained, the leader is killed. Every task runs as often as it should,
by its own side effects, and no user's retry is spent."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from cluster.fixtures import Cluster
from tradewind.kube.errors import ApiError
from tradewind.kube.labels import RUN_UID
from tradewind.kube.resources import LEASES, PODS
from worlds.marks import fan, marked, marking, running
from worlds.real import real
from worlds.world import LEASE, World, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.disruptive, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def world(cluster: Cluster) -> Iterator[World]:
    with real(cluster, f"faults-{secrets.token_hex(2)}") as made:
        yield made


async def test_evicted_and_drained_pods_run_again_and_spend_no_retry_of_the_user(
    world: World, cluster: Cluster
) -> None:
    with world.operator():
        async with world.client() as client:
            run = await world.start(client, marked(world, "drained", {"fan": fan(4, 15, gracePeriod="1s")}))
            evicted = (await running(world, client, run, 4))[0]
            eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": evicted}}
            path = f"/api/v1/namespaces/{world.namespace}/pods/{evicted}/eviction"
            cluster.kubectl("create", "--raw", path, "-f", "-", input=json.dumps(eviction))
            node = (await client.get(PODS, world.namespace, evicted))["spec"]["nodeName"]
            try:
                drain = ["drain", node, "--force", "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=60s"]
                uid = (await world.pods(client, run))[0]["metadata"]["labels"][RUN_UID]
                await asyncio.to_thread(cluster.kubectl, *drain, f"--pod-selector={RUN_UID}={uid}", timeout=90)
            finally:
                cluster.kubectl("uncordon", node)
            status = await world.finished(client, run, 200)
            assert status["phase"] == "Succeeded", status
            assert status["outputs"]["count"] == {"marks": 4, "often": {}}
            lost = [item["reason"] for item in status["failures"]]
            assert len(lost) >= 4 and set(lost) <= {"Evicted", "PodDeleted"}  # losses, of which retries.limit 0 allows


async def test_when_the_leader_is_killed_the_other_replica_goes_on(world: World) -> None:
    first, second = (
        world.start_operator("--identity", name, "--lease-name", f"{LEASE}-handed") for name in ("one", "two")
    )
    try:
        async with world.client() as client:

            async def holder() -> Any:
                with contextlib.suppress(ApiError):
                    return (await client.get(LEASES, world.namespace, f"{LEASE}-handed"))["spec"].get("holderIdentity")

            leader = await eventually(holder)
            run = await world.start(client, marked(world, "handed", {"a": marking("a", 3), "b": marking("b", 1, "a")}))
            await running(world, client, run, 1)
            {"one": first, "two": second}[leader].kill()

            async def other() -> Any:
                return await holder() not in (None, "", leader)

            # The lease, two polls of the standby, and a slow machine.
            await eventually(other, 15 + 2 + 2 + 5)
            status = await world.finished(client, run)
            assert status["phase"] == "Succeeded" and status["outputs"]["count"] == {"marks": 2, "often": {}}
    finally:
        for process in (first, second):
            process.kill()
            process.wait()
