"""Runs whose operator has stopped reacting: their pods end, or tasks become ready, and nothing follows."""

import time
from collections.abc import Sequence

from tradewind.control.dagrun.state import RunState
from tradewind.look.unclaimed import DOCTOR
from tradewind.look.waiting.reason import Cause
from tradewind.look.waiting.task_waits import waits
from tradewind.model import duration

PATIENCE = 30.0
"""Seconds within which an operator reacts: longer than a new leader needs to take over, and than the longest pause
between two writes of a status."""


class Reaction:
    """Follows whether an operator reacts to what happens to a run and the runs below it."""

    def __init__(self) -> None:
        self._signs: frozenset[object] | None = None
        """What only an operator changes, as last seen when it had something to do."""
        self._since = 0.0
        self._said = False

    def missing(self, views: Sequence[RunState]) -> str:
        """A message that no operator has reacted for a while; empty if one has, still may, or need not, and if this
        has been said."""
        if not any(_owed(view) for view in views):
            self._signs = None
            return ""
        signs, now = frozenset(sign for view in views for sign in _signs(view)), time.monotonic()
        if signs != self._signs:
            self._signs, self._since, self._said = signs, now, False
        lasts = now - self._since
        if self._said or lasts < PATIENCE:
            return ""
        self._said = True
        return f"the operator has not reacted for {duration.text(round(lasts))}: {DOCTOR}"


def _owed(view: RunState) -> bool:
    """Whether the operator has something to do at once: record an attempt's end, or the run's, start a task, or stop
    one."""
    run, planner = view.run, view.planner
    if planner is None or run.final or run.deleting:
        return False
    plan = planner.decide(0.0)
    if view.attempts.news or plan.phase != "Running":
        return True
    if any(_untouched(view, stop.task, stop.number) for stop in plan.stops):
        return True
    return run.desired != "Suspended" and any(wait.cause is Cause.OPERATOR for wait in waits(view, time.time()))


def _untouched(view: RunState, task: str, number: int) -> bool:
    pod = view.pods.unsaved.get((task, number))
    return pod is not None and not pod.metadata.deletion_timestamp


def _signs(view: RunState) -> list[object]:
    """The version of the run, and its pods that exist, or are being deleted."""
    pods = view.pods.unsaved.values()
    return [
        (view.run.uid, view.run.version),
        *((pod.metadata.uid, bool(pod.metadata.deletion_timestamp)) for pod in pods),
    ]
