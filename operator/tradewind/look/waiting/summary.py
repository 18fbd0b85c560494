"""Where waiting time goes now: by cause, and the runs that wait longest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tradewind.control.dagrun.run import Run
from tradewind.look.waiting.reason import WORK, Cause, Wait
from tradewind.look.waiting.survey import Surveyed


@dataclass(slots=True)
class Share:
    """All waits for one cause. Seconds cover those whose time is known."""

    cause: Cause
    example: tuple[Run, Wait]
    tasks: int = 0
    longest: float | None = None
    total: float | None = None


def shares(found: Sequence[Surveyed], now: float) -> list[Share]:
    """The waits by cause, in the order of a task's life cycle; the example is the longest wait."""
    by_cause: dict[Cause, Share] = {}
    for item in found:
        for wait in item.waits:
            share = by_cause.setdefault(wait.cause, Share(wait.cause, (item.run, wait)))
            share.tasks += 1
            seconds = wait.seconds(now)
            if seconds is None:
                continue
            share.total = (share.total or 0.0) + seconds
            if share.longest is None or seconds > share.longest:
                share.longest, share.example = seconds, (item.run, wait)
    return [by_cause[cause] for cause in Cause if cause in by_cause]


TIMER = "Wait"
"""The reason of a task that waits for a time."""


def timers(found: Sequence[Surveyed], now: float) -> list[Share]:
    """The tasks that wait for a time, as one share or none: they run, so they are no lost time, and yet wait."""
    own = [Surveyed(item.run, [wait for wait in item.waits if wait.reason == TIMER]) for item in found]
    return shares(own, now)


def slowest(found: Sequence[Surveyed], now: float) -> list[tuple[Run, Wait]]:
    """The longest wait of each run that has one; the longest first."""
    held = []
    for item in found:
        lost = [wait for wait in item.waits if wait.cause not in WORK]
        if lost:
            held.append((item.run, max(lost, key=lambda wait: wait.seconds(now) or 0.0)))
    return sorted(held, key=lambda pair: -(pair[1].seconds(now) or 0.0))


def as_data(found: Sequence[Surveyed], now: float) -> dict[str, Any]:
    """The output for programs: the causes, and each run with its longest wait."""
    longest = {run.uid: wait for run, wait in slowest(found, now)}
    return {
        "causes": [
            {
                "cause": str(share.cause),
                "tasks": share.tasks,
                "longestSeconds": None if share.longest is None else round(share.longest),
                "totalSeconds": None if share.total is None else round(share.total),
                "example": {
                    "namespace": share.example[0].namespace,
                    "run": share.example[0].name,
                    "task": share.example[1].task,
                },
            }
            for share in shares(found, now)
        ],
        "runs": [
            {
                "namespace": item.run.namespace,
                "run": item.run.name,
                "dag": item.run.dag,
                "phase": item.run.phase or "Queued",
                "tasks": {str(share.cause): share.tasks for share in shares([item], now)},
                "longest": _longest(longest.get(item.run.uid), now),
            }
            for item in found
        ],
    }


def _longest(wait: Wait | None, now: float) -> dict[str, Any] | None:
    return None if wait is None else {"task": wait.task, **wait.data(now)}
