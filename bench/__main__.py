"""`python -m bench`: the figures of the README, on a real cluster if there is one, else on the embedded server."""

import asyncio
import secrets
import statistics
import sys
import tempfile
from pathlib import Path

import click
from cluster.fixtures import Cluster
from cluster.provider import Unavailable, choose
from tradewind.kube.resources import DAGS
from worlds.embedded import embedded
from worlds.real import real
from worlds.world import World

from bench import chain, planner
from bench.operator import Measured, operator
from bench.report import Figure, show

RESULTS = Path(__file__).parent / "results"


@click.command()
@click.option(
    "--side", type=click.Choice(["auto", "real", "embedded"]), default="auto", show_default=True, help="Which server."
)
@click.option("--length", default=10, show_default=True, help="Tasks of the chain.")
@click.option("--rounds", default=3, show_default=True, help="Alternating rounds; medians are reported.")
def main(side: str, length: int, rounds: int) -> None:
    """Measure a chain, an idle operator and the planner, each beside its floor."""
    provider = choose()
    why = provider.reason if isinstance(provider, Unavailable) else ""
    if side == "real" and why:
        sys.exit(f"no real cluster: {why}")
    namespace = f"bench-{secrets.token_hex(2)}"
    if side == "embedded" or isinstance(provider, Unavailable):
        because = f" (no cluster: {why})" if why else ""
        print(f"on the embedded server, with tasks as local processes{because}", file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder, embedded(Path(folder)) as make:
            show([*_measure(make(namespace), length, rounds), *planner.figures()], "embedded", RESULTS)
        return
    was_up = provider.is_up()
    cluster = Cluster(provider, provider.up(), brought_up=not was_up)
    try:
        with real(cluster, namespace) as world:
            show([*_measure(world, length, rounds), *planner.figures()], "real", RESULTS)
    finally:
        if not was_up:
            provider.down()


def _measure(world: World, length: int, rounds: int) -> list[Figure]:
    with operator(world.kubeconfig, world.namespace) as measured:
        return asyncio.run(_figures(world, measured, length, rounds))


async def _figures(world: World, measured: Measured, length: int, rounds: int) -> list[Figure]:
    await asyncio.sleep(5)
    idle_rss, before = measured.rss(), measured.cpu()
    await asyncio.sleep(10)
    idle_cpu = (measured.cpu() - before) / 10 * 100
    bare: list[float] = []
    ours: list[float] = []
    creates: list[float] = []
    async with world.client() as client:
        await world.create(client, DAGS, chain.dag(world, length))
        for round_ in range(rounds):
            print(f"round {round_ + 1} of {rounds}: a chain of {length}, bare and ours", file=sys.stderr)
            bare.append(await chain.bare(world, client, length, round_, creates))
            ours.append(await chain.tradewind(world, client))
    floor, value = statistics.median(bare), statistics.median(ours)
    fast, count = measured.share_within("ready_to_created", 0.005)
    slow, _ = measured.share_within("ready_to_created", 0.025)
    create, seen = statistics.mean(creates) * 1000, measured.mean("ready_to_created") * 1000
    return [
        Figure("event seen to create acknowledged, mean; floor: a bare create", seen, "ms", create, "", True),
        Figure(
            f"chain of {length}, median of {rounds}", value, "s", floor, "≤ 1.10 times bare pods", value <= 1.10 * floor
        ),
        Figure(
            f"creates within 5 ms of the event ({count})", fast * 100, "%", None, "≥ 50 % (p50 ≤ 5 ms)", fast >= 0.5
        ),
        Figure(
            f"creates within 25 ms of the event ({count})", slow * 100, "%", None, "≥ 99 % (p99 ≤ 25 ms)", slow >= 0.99
        ),
        Figure("operator, idle: memory (with a kubeconfig)", idle_rss, "MB", None, "", True),
        Figure("operator, idle: CPU", idle_cpu, "% of a core", None, "≤ 1 %", idle_cpu <= 1),
        Figure("operator, after the chains: memory", measured.rss(), "MB", None, "", True),
    ]


main()
