"""`make hostile`: gives thousands of hostile inputs to an operator, and reports what others noticed. Exit code 1 for a
violation, or a planted fault that was not found."""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from .arena import arena
from .campaign import BATCH, Found, Result, batches, campaign, chosen
from .generators import GENERATORS
from .oracles import LIMITS, MEMORY, WHOLE, Outcome
from .plants import PLANTS

console = Console(width=None if sys.stdout.isatty() else 160, markup=False, highlight=False)


@click.command()
@click.option(
    "--inputs", "count", default=10_000, show_default=True, help="How many; 10000 take about 12 minutes on two cores."
)
@click.option("--seed", default=0, show_default=True, help="Of what chance makes.")
@click.option("--only", multiple=True, metavar="GENERATOR", help="Only inputs of this generator; repeat for more.")
@click.option("--plants/--no-plants", default=True, help="Look for put-back faults too, unless --only is given.")
@click.option(
    "--plant",
    multiple=True,
    help="Only this put-back fault, and no inputs beside those that can find it; repeat for more.",
)
@click.option(
    "--logs", type=click.Path(path_type=Path), help="Folder for the logs of the processes.  [default: a temporary one]"
)
def main(count: int, seed: int, only: tuple[str, ...], plants: bool, plant: tuple[str, ...], logs: Path | None) -> None:
    """Hand hostile inputs to an operator that other tenants need."""
    folder = logs or Path(tempfile.mkdtemp(prefix="hostile-"))
    broken = 0
    if not plant:
        broken = asyncio.run(_inputs(folder, count, seed, only))
    if plant or (plants and not only):  # most of them can't be seen with one generator
        broken += asyncio.run(_plants(folder, seed, plant))
    sys.exit(1 if broken else 0)


async def _inputs(folder: Path, count: int, seed: int, only: tuple[str, ...]) -> int:
    began, found = time.monotonic(), chosen(count, seed, only)
    said = 0

    def told(result: Result, outcome: Outcome, number: int, of: int) -> None:
        nonlocal said
        for each in result.found[said:]:
            _show(each)
        said = len(result.found)
        others = max(result.others, default=0.0)
        words = f"batch {number}/{of}: {result.inputs.total()} inputs, {result.runs.total()} runs, lag {result.lag:.2f} s, {result.memory}/{result.whole} MiB"
        console.print(f"{words}, bystander {others:.1f} s, {time.monotonic() - began:.0f} s", style="dim")
        for violation in outcome.violations:
            console.print(f"  {violation}"[:300], style="dim")

    async with arena(folder / "inputs") as here:
        result = await campaign(here, found, told, BATCH)
    _summary(result, time.monotonic() - began)
    return len([each for each in result.found if each.again])


def _show(found: Found) -> None:
    seen = "" if found.again else " (not seen again: others worked on this machine?)"
    console.print(f"{found.violation}{seen}", style="red" if found.again else "yellow")
    if found.again:
        for each in found.inputs[:5]:
            console.print(f"    {each.generator}: {each.what}")
            for _, data in each.written("WEB"):
                console.print(f"      {data.decode()[:600]}")


def _summary(result: Result, took: float) -> None:
    table = Table(
        "generator",
        "inputs",
        "violations",
        title=f"{result.inputs.total()} inputs, {result.stored} objects, {result.refused} refused, {took:.0f} s",
    )
    guilty = [each.inputs[0].generator for each in result.found if each.again and each.inputs]
    for name in GENERATORS:
        if result.inputs[name]:
            table.add_row(name, str(result.inputs[name]), str(guilty.count(name)))
    console.print(table)
    others = sorted(result.others) or [0.0]
    console.print(
        f"runs of {len(others)} others: median {others[len(others) // 2]:.2f} s, longest {others[-1]:.2f} s (limit {LIMITS['bystander']:.0f} s)"
    )
    console.print(
        f"event loop stood still for at most {result.lag:.2f} s (limit {LIMITS['lag']:.0f} s), memory {result.memory} MiB (limit {MEMORY} MiB), with children {result.whole} MiB (limit {WHOLE} MiB)"
    )
    console.print(f"runs: {', '.join(f'{phase} {count}' for phase, count in result.runs.most_common())}")
    console.print(f"inputs {result.inputs.total()}, violations {len(guilty)}")


async def _plants(folder: Path, seed: int, only: tuple[str, ...]) -> int:
    """Looks for each planted fault; returns how many were not found."""
    names, missed = [name for name in PLANTS if not only or name in only], 0
    for name in names:
        found = await first_found(folder / name, name, seed)
        missed += found is None
        console.print(
            f"  put back: {name} {PLANTS[name].what} - {found or 'not found'}", style=None if found else "red"
        )
    console.print(f"put-back faults found {len(names) - missed}/{len(names)}")
    return missed


async def first_found(folder: Path, name: str, seed: int = 0, most: int = 6) -> str | None:
    """The first sign of a planted fault, in a few batches of the inputs that can show it."""
    plant = PLANTS[name]
    found = [each for each in chosen(1_200, seed, plant.generators) if plant.only in each.what]
    async with arena(folder, name) as here:
        for batch in batches(found, BATCH // 2)[:most]:
            outcome = await here.play(batch)
            for violation in outcome.violations:
                if violation.oracle in plant.oracles:
                    return str(violation)
    return None


if __name__ == "__main__":
    main()
