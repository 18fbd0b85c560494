"""The shapes of load, with faked pods: each gives figures next to a floor that was measured in the same run, just
before or after."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import orjson
from tradewind import API_VERSION
from tradewind.kube.client import Client
from tradewind.kube.resources import POOLS, RUNS
from worlds.world import World

from bench.figure import Figure
from bench.rig import fakekubelet
from bench.rig.costs import Reading, figures
from bench.rig.load import bare_chain, bare_pods, bare_runs, define, observed, quantile, start
from bench.rig.operator import Measured

ROUNDS = 3
"""How often a short shape and its floor alternate."""
Shape = Callable[["Lab"], Awaitable[list[Figure]]]


@dataclass
class Lab:
    """A namespace with a fake kubelet and an operator to measure. `size` scales the shapes down for a quick look."""

    world: World
    beside: World
    """Another namespace without an operator, for floors."""
    client: Client
    operator: Measured
    size: float
    side: str

    def reading(self) -> Reading:
        """The current counters of the operator and etcd."""
        return Reading.of(self.operator, self.side)

    def costs(self, what: str, before: Reading, tasks: int, most: float | None = None) -> list[Figure]:
        """The costs of `tasks` tasks since `before`; `most` is the target for API writes per task."""
        return figures(what, self.operator, self.side, before, tasks, most)

    def scaled(self, count: int, least: int = 10) -> int:
        """`count`, or fewer in a quick look."""
        return max(least, round(count * self.size))


async def chain(lab: Lab) -> list[Figure]:
    """S1: a chain. The floor is a loop that creates a pod, waits for its end and creates the next."""
    length = lab.scaled(1_000, 50)
    tasks = {f"t{at}": {"dependsOn": [f"t{at - 1}"] if at else []} for at in range(length)}
    await define(lab.world, lab.client, "chain", tasks)
    *bare, floor = await bare_chain(lab.beside, lab.client, length)
    async with observed(lab.world) as seen:
        before = lab.reading()
        began = time.perf_counter()
        (run,) = await start(lab.world, lab.client, "chain", 1, "chain")
        await seen.wait_ended(1, 600)
        took = time.perf_counter() - began
        inside = lab.operator.histogram("ready_to_created").since(before.stages["ready_to_created"])
    gaps = [
        seen.pod_created[after] - seen.pod_ended[first]
        for first, after in ((f"{run}-t{at}-1", f"{run}-t{at + 1}-1") for at in range(length - 1))
        if first in seen.pod_ended and after in seen.pod_created
    ]
    what = f"S1 chain of {length:,}"
    p50, p99 = inside.quantile(0.5) * 1e3, inside.quantile(0.99) * 1e3
    return [
        Figure(f"{what}; floor: a bare loop", took, "s", floor, "≤ 1.5 times", took <= 1.5 * floor),
        Figure(f"{what}: seen → create acknowledged, p50; floor: a bare create", p50, "ms", quantile(bare, 0.5) * 1e3, "≤ 5 ms", p50 <= 5),
        Figure(f"{what}: seen → create acknowledged, p99; floor: a bare create", p99, "ms", quantile(bare, 0.99) * 1e3, "≤ 25 ms", p99 <= 25),
        Figure(f"{what}: end → next pod, seen from outside, p50", quantile(gaps, 0.5) * 1e3, "ms", None, "", True),
        Figure(f"{what}: end → next pod, seen from outside, p99", quantile(gaps, 0.99) * 1e3, "ms", None, "", True),
        *lab.costs(what, before, length),
    ]  # fmt: skip


async def pool(lab: Lab) -> list[Figure]:
    """S3: 1 → many → 1 through a pool of ten. A slot is busy from the creation of a pod until its end is observed."""
    count, seconds, slots = lab.scaled(400, 40), 1.0, 10
    body = {"apiVersion": API_VERSION, "kind": "Pool", "metadata": {"name": "ten"}, "spec": {"slots": slots}}
    await lab.world.create(lab.client, POOLS, body)
    fan = {
        "dependsOn": ["first"],
        "forEach": {"range": {"stop": count}},
        "pools": [{"name": "ten"}],
        "podTemplate": fakekubelet.template(seconds),
    }
    await define(lab.world, lab.client, "pool", {"first": {}, "fan": fan, "last": {"dependsOn": ["fan"]}})
    async with observed(lab.world) as seen:
        await start(lab.world, lab.client, "pool", 1, "pool")
        await seen.wait_ended(1, 600)
    pods = [name for name in seen.pod_created if "-fan-" in name]
    held = sum(seen.pod_ended[name] - seen.pod_created[name] for name in pods)
    whole = max(seen.pod_ended[name] for name in pods) - min(seen.pod_created[name] for name in pods)
    busy = held / slots / whole * 100
    return [Figure(f"S3 1 → {count} → 1 in a pool of {slots}: slots busy", busy, "%", None, "≥ 97 %", busy >= 97)]


async def many(lab: Lab) -> list[Figure]:
    """S4: twenty runs of fifty. The floor is as many bare pods, created as fast as the server accepts them."""
    runs, width = lab.scaled(20, 4), 50
    await define(lab.world, lab.client, "many", {"f": {"forEach": {"range": {"stop": width}}}})
    total, floors, ours, per_core = runs * width, [], [], []
    before = lab.reading()
    for at in range(ROUNDS):
        floors.append(total / await bare_pods(lab.beside, lab.client, total, f"bare-{at}"))
        used, took = await _runs(lab, "many", runs, f"many-{at}-")
        ours.append(total / took)
        per_core.append(total / used)
    what, each = f"S4 {runs} runs of {width} tasks", median(per_core)
    return [
        Figure(f"{what}, median of {ROUNDS}; floor: bare pods", median(ours), "pods/s", median(floors), "", True),
        Figure(f"{what}: pods a second of the operator's CPU", each, "pods/s", None, "≥ 350", each >= 350),
        *lab.costs(what, before, total * ROUNDS),
    ]


async def burst(lab: Lab) -> list[Figure]:
    """S5: thousands of runs at once."""
    runs = lab.scaled(5_000, 100)
    await define(lab.world, lab.client, "one", {"a": {}})
    floor = await bare_runs(lab.beside, lab.client, runs)
    async with observed(lab.world, pods=False) as seen:
        before, began = lab.reading(), time.perf_counter()
        await start(lab.world, lab.client, "one", runs, "one")
        await seen.wait_ended(runs, 900)
        took = time.perf_counter() - began
    waits = [seen.run_began[name] - at for name, at in seen.run_created.items() if name in seen.run_began]
    what = f"S5 {runs:,} runs of one task"
    within = 60 * runs / 5_000
    return [
        Figure(f"{what}; floor: the same API calls by nobody in particular", took, "s", floor, f"< {within:g} s", took < within),
        Figure(f"{what}: created → begun, p50", quantile(waits, 0.5), "s", None, "", True),
        Figure(f"{what}: created → begun, p99", quantile(waits, 0.99), "s", None, "", True),
        Figure(f"{what}: created → begun, longest", max(waits, default=0.0), "s", None, "", True),
        *lab.costs(what, before, runs),
    ]  # fmt: skip


async def ramp(lab: Lab) -> list[Figure]:
    """S6: more and more runs a minute, until the time from a run's creation to its first pod has doubled twice."""
    await define(lab.world, lab.client, "ramp", {"a": {}})
    seconds, knee, base = max(3.0, 10 * lab.size), 0.0, 0.0
    points = []
    for step, rate in enumerate((5, 10, 20, 40, 60, 80, 100, 130, 160)):
        async with observed(lab.world) as seen:
            count = int(rate * seconds)
            pending = []
            began = time.perf_counter()
            for at in range(count):
                await asyncio.sleep(max(0.0, began + at / rate - time.perf_counter()))
                pending.append(asyncio.create_task(start(lab.world, lab.client, "ramp", 1, f"ramp-{step}-{at}-")))
            await asyncio.gather(*pending)
            await seen.wait_ended(count, 300)
        waits = [at - seen.run_created[run] for run, at in seen.first_pod.items() if run in seen.run_created]
        p50 = quantile(waits, 0.5)
        base = base or p50
        points.append((rate * 60.0, p50 * 1e3))
        if p50 > 2 * base:
            break
        knee = rate * 60.0
    figure = Figure(
        "S6 runs a minute before the median wait for the first pod doubles",
        knee,
        "runs/min",
        None,
        "",
        True,
        points,
        "ramp",
    )
    return [figure]


