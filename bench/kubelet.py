"""A real kubelet, or local processes: a chain of tasks beside the same pods from a loop."""

import asyncio
import statistics
import sys

from tradewind.kube.resources import DAGS
from worlds.world import World

from bench import chain
from bench.figure import Figure
from bench.operator import Measured, operator

LENGTH = 10
ROUNDS = 3


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
    floor, value = statistics.median(bare), statistics.median(ours)
    create, seen = statistics.mean(creates) * 1000, measured.histogram("ready_to_created").mean * 1000
    what = f"S1 chain of {LENGTH}, {'real kubelet' if world.name == 'real' else 'local processes'}, median of {ROUNDS}"
    return [
        Figure(f"{what}; floor: bare pods", value, "s", floor, "≤ 1.05 times", value <= 1.05 * floor),
        Figure("event seen → create acknowledged, mean; floor: a bare create", seen, "ms", create, "", True),
    ]
