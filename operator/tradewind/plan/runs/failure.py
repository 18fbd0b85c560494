"""How tasks ended, as data for expressions: a function of the attempts, so that it is the same after a restart."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from tradewind.model import duration
from tradewind.plan.expressions.scope import exit_code
from tradewind.plan.outcomes.attempt import FAILURES, LOSSES
from tradewind.plan.outcomes.state import FINAL, State
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


def handled_ends(
    task: str, state: State, units: Sequence[Unit], fan_out: bool, why: str
) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """The ends of a task that handlers may run for: the kind of each, the number of its last attempt (0 for a fan-out, or if
    there is none), and the data."""
    if not fan_out:
        started = max((unit.live.number if unit.live else 0 for unit in units), default=0)
        for attempt in (attempt for unit in units for attempt in unit.ended):
            started = max(started, attempt.number)
        for attempt in (attempt for unit in units for attempt in unit.ended if not attempt.succeeded):
            if attempt.number < started:
                words = (FAILURES | LOSSES).get(attempt.reason, "")
                yield (
                    "Retry",
                    attempt.number,
                    _end(task, "Retry", attempt.reason, exit_code(attempt), words, attempt.number),
                )
    kind = {State.LOST: "Failed"}.get(state, str(state))
    if state not in FINAL:
        return
    if fan_out:
        reason = "ItemsFailed" if kind == "Failed" else ""
        yield kind, 0, _end(task, kind, reason, -1 if reason else 0, why, 0)
    else:
        number = units[0].ended[-1].number if units[0].ended else 0
        yield kind, number, {"task": task, "state": kind, **failure(units[0]), "attempts": len(units[0].ended)}


def _end(task: str, state: str, reason: str, code: int, message: str, attempts: int) -> Mapping[str, Any]:
    return {"task": task, "state": state, "reason": reason, "exitCode": code, "message": message, "attempts": attempts}


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
