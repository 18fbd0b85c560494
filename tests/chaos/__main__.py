"""`make chaos`: plays the campaign, or one seed of it, and reports the results. Exit code 1 for a broken promise, or a
planted bug that was not found."""

import logging
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from .campaign import Result, campaign, check, first_found, scenario_of, shrunk
from .checker import violations
from .history import PODS, RUNS, History
from .plants import PLANTS
from .world import simulate

SEARCHED = 1_000
"""Seeds within which a planted bug has to be found."""
SHOWN = 10
console = Console(width=None if sys.stdout.isatty() else 150)


@click.command()
@click.option(
    "--schedules",
    default=5_000,
    show_default=True,
    help="How many scenarios to play; 100000 take about an hour on two cores.",
)
@click.option("--first", default=0, show_default=True, help="The first seed.")
@click.option("--workers", default=0, help="Processes; as many as there are cores unless said otherwise.")
@click.option("--plants/--no-plants", default=True, help="Look for planted bugs too.")
@click.option("--seed", type=int, help="Play one scenario only: with what went wrong, shrunk, and what happened when.")
def main(schedules: int, first: int, workers: int, plants: bool, seed: int | None) -> None:
    """Play scenarios in which everything goes wrong, and check that every promise holds."""
    if seed is not None:
        sys.exit(_one(seed))
    began, total = time.monotonic(), Result()
    with Progress(console=console, disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("schedules", total=schedules)
        for result in campaign(first, schedules, workers):
            total.add(result)
            progress.update(bar, completed=total.schedules)
            for broken, words in result.broken.items():
                console.print(f"seed {broken}: {'; '.join(words)}", style="red", markup=False)
    _summary(total, time.monotonic() - began)
    missed = _plants(workers) if plants else 0
    sys.exit(1 if total.broken or missed else 0)


def _summary(total: Result, took: float) -> None:
    table = Table(
        "what went wrong", "times", title=f"{total.schedules} schedules, {total.executions} containers, {took:.0f} s"
    )
    for kind, times in sorted(total.faults.items()):
        table.add_row(kind, str(times))
    console.print(table)
    console.print(f"schedules {total.schedules}, faults {total.faults.total()}, violations {len(total.broken)}")
    for seed in sorted(total.broken)[:SHOWN]:
        console.print(f"  again, shrunk: make chaos SEED={seed}")


def _plants(workers: int) -> int:
    """Looks for every planted bug; returns how many were not found."""
    bugs = [bug for bug in PLANTS if bug]
    missed = 0
    with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
        for bug, found in zip(bugs, pool.map(first_found, bugs, [range(SEARCHED)] * len(bugs)), strict=True):
            missed += found is None
            told = f"seed {found[0]}: {found[1][0]}" if found else f"not found in {SEARCHED} schedules"
            console.print(f"  planted: {bug} - {told}", markup=False, style=None if found else "red")
    console.print(f"planted bugs found {len(bugs) - missed}/{len(bugs)}")
    return missed


def _one(seed: int) -> int:
    logging.disable(logging.CRITICAL)
    scenario = scenario_of(seed)
    if check(scenario)[0]:
        scenario = shrunk(scenario)
    console.print(f"seed {seed}; pods are kept: {scenario.retention}")
    for name, task in scenario.tasks.items():
        console.print(f"  {name}: {task}", markup=False)
    for trouble in scenario.troubles:
        console.print(f"  {trouble}", markup=False)
    history, left = simulate(scenario)
    _timeline(history)
    found = violations(scenario, history, left)
    for words in found:
        console.print(words, style="red", markup=False)
    console.print(f"violations {len(found)}")
    return 1 if found else 0


def _timeline(history: History) -> None:
    """What happened, in order."""
    events = [(item.started, f"{item.pod}: starts on {item.node}") for item in history.executions]
    ends = [item for item in history.executions if item.ended is not None]
    events += [(item.ended or 0, f"{item.pod}: ends, {'killed' if item.code is None else item.code}") for item in ends]
    for write in history.writes:
        status = (write.body or {}).get("status") or {}
        if write.kind == PODS:
            deleted = write.body is not None and write.body["metadata"].get("deletionTimestamp")
            what = (
                "is gone" if write.body is None else f"{status.get('phase', '')}{', to be deleted' if deleted else ''}"
            )
            events.append((write.at, f"{write.name}: {what}"))
        if write.kind == RUNS:
            events.append(
                (
                    write.at,
                    f"{write.name}: {status.get('phase')}, {' / '.join((status.get('attempts') or '').splitlines())}",
                )
            )
    for at, words in sorted(events, key=lambda item: item[0]):
        console.print(f"{at:9.3f}  {words}", markup=False, highlight=False)


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets depends on it, and a seed has to decide everything
        os.execve(sys.executable, [sys.executable, "-m", "chaos", *sys.argv[1:]], {**os.environ, "PYTHONHASHSEED": "0"})
    main()
