"""Runs from the view of a backfill."""

from collections.abc import Iterator, Mapping

from tradewind.control.dagrun.run_index import Entry
from tradewind.plan.triggers.backfill import TickRun


def tick_runs(runs: Mapping[str, Entry], backfill: str) -> Iterator[TickRun]:
    """The runs of a DAG, and whether this backfill made them."""
    for run in runs.values():
        mine = backfill in run.backfills
        yield TickRun(run.name, run.moment, run.created, run.phase, run.final, mine, run.again)