async def wide(lab: Lab) -> list[Figure]:
    """S10: one run of ten thousand tasks, as a fan-out."""
    count = lab.scaled(10_000, 200)
    fan = {"dependsOn": ["first"], "forEach": {"range": {"stop": count - 2}}}
    return await _large(
        lab, "wide", f"S10 fan-out of {count:,}", {"first": {}, "fan": fan, "last": {"dependsOn": ["fan"]}}, count
    )


async def tangled(lab: Lab) -> list[Figure]:
    """S10: one run of ten thousand tasks, as a random DAG of in-degree 3."""
    count = lab.scaled(10_000, 200)
    rng = random.Random(7)
    above = {at: rng.sample(range(max(0, at - 200), at), min(at, 3)) for at in range(count)}
    tasks = {f"t{at}": {"dependsOn": [f"t{other}" for other in found]} for at, found in above.items()}
    return await _large(lab, "tangled", f"S10 random DAG of {count:,}, in-degree 3", tasks, count)


async def _large(lab: Lab, name: str, what: str, tasks: dict[str, Any], count: int) -> list[Figure]:
    await define(lab.world, lab.client, name, tasks)
    floor = count / await bare_pods(lab.beside, lab.client, count)
    before, writes = lab.reading(), lab.operator.durations("update", "dagruns")
    _, took = await _runs(lab, name, 1, name)
    written = lab.operator.durations("update", "dagruns").since(writes)
    stored = await lab.client.get(RUNS, lab.world.namespace, f"{name}0")
    size = len(orjson.dumps(stored)) / 1024
    alone = quantile(await _written(lab, stored), 0.5) * 1e3
    p50 = written.quantile(0.5) * 1e3
    return [
        Figure(f"{what}; floor: bare pods", count / took, "pods/s", floor, "completes", True),
        Figure(f"{what}: the DAGRun object", size, "KB", None, "≤ 256 KB", size <= 256),
        Figure(f"{what}: status write, p50; floor: the last one, again, on an idle server", p50, "ms", alone, "≤ 25 ms", p50 <= 25),
        *lab.costs(what, before, count, 2.2),
    ]  # fmt: skip


async def _written(lab: Lab, stored: dict[str, Any]) -> list[float]:
    """Seconds to write the status of an ended run again, slightly changed, on an otherwise idle server."""
    took = []
    for at in range(50):
        body = {**stored, "status": {**stored["status"], "message": f"{at}"}}
        began = time.perf_counter()
        stored = await lab.client.replace(RUNS, lab.world.namespace, stored["metadata"]["name"], body, "status")
        took.append(time.perf_counter() - began)
    return took


async def _runs(lab: Lab, dag: str, count: int, prefix: str) -> tuple[float, float]:
    """CPU seconds of the operator and seconds for runs created at once, until all have ended."""
    async with observed(lab.world, pods=False) as seen:
        cpu, began = lab.operator.cpu(), time.perf_counter()
        await start(lab.world, lab.client, dag, count, prefix)
        await seen.wait_ended(count, 900)
        return lab.operator.cpu() - cpu, time.perf_counter() - began


SHAPES: dict[str, Shape] = {
    "S1": chain,
    "S3": pool,
    "S4": many,
    "S5": burst,
    "S6": ramp,
    "S10": wide,
    "S10-random": tangled,
}
