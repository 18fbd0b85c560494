"""A real kubelet, or local processes: a chain of tasks next to the same pods from a loop."""

import asyncio
import statistics
import sys

from tradewind.kube.client import Client
from tradewind.kube.resources import DAGS
from worlds.world import World

from bench.figure import Figure
from bench.measures import chain
from bench.rig.load import observed, start
from bench.rig.operator import Measured, operator

LENGTH = 10
ROUNDS = 3
WIDTH = 40
STAGES = ("created_to_scheduled", "scheduled_to_started")


def figures(world: World) -> list[Figure]:
    """Alternating rounds; medians."""
    with operator(world.kubeconfig, world.namespace) as measured:
        return asyncio.run(_figures(world, measured))


async def _figures(world: World, measured: Measured) -> list[Figure]:
    bare: list[float] = []
    ours: list[float] = []
    creates: list[float] = []
    async with world.client() as client:
        await world.create(client, DAGS, chain.dag(world, LENGTH))
        for round_ in range(ROUNDS):
            print(f"round {round_ + 1} of {ROUNDS}: a chain of {LENGTH}, bare and ours", file=sys.stderr)
            bare.append(await chain.bare(world, client, LENGTH, round_, creates))
            ours.append(await chain.tradewind(world, client))
        seen = measured.histogram("ready_to_created").mean * 1000
        told = await _latency(world, client, measured)
    floor, value = statistics.median(bare), statistics.median(ours)
    create = statistics.mean(creates) * 1000
    what = f"S1 chain of {LENGTH}, {'real kubelet' if world.name == 'real' else 'local processes'}, median of {ROUNDS}"
    return [
        Figure(f"{what}; floor: bare pods", value, "s", floor, "≤ 1.05 times", value <= 1.05 * floor),
        Figure("event seen → create acknowledged, mean; floor: a bare create", seen, "ms", create, "", True),
        *told,
    ]


async def _latency(world: World, client: Client, measured: Measured) -> list[Figure]:
    """The operator's histograms for forty pods at once, next to what an independent watch saw. API timestamps are whole
    seconds, and the kubelet reports containers with a delay: both agree within a second."""
    await world.create(
        client, DAGS, world.dag("wide", {"f": {"forEach": {"range": {"stop": WIDTH}}, "command": ["true"]}})
    )
    before = {stage: measured.histogram(stage) for stage in STAGES}
    async with observed(world) as seen:
        await start(world, client, "wide", 1, "wide")
        await seen.wait_ended(1, 600)
    after = {stage: measured.histogram(stage).since(before[stage]) for stage in STAGES}
    scheduled = [at - seen.pod_created[pod] for pod, at in seen.pod_scheduled.items()]
    started = [at - seen.pod_scheduled[pod] for pod, at in seen.pod_started.items() if pod in seen.pod_scheduled]
    found = []
    for stage, outside in zip(STAGES, (scheduled, started), strict=True):
        inside, other = after[stage].mean, statistics.mean(outside) if outside else 0.0
        what = (
            f"{stage.replace('_', ' ')} of {WIDTH} pods at once, mean, by the histogram; floor: seen by another watch"
        )
        found.append(Figure(what, inside, "s", other, "within 1 s", abs(inside - other) <= 1.0))
    return found
