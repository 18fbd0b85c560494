"""The status of a backfill."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tradewind.control.backfills.ticks import Occasions
from tradewind.model.backfill import FINISHED, Action, BackfillSpec
from tradewind.model.duration import stamp
from tradewind.model.shown import counted
from tradewind.plan.triggers.backfill import Decided, Step
from tradewind.plan.triggers.trigger import told

BACKFILL_STATUS_LIMIT = 20
"""Number of ticks, and of names of runs, in a status."""
DOES: dict[Action, tuple[str, str]] = {
    "Create": ("create {}", "run"),
    "Retry": ("try again what failed in {}", "run"),
    "Rerun": ("run {} another time", "tick"),
}


def held(spec: BackfillSpec, suspended: bool) -> bool:
    """Whether no runs may be made now; `suspended` tells whether the DAG is suspended."""
    return spec.dry_run or spec.desired_state == "Suspended" or suspended


def status_of(spec: BackfillSpec, suspended: bool, about: Occasions, decided: Decided, now: float) -> dict[str, Any]:
    """The fields of the status. `now` is in epoch seconds."""
    done, wanted = decided.succeeded + len(decided.failed), len(about.ticks) - decided.kept
    phase, message = phase_of(spec, suspended, decided)
    return {
        "phase": phase,
        "message": message,
        "progress": f"{done}/{wanted}",
        "total": len(about.ticks),
        "kept": decided.kept,
        "remaining": len(decided.steps),
        "active": len(decided.active),
        "succeeded": decided.succeeded,
        "failed": len(decided.failed),
        "failures": [run.name for run in decided.failed[:BACKFILL_STATUS_LIMIT]],
        "preview": [
            {"tick": told(about.calendar.local(step.tick)), "action": step.action}
            for step in decided.steps[:BACKFILL_STATUS_LIMIT]
        ]
        if phase not in FINISHED
        else [],
        "finishedAt": stamp(now) if phase in FINISHED else None,
    }


def phase_of(spec: BackfillSpec, suspended: bool, decided: Decided) -> tuple[str, str]:
    """The phase and its message."""
    kept = f"; {left(decided.kept, 'tick')}" if decided.kept else ""
    ends = f"{counted(decided.succeeded, 'run')} succeeded, {len(decided.failed)} failed"
    if spec.desired_state == "Cancelled":
        going = f"{counted(len(decided.active), 'run')} being cancelled"
        return ("Running", going) if decided.active else ("Cancelled", f"cancelled; {ends}{kept}")
    if spec.dry_run:
        return "DryRun", f"it would {in_words(decided.steps)}{kept}; set spec.dryRun to false to do so"
    if not decided.steps and not decided.active:
        words = ends if decided.succeeded or decided.failed else "there was nothing to do"
        return ("Failed" if decided.failed else "Succeeded"), f"{words}{kept}"
    going = f"{counted(len(decided.active), 'run')} active, {counted(len(decided.steps), 'tick')} still to come{kept}"
    if spec.desired_state == "Suspended":
        return "Suspended", f"no more runs are made until spec.desiredState is Running (`tradewind resume`); {going}"
    if suspended:
        return (
            "Suspended",
            f"DAG {spec.dag} is suspended: no more runs are made until `tradewind resume dag/{spec.dag}`; {going}",
        )
    return "Running", going


def left(count: int, what: str = "") -> str:
    """A count of things that are left as they are, in words."""
    number = counted(count, what) if what else str(count)
    return f"{number} is left as it is" if count == 1 else f"{number} are left as they are"


def in_words(steps: Sequence[Step]) -> str:
    """The steps in words, such as `create 12 runs, try again what failed in 3 runs`."""
    counts = Counter(step.action for step in steps)
    does = [text.format(counted(counts[action], what)) for action, (text, what) in DOES.items() if counts[action]]
    return ", ".join(does) or "do nothing"
