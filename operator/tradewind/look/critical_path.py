"""The critical path of a run so far."""

from collections.abc import Sequence
from typing import Any

from tradewind.control.dagrun.state import RunState
from tradewind.look.waiting.task_waits import began_at
from tradewind.plan.outcomes.attempt import Attempt
from tradewind.plan.outcomes.state import State
from tradewind.plan.runs.critical_path import Step, critical_path


def path_of(view: RunState, now: float) -> list[Step]:
    """The path so far: active tasks count as if they ended now (epoch seconds)."""
    planner = view.planner
    assert planner is not None  # noqa: S101 - the picture of a run that has begun
    attempts: dict[str, list[Attempt]] = dict(view.attempts.ended)
    for (key, number), pod in view.pods.unsaved.items():
        unit, main = planner.ledger.units.get(key), pod.main()
        if unit is None or unit.state is not State.RUNNING or not main or not main.running:
            continue
        if began := main.running.started_at:
            start = int(began.timestamp())
            attempts[key] = [*attempts.get(key, []), Attempt(key, number, start, max(start, int(now)))]
    return critical_path(planner.definition, attempts, began_at(view.run), planner.ledger.states)


def path_data(path: Sequence[Step]) -> list[dict[str, Any]]:
    """The path for programs: seconds, and each step's share of the total."""
    total = sum(step.seconds for step in path)
    return [
        {
            "task": step.task,
            "waited": step.waited,
            "retried": step.retried,
            "ran": step.ran,
            "share": round(step.seconds / total, 4) if total else None,
        }
        for step in path
    ]
