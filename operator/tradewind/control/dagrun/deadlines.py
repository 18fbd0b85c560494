"""Deadlines of a run and its tasks: which are missed, and when the next may be. Nothing is stopped because of them."""

from bisect import bisect_right
from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from tradewind.control.dagrun.run import Run
from tradewind.model import duration
from tradewind.model.dag import DAGSpec
from tradewind.plan import pacing
from tradewind.plan.outcomes.state import FINAL
from tradewind.plan.runs.planner import Planner

MISSED = "DeadlineMissed"
"""The condition that is present and True once a deadline is missed; and its reason."""
NAMED = 10
"""Tasks that the message names."""
Due = tuple[str, str, float]
"""What should have ended, within which time, and when (epoch seconds)."""


def due(run: Run, spec: DAGSpec) -> Due | None:
    """The deadline of a run: it counts from its creation, or from when it was reopened."""
    if spec.deadline is None:
        return None
    return (
        "the run",
        spec.deadline,
        _moment(run.status.get("reopenedAt"), run.created) + duration.seconds(spec.deadline),
    )


def missed(run: Run, planner: Planner, now: float) -> list[Due]:
    """The deadlines that a run which has begun has missed. Its own counts from its creation, those of its tasks from when it began."""
    of_run, of_tasks = due(run, planner.definition.spec), planner.definition.deadlines
    found = [of_run] if of_run and now >= of_run[2] else []
    began = _moment(run.began, run.created) if of_tasks else 0.0
    for after, name, within in pacing.each(of_tasks):
        at = began + after
        if now < at:
            break  # Those that follow can't be missed yet.
        ended = _ended(planner, name)
        if ended is None or ended > at:
            found.append((name, within, at))
    return found


def next_due(run: Run, planner: Planner, now: float) -> float | None:
    """When the next deadline of a run may be missed (epoch seconds); None if none is left. It costs little, however many there are."""
    of_run, of_tasks = due(run, planner.definition.spec), planner.definition.deadlines
    ahead = [of_run[2]] if of_run and now < of_run[2] else []
    began = _moment(run.began, run.created) if of_tasks else 0.0
    if (at := bisect_right(of_tasks, now - began, key=itemgetter(0))) < len(of_tasks):
        ahead.append(began + of_tasks[at][0])
    return min(ahead, default=None)


def words(missed: list[Due]) -> str:
    """What is late, for people. It doesn't change with time."""
    named = ", ".join(f"{what} ({within})" for what, within, _ in missed[:NAMED])
    more = f" and {len(missed) - NAMED} more" if len(missed) > NAMED else ""
    return f"not over in time: {named}{more}; nothing is stopped because of it"


def told(status: Mapping[str, Any]) -> str:
    """The words in a status that says that deadlines are missed; empty if it does not."""
    return next((str(item.get("message")) for item in status.get("conditions") or () if item.get("type") == MISSED), "")


def _ended(planner: Planner, task: str) -> float | None:
    """When a task ended; None if it has not, and minus infinity if it never ran."""
    if planner.ledger.states[task] not in FINAL:
        return None
    return max((unit.ended[-1].end for unit in planner.ledger.members(task) if unit.ended), default=float("-inf"))


def _moment(text: Any, otherwise: float) -> float:
    try:
        return duration.instant(str(text or ""))
    except ValueError:
        return otherwise
