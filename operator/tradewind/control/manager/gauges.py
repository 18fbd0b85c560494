"""Gauges of runs by phase and tasks by state; derived, so they can't drift."""

from collections import Counter
from collections.abc import Collection

from tradewind import metrics
from tradewind.control.dagrun.state import RunState
from tradewind.plan.outcomes.state import State


def count(views: Collection[RunState]) -> None:
    """Sets the gauges."""
    runs = Counter(view.run.phase or "Queued" for view in views if not view.run.final)
    for phase in ("Queued", "Running"):
        metrics.runs.labels(phase).set(runs[phase])
    tasks: Counter[State] = Counter()
    for view in views:
        if view.planner and not view.run.final:
            tasks.update(view.planner.ledger.tally)
    for state in State:
        metrics.tasks.labels(state).set(tasks[state])
