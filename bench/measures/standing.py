"""The cost of an idle operator: with many ended runs, with many DAGs; and the start of a local run."""

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from tradewind import API_VERSION
from tradewind.kube.client import Client
from tradewind.kube.resources import DAGS, RUNS
from worlds.world import World

from bench.figure import Figure
from bench.rig.load import define
from bench.rig.operator import operator


async def create_ended_runs(world: World, count: int) -> None:
    """Creates runs whose status says that they ended long ago."""
    status = {
        "phase": "Succeeded", "message": "1 of 1 tasks succeeded", "revision": "past-0123456789", "progress": "1/1",
        "total": 1, "done": 1, "failed": 0, "skipped": 0, "retried": 0, "attempts": "a 1+0", "nodes": ["n"],
        "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:01Z", "duration": "1s",
    }  # fmt: skip
    async with world.client() as client:
        await define(world, client, "past", {"a": {}})
        places = asyncio.Semaphore(48)

        async def one(at: int) -> None:
            meta = {"name": f"past-{at}"}
            body = {"apiVersion": API_VERSION, "kind": "DAGRun", "metadata": meta, "spec": {"dag": "past"}}
            async with places:
                await client.create(RUNS, world.namespace, body)
                await client.patch(RUNS, world.namespace, meta["name"], {"status": status}, "status")

        step = 5_000
        for first in range(0, count, step):
            await asyncio.gather(*(one(at) for at in range(first, min(count, first + step))))
            print(f"S11: {min(count, first + step):,} of {count:,} runs made", file=sys.stderr)


async def started(world: World, count: int) -> list[Figure]:
    """S11: an operator starts with `count` ended runs."""
    await create_ended_runs(world, count)
    began = time.perf_counter()
    with operator(world.kubeconfig, world.namespace) as measured:
        ready = time.perf_counter() - began
        at_ready = measured.rss()
        while (before := measured.requests_of("list", "dagruns")) * 100 < count:
            await asyncio.sleep(1)
            if measured.requests_of("list", "dagruns") == before and before > 1:
                break
        await asyncio.sleep(2)
        return [
            Figure(f"S11 {count:,} runs that have ended: start → ready", ready, "s", None, "≤ 30 s", ready <= 30),
            Figure(f"S11 {count:,}: memory when ready", at_ready, "MB", None, "", True),
            Figure(f"S11 {count:,}: memory once all are counted", measured.rss(), "MB", None, "≤ 200 MB", measured.rss() <= 200),
        ]  # fmt: skip


async def idle(world: World, count: int) -> list[Figure]:
    """An operator of `count` DAGs without runs."""
    async with world.client() as client:
        await asyncio.gather(*(world.create(client, DAGS, _plain(f"idle-{at}")) for at in range(count)))
        with operator(world.kubeconfig, world.namespace) as measured:
            await _wait_quiet(client, world, count)
            before = measured.cpu()
            await asyncio.sleep(20)
            cpu = (measured.cpu() - before) / 20 * 100
            return [
                Figure(f"idle, {count:,} DAGs: memory", measured.rss(), "MB", None, "≤ 80 MB", measured.rss() <= 80),
                Figure(f"idle, {count:,} DAGs: CPU", cpu, "% of a core", None, "≤ 1 %", cpu <= 1),
            ]  # fmt: skip


def _plain(name: str) -> dict[str, Any]:
    tasks = {"a": {"command": ["true"]}, "b": {"command": ["true"], "dependsOn": ["a"]}}
    spec = {"defaults": {"image": "x"}, "tasks": tasks}
    return {"apiVersion": API_VERSION, "kind": "DAG", "metadata": {"name": name}, "spec": spec}


async def _wait_quiet(client: Client, world: World, count: int) -> None:
    """Waits until every DAG has its status."""
    while True:
        dags = (await client.list(DAGS, world.namespace))["items"]
        if sum(bool((dag.get("status") or {}).get("phase")) for dag in dags) >= count:
            return
        await asyncio.sleep(0.5)


def local(length: int) -> list[Figure]:
    """A chain of `true` on this machine, without a cluster. The floor is as many processes, one after the other."""
    tasks = {f"t{at}": {"command": ["true"], "dependsOn": [f"t{at - 1}"] if at else []} for at in range(length)}
    with tempfile.TemporaryDirectory() as folder:
        took: dict[int, float] = {}
        for count in (1, length) * 5:
            path = Path(folder) / f"chain-{count}.yaml"
            chosen = dict(list(tasks.items())[:count])
            dag = {"apiVersion": API_VERSION, "kind": "DAG", "metadata": {"name": "c"}, "spec": {"tasks": chosen}}
            dag["spec"]["defaults"] = {"image": "x"}  # type: ignore[index]
            path.write_text(yaml.safe_dump(dag))
            began = time.perf_counter()
            command = [sys.executable, "-m", "tradewind.cli", "run", "-f", str(path)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            took[count] = min(took.get(count, 1e9), time.perf_counter() - began)
    began = time.perf_counter()
    for _ in range(length):
        subprocess.run(["true"], check=True)
    bare = (time.perf_counter() - began) / length * 1e3
    # The costs of the first task and the server's start don't count.
    each = (took[length] - took[1]) / (length - 1) * 1e3
    return [
        Figure(f"local chain of {length} `true`: a task; floor: a process", each, "ms", bare, "≤ 40 ms over the floor", each - bare <= 40),
        Figure("local run of one task, from the command to its end", took[1], "s", None, "", True),
    ]  # fmt: skip
