"""The lateness of runs of many schedules: spread over a minute, and all in one second, next to as many runs created by
a bare client."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tradewind import API_VERSION
from tradewind.kube.client import Client
from tradewind.kube.resources import DAGS, RUNS, TRIGGERS
from worlds.world import World

from bench.figure import Figure
from bench.rig.load import KEPT, observed, quantile
from bench.rig.operator import operator

SLOWEST = 2.0
"""Seconds from the tick until 99 of 100 runs exist, for schedules that fire within one minute."""
BESIDE_BARE = 1.5
"""The factor by which the last runs may take longer than a bare client's, for schedules that fire in one second."""
AT_ONCE = 32
"""Concurrent creates: as many triggers as the operator lets fire at once."""
AHEAD = 60
"""Seconds from the first trigger's creation to the first tick: by then all know theirs."""


@dataclass(frozen=True)
class Lateness:
    """Seconds from each tick until an outside observer saw its run, and from the first tick to the last run's end."""

    runs: list[float]
    end: float


async def ticks(world: World, beside: World, count: int) -> list[Figure]:
    """`count` triggers, each with one tick."""
    async with world.client() as client:
        floor = quantile(await _bare(beside, client, count), 0.99)
        dag = world.dag("ticking", {"a": {"compute": {"at": "run.logicalDate"}}}, history=KEPT)
        await world.create(client, DAGS, dag)
        with operator(world.kubeconfig, world.namespace):
            spread = await _fired(world, client, "m", [at * 60 // count for at in range(count)])
            burst = await _fired(world, client, "s", [0] * count)
    minute, second = f"{count:,} schedules that fire in one minute", f"{count:,} schedules that fire in one second"
    middle, late, last = quantile(spread.runs, 0.5), quantile(spread.runs, 0.99), quantile(burst.runs, 0.99)
    return [
        Figure(f"{minute}: tick → run seen, p50", middle, "s", None, "", True),
        Figure(f"{minute}: tick → run seen, p99", late, "s", None, f"≤ {SLOWEST:g} s", late <= SLOWEST),
        Figure(f"{second}: tick → run seen, p99; floor: a bare client's creates", last, "s", floor, f"≤ {BESIDE_BARE:g} times", last <= BESIDE_BARE * floor),
        Figure(f"{second}: tick → the last run's end", burst.end, "s", None, "", True),
    ]  # fmt: skip


async def _fired(world: World, client: Client, prefix: str, after: list[int]) -> Lateness:
    """Triggers whose ticks are `after` seconds after one moment."""
    first = int(time.time()) + AHEAD
    due = {f"{prefix}{number}": first + seconds for number, seconds in enumerate(after)}
    await asyncio.gather(*(world.create(client, TRIGGERS, _trigger(name, at)) for name, at in due.items()))
    await _wait_active(world, client, prefix, len(after))
    async with observed(world, pods=False) as seen:
        offset = time.time() - time.perf_counter()
        await seen.wait_ended(len(after), 300)
    late = [max(0.0, at + offset - due[name.partition("-")[0]]) for name, at in seen.run_created.items()]
    return Lateness(late, max(seen.run_ended.values()) + offset - first)


def _trigger(name: str, tick: float) -> dict[str, Any]:
    spec = {"dag": "ticking", "schedule": {"dates": [datetime.fromtimestamp(tick, UTC).isoformat()]}}
    return {"apiVersion": API_VERSION, "kind": "Trigger", "metadata": {"name": name}, "spec": spec}


async def _wait_active(world: World, client: Client, prefix: str, count: int) -> None:
    """Waits until all of them know their tick."""
    async with asyncio.timeout(AHEAD):
        while True:
            found = (await client.list(TRIGGERS, world.namespace))["items"]
            ours = (body for body in found if body["metadata"]["name"].startswith(prefix))
            if sum(bool((body.get("status") or {}).get("next")) for body in ours) >= count:
                return
            await asyncio.sleep(0.5)


async def _bare(world: World, client: Client, count: int) -> list[float]:
    """Seconds until each run was created by a loop that does nothing else. No operator knows their DAG."""
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
