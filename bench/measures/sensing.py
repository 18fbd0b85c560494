"""The cost of waiting sensors, next to waits without polls, and next to the same requests from a bare client."""

import asyncio
import time
from typing import Any

import aiohttp
from tradewind.kube.client import Client
from tradewind.kube.resources import PODS, RUNS
from worlds.world import World

from bench.figure import Figure
from bench.rig.answers import answering
from bench.rig.load import define, start
from bench.rig.operator import Measured, operator

ITEMS = 100
"""Items per run."""
INTERVAL = 60
WINDOW = 130.0
"""Seconds in which CPU time and polls are counted."""


async def sensors(world: World, beside: World, count: int) -> list[Figure]:
    """`count` sensors, each polling once a minute."""
    runs = max(1, count // ITEMS)
    count = runs * ITEMS
    async with world.client() as client:
        with operator(beside.kubeconfig, beside.namespace) as measured:
            await _start_waiting_runs(beside, client, "waits", {"wait": {"duration": "10h"}}, runs)
            await asyncio.sleep(5)
            floor = measured.rss()
        with answering() as url:
            bare = await _bare(url, max(200, count // 5))
            sensor = {"sensor": {"http": {"url": url}, "until": "body.ready", "interval": f"{INTERVAL}s"}}
            with operator(world.kubeconfig, world.namespace) as measured:
                await _start_waiting_runs(world, client, "sensors", sensor, runs)
                await _wait_polled(measured, count)
                cpu, polls = measured.cpu(), measured.polls()
                await asyncio.sleep(WINDOW)
                cpu, polls = measured.cpu() - cpu, measured.polls() - polls
                memory = measured.rss()
                pods = len((await client.list(PODS, world.namespace))["items"])
    what = f"sensors, {count:,} that wait"
    each = cpu / max(1.0, polls) * 1e3
    return [
        Figure(f"{what}: pods", pods, "", None, "0", pods == 0),
        Figure(f"{what}: memory; floor: as many waits", memory, "MB", floor, "≤ 1.5 times", memory <= 1.5 * floor),
        Figure(f"{what}: polls a second", polls / WINDOW, "", count / INTERVAL, "≥ 0.9 times", polls / WINDOW >= 0.9 * count / INTERVAL),
        Figure(f"{what}: CPU", cpu / WINDOW * 100, "% of a core", None, "≤ 30 %", cpu / WINDOW <= 0.3),
        Figure(f"{what}: CPU of a poll; floor: a bare client's", each, "ms", bare * 1e3, "≤ 4 times", each <= 4e3 * bare),
    ]  # fmt: skip


async def _start_waiting_runs(world: World, client: Client, name: str, task: dict[str, Any], runs: int) -> None:
    """Starts runs whose tasks all wait."""
    await define(world, client, name, {"a": {**task, "forEach": {"range": {"stop": ITEMS}}}})
    await start(world, client, name, runs, name)
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        found = (await client.list(RUNS, world.namespace))["items"]
        if sum(bool((run.get("status") or {}).get("waiting")) for run in found) >= runs:
            return
        await asyncio.sleep(0.5)
    raise TimeoutError


async def _wait_polled(measured: Measured, count: int) -> None:
    """Waits until each sensor has polled once."""
    async with asyncio.timeout(300):
        while measured.polls() < count:
            await asyncio.sleep(0.5)


async def _bare(url: str, count: int) -> float:
    """CPU seconds of requests and their JSON, with the poller's concurrency."""
    places = asyncio.Semaphore(8)
    async with aiohttp.ClientSession() as session:

        async def one() -> None:
            async with places, session.get(url) as response:
                await response.json()

        began = time.process_time()
        await asyncio.gather(*(one() for _ in range(count)))
        return (time.process_time() - began) / count
