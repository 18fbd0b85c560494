"""`python -m bench.soak`: S4's load for half an hour: does the operator's memory stay flat?"""

import asyncio
import sys
import time
from pathlib import Path
from statistics import mean

import click
from tradewind.kube.resources import DAGS
from worlds.world import World

from bench.__main__ import RESULTS, sides
from bench.figure import Figure
from bench.report import show
from bench.rig.load import FAKED, faked, observed, start
from bench.rig.operator import Measured, operator

RUNS, WIDTH = 20, 50
EVERY = 10.0
"""Seconds between two samples of the memory."""


@click.command()
@click.option("--side", type=click.Choice(["auto", "real", "embedded"]), default="auto", show_default=True)
@click.option("--minutes", default=30.0, show_default=True, help="How long.")
@click.option("--results", default=RESULTS, type=click.Path(path_type=Path), help="Folder for JSON and plots.")
def main(side: str, minutes: float, results: Path) -> None:
    """Keep twenty runs of fifty tasks going, and watch the operator's memory."""
    with sides(side) as (name, worlds), worlds() as world, faked(world):
        with operator(world.kubeconfig, world.namespace) as measured:
            figures = asyncio.run(_soak(world, measured, minutes * 60))
        show(figures, f"soak-{name}", results)


async def _soak(world: World, measured: Measured, seconds: float) -> list[Figure]:
    """Deletes runs and pods as soon as they have ended, so that nothing else in the cluster grows either."""
    body = world.dag(
        "soak",
        {"f": {"forEach": {"range": {"stop": WIDTH}}}},
        history={"succeeded": {"limit": 2 * RUNS}},
        podRetention="Never",
        defaults=FAKED,
    )
    began, ended = time.perf_counter(), 0
    memory: list[tuple[float, float]] = []
    async with world.client() as client:
        await world.create(client, DAGS, body)
        looking = asyncio.create_task(_look(measured, began, memory))
        try:
            while time.perf_counter() - began < seconds:
                async with observed(world) as seen:
                    await start(world, client, "soak", RUNS, f"soak-{ended}-")
                    await seen.wait_ended(RUNS, 300)
                ended += RUNS
        finally:
            looking.cancel()
    return _told(memory, ended, seconds)


async def _look(measured: Measured, began: float, memory: list[tuple[float, float]]) -> None:
    while True:
        await asyncio.sleep(EVERY)
        memory.append((time.perf_counter() - began, measured.rss()))
        print(f"{memory[-1][0] / 60:5.1f} min  {memory[-1][1]:6.1f} MB", file=sys.stderr, flush=True)


def _told(memory: list[tuple[float, float]], ended: int, seconds: float) -> list[Figure]:
    # The first quarter is warm-up; the second one and the last are compared.
    quarter = len(memory) // 4
    early = mean(value for _, value in memory[quarter : 2 * quarter])
    late = mean(value for _, value in memory[-quarter:])
    what = f"soak, {ended * WIDTH:,} tasks in {seconds / 60:g} min"
    figure = Figure(f"{what}: memory in the last quarter; floor: in the second", late, "MB", early, "≤ 1.05 times", late <= 1.05 * early, plot="soak")  # fmt: skip
    figure.points.extend((at / 60, value) for at, value in memory)
    return [figure]


if __name__ == "__main__":
    main()
