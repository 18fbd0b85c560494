"""`python -m bench`: how close to the floor, on a real cluster if there is one, otherwise on the embedded server."""

import asyncio
import contextlib
import secrets
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import click
from cluster.fixtures import Cluster
from cluster.provider import Unavailable, choose
from tradewind.kube.errors import ApiError
from worlds.embedded import embedded
from worlds.world import World

from bench.figure import Figure
from bench.measures import kubelet, peer, planner, sensing, shapes, sharded, standing, status, ticking
from bench.measures.sensing import ITEMS
from bench.report import show
from bench.rig import access
from bench.rig.load import faked
from bench.rig.operator import operator

RESULTS = Path(__file__).parent / "results"
OTHERS = ("kubelet", "shards", "S11", "idle", "sensors", "ticks", "local", "planner", "status")


class Worlds(Protocol):
    """Makes a namespace, with the given name or a new one."""

    def __call__(self, name: str = "") -> contextlib.AbstractContextManager[World]: ...


@click.command()
@click.option(
    "--side", type=click.Choice(["auto", "real", "embedded"]), default="auto", show_default=True, help="Which server."
)
@click.option("--only", default="", help=f"Some shapes, with commas: {', '.join([*shapes.SHAPES, *OTHERS])}.")
@click.option("--size", default=1.0, show_default=True, help="Share of each shape's size: 0.1 for a quick look.")
@click.option("--results", default=RESULTS, type=click.Path(path_type=Path), help="Folder for JSON and plots.")
@click.option("--peer", "command", help="A command to measure beside us; see bench/measures/peer.py.")
def main(side: str, only: str, size: float, results: Path, command: str | None) -> None:
    """Measure every shape next to its floor."""
    wanted = [name for name in only.split(",") if name] or [*shapes.SHAPES, *OTHERS]
    if unknown := set(wanted) - {*shapes.SHAPES, *OTHERS}:
        raise click.UsageError(f"no such shape: {', '.join(sorted(unknown))}")
    with sides(side) as (name, worlds):
        figures: list[Figure] = []
        try:
            for shape in wanted:
                print(f"{shape} …", file=sys.stderr, flush=True)
                figures += _measured_or_not(shape, size, name, worlds)
            if command:
                with worlds() as world:
                    figures += peer.measured(world, command)
        finally:  # half an hour's figures are not lost with the last of them
            show(figures, name, results)


def _measured_or_not(shape: str, size: float, side: str, worlds: Worlds) -> list[Figure]:
    """The figures of a shape. A server that does not answer, or too slowly, costs this shape only."""
    try:
        return _measured(shape, size, side, worlds)
    except (TimeoutError, ApiError) as error:
        print(f"{shape}: {error or 'not over in time'}", file=sys.stderr)
        return [Figure(f"{shape}: not over in time", float("nan"), "", None, "", False)]


def _measured(shape: str, size: float, side: str, worlds: Worlds) -> list[Figure]:
    if shape == "planner":
        return planner.figures()
    if shape == "status":
        return status.figures()
    if shape == "local":
        return standing.local(40)
    if shape == "shards":
        return sharded.figures(worlds, size)
    with worlds() as world, worlds() as beside:
        if shape == "kubelet":
            return kubelet.figures(world)
        with faked(world, beside):
            if shape == "S11":
                return asyncio.run(
                    standing.started(world, max(1_000, round((100_000 if side == "real" else 5_000) * size)))
                )
            if shape == "idle":
                return asyncio.run(standing.idle(world, max(50, round(1_000 * size))))
            if shape == "ticks":
                return asyncio.run(ticking.ticks(world, beside, max(20, round(1_000 * size))))
            if shape == "sensors":
                return asyncio.run(sensing.sensors(world, beside, max(ITEMS, round(5_000 * size))))
            with operator(world.kubeconfig, world.namespace) as measured:

                async def run() -> list[Figure]:
                    async with world.client() as client:
                        return await shapes.SHAPES[shape](shapes.Lab(world, beside, client, measured, size, side))

                return asyncio.run(run())


@contextlib.contextmanager
def sides(side: str) -> Iterator[tuple[str, Worlds]]:
    """The name of the side, and a maker of worlds: each shape has a namespace of its own."""
    provider = choose()
    why = provider.reason if isinstance(provider, Unavailable) else ""
    if side == "real" and why:
        sys.exit(f"no real cluster: {why}")
    if side == "embedded" or isinstance(provider, Unavailable):
        because = f" (no cluster: {why})" if why else ""
        print(f"on the embedded server, with tasks as local processes{because}", file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder, embedded(Path(folder)) as make:
            yield "embedded", lambda name="": contextlib.nullcontext(make(name or _namespace()))
        return
    was_up = provider.is_up()
    cluster = Cluster(provider, provider.up(), brought_up=not was_up)
    try:
        yield "real", lambda name="": access.world_of(cluster, name or _namespace())
    finally:
        if not was_up:
            provider.down()


def _namespace() -> str:
    return f"bench-{secrets.token_hex(2)}"


if __name__ == "__main__":
    main()
