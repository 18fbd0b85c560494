"""Gauges of runs by phase and tasks by state, derived from all runs so that they can't drift."""

from collections import Counter
from collections.abc import Collection

from tradewind import metrics
from tradewind.control.dagrun.state import RunState
from tradewind.plan.outcomes.state import State


def count(states: Collection[RunState]) -> None:
    """Sets the gauges."""
    runs = Counter(state.run.phase or "Queued" for state in states if not state.run.final)
    for phase in ("Queued", "Running"):
        metrics.runs.labels(phase).set(runs[phase])
    tasks: Counter[State] = Counter()
    for state in states:
        if state.planner and not state.run.final:
            tasks.update(state.planner.ledger.tally)
    for each in State:
        metrics.tasks.labels(each).set(tasks[each])
