"""How tasks failed, as data for expressions: a function of the attempts, so that it is the same after a restart."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from tradewind.model import duration
from tradewind.plan.expressions.scope import exit_code
from tradewind.plan.outcomes.attempt import FAILURES, LOSSES
from tradewind.plan.outcomes.state import State
from tradewind.plan.runs.unit import Unit

FAILURES_LIMIT = 64
"""Failures that `run.failures` lists."""
_NONE: Mapping[str, Any] = {"reason": "", "exitCode": 0, "message": "", "attempts": 0}


def failure(unit: Unit) -> Mapping[str, Any]:
    """`failure` of a task or item: reason, exitCode, message and attempts; empty and 0 unless it has failed for good."""
    if unit.state not in (State.FAILED, State.LOST):
        return _NONE
    last = unit.ended[-1] if unit.ended else None
    known = FAILURES | LOSSES
    if last is None or last.reason not in known:  # refused before its first attempt, by its loop, or by a person
        reason = "LoopFailed" if last and last.succeeded and unit.spent.why else "NotRun"
        return {"reason": reason, "exitCode": -1, "message": unit.why, "attempts": len(unit.ended)}
    words = known[last.reason] + (f": {unit.why}" if unit.why else "")
    return {"reason": last.reason, "exitCode": exit_code(last), "message": words, "attempts": len(unit.ended)}


def of_units(units: Iterable[Unit]) -> list[Mapping[str, Any]]:
    """`failures` of a fan-out or a run: those of the given tasks and items that failed, at most FAILURES_LIMIT."""
    failed = (unit for unit in units if unit.state in (State.FAILED, State.LOST))
    return [{"task": unit.key, **failure(unit)} for unit in islice(failed, FAILURES_LIMIT)]


def lasted(started_at: str, units: Iterable[Unit]) -> str:
    """`run.duration`: the time from the run's start to the end of its last attempt, such as `1h30m0s`."""
    if not started_at:
        return duration.text(0)
    began = duration.instant(started_at)
    ends = (unit.ended[-1].end for unit in units if unit.ended)
    return duration.text(max(0.0, max(ends, default=began) - began))
