"""Many schedules that fire at one time: how late their runs are, beside as many runs created by a bare client."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

from tradewind import API_VERSION
from tradewind.kube.client import Client
from tradewind.kube.resources import DAGS, RUNS, TRIGGERS
from worlds.world import World

from bench.figure import Figure
from bench.load import KEPT, observed, quantile
from bench.operator import operator

SLOWEST = 2.0
"""Seconds from the tick until 99 of 100 runs are there."""
AT_ONCE = 32
"""Creates under way: as many triggers as the operator lets fire at once."""


async def ticks(world: World, beside: World, count: int) -> list[Figure]:
    """So many triggers, each with one tick, all at the same second."""
    async with world.client() as client:
        floor = await _bare(beside, client, count)
        dag = world.dag("ticking", {"a": {"compute": {"at": "run.logicalDate"}}}, history=KEPT)
        await world.create(client, DAGS, dag)
        tick = (int(time.time()) // 60 + 2) * 60
        with operator(world.kubeconfig, world.namespace):
            text = datetime.fromtimestamp(tick, UTC).isoformat()
            await asyncio.gather(*(world.create(client, TRIGGERS, _trigger(at, text)) for at in range(count)))
            await _active(world, client, count)
            async with observed(world, pods=False) as seen:
                began = time.perf_counter() + tick - time.time()
                await seen.ended(count, 300)
            late = [max(0.0, at - began) for at in seen.run_created.values()]
            ends = [max(0.0, at - began) for at in seen.run_ended.values()]
    what = f"{count:,} schedules that fire in one second"
    return [
        Figure(f"{what}: tick → run seen, p50", quantile(late, 0.5), "s", quantile(floor, 0.5), "", True),
        Figure(f"{what}: tick → run seen, p99", quantile(late, 0.99), "s", quantile(floor, 0.99), f"≤ {SLOWEST:g} s", quantile(late, 0.99) <= SLOWEST),
        Figure(f"{what}: tick → the last run's end", max(ends, default=0.0), "s", None, "", True),
    ]  # fmt: skip


def _trigger(at: int, tick: str) -> dict[str, Any]:
    spec = {"dag": "ticking", "schedule": {"dates": [tick]}}
    return {"apiVersion": API_VERSION, "kind": "Trigger", "metadata": {"name": f"t{at}"}, "spec": spec}


async def _active(world: World, client: Client, count: int) -> None:
    """All of them know their tick."""
    async with asyncio.timeout(120):
        while True:
            found = (await client.list(TRIGGERS, world.namespace))["items"]
            if sum(bool((body.get("status") or {}).get("next")) for body in found) >= count:
                return
            await asyncio.sleep(0.5)


async def _bare(world: World, client: Client, count: int) -> list[float]:
    """Seconds until each run was created by a loop that does nothing else. Their DAG is none that an operator knows."""
    places, found = asyncio.Semaphore(AT_ONCE), list[float]()
    began = time.perf_counter()

    async def one(at: int) -> None:
        body = {
            "apiVersion": API_VERSION,
            "kind": "DAGRun",
            "metadata": {"name": f"bare-{at}"},
            "spec": {"dag": "nobody"},
        }
        async with places:
            await client.create(RUNS, world.namespace, body)
        found.append(time.perf_counter() - began)

    await asyncio.gather(*map(one, range(count)))
    return found
