"""Scale out: the same load for one, two and four operators that share the namespaces. If API server and operators share
two cores, the result shows that shards divide the work, not how far they scale."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from statistics import median

from tradewind.plan.capacity.shard_share import shard_of
from worlds.world import World

from bench.figure import Figure
from bench.rig.load import bare_pods, define, faked, observed, start
from bench.rig.operator import operators

COUNTS = (1, 2, 4)
RUNS, WIDTH, ROUNDS = 5, 50, 3


def figures(world: Callable[[str], contextlib.AbstractContextManager[World]], size: float) -> list[Figure]:
    """Pods per second by the number of operators. `world` makes a namespace of a name."""
    runs = max(1, round(RUNS * size))
    with contextlib.ExitStack() as stack:
        worlds = [stack.enter_context(world(name)) for name in spread(max(COUNTS))]
        stack.enter_context(faked(*worlds))
        asyncio.run(_define(worlds))
        total = len(worlds) * runs * WIDTH
        floor = total / median(asyncio.run(_bare(worlds, runs * WIDTH, at)) for at in range(ROUNDS))
        found = []
        for count in COUNTS:
            with operators(worlds[0].kubeconfig, [each.namespace for each in worlds], count) as replicas:
                cpu = sum(each.cpu() for each in replicas)
                took = [asyncio.run(_load(worlds, runs, f"s{count}-{at}-")) for at in range(ROUNDS)]
                used = [each.cpu() for each in replicas]
            found += _told(total, floor, count, took, sum(used) - cpu)
        found[0].points.extend((float(count), figure.value) for count, figure in zip(COUNTS, found[::2], strict=True))
        return found


def spread(count: int) -> list[str]:
    """Names of namespaces that belong to different shards of `count`, so that any number of operators up to it has
    equal shares."""
    found: dict[int, str] = {}
    while len(found) < count:
        name = f"bench-{secrets.token_hex(3)}"
        found.setdefault(shard_of(name, count), name)
    return list(found.values())


def _told(total: int, floor: float, count: int, took: list[float], cpu: float) -> list[Figure]:
    what = f"{total:,} tasks in {max(COUNTS)} namespaces, {count} operator{'s' if count > 1 else ''}"
    return [
        Figure(
            f"{what}; floor: bare pods",
            total / median(took),
            "pods/s",
            floor,
            "",
            True,
            plot="shards" if count == 1 else "",
        ),
        Figure(f"{what}: CPU of all operators a task", cpu / total / ROUNDS * 1e3, "ms", None, "", True),
    ]


async def _bare(worlds: list[World], count: int, at: int) -> float:
    async with worlds[0].client() as client:
        began = time.perf_counter()
        await asyncio.gather(*(bare_pods(each, client, count, f"bare-{at}") for each in worlds))
        return time.perf_counter() - began


async def _define(worlds: list[World]) -> None:
    async with worlds[0].client() as client:
        for each in worlds:
            await define(each, client, "many", {"f": {"forEach": {"range": {"stop": WIDTH}}}})


async def _load(worlds: list[World], runs: int, prefix: str) -> float:
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(worlds[0].client())
        seen = [await stack.enter_async_context(observed(each)) for each in worlds]
        began = time.perf_counter()
        await asyncio.gather(*(start(each, client, "many", runs, prefix) for each in worlds))
        await asyncio.gather(*(each.wait_ended(runs, 300) for each in seen))
        return time.perf_counter() - began
