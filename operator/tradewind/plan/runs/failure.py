"""How tasks ended, as data for expressions: a function of the attempts, so that it is the same after a restart."""

from collections.abc import Iterable, Iterator, Mapping
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
        return {"reason": unit.failed_as or "NotRun", "exitCode": -1, "message": unit.why, "attempts": len(unit.ended)}
    words = known[last.reason] + (f": {unit.why}" if unit.why else "")
    return {"reason": last.reason, "exitCode": exit_code(last), "message": words, "attempts": len(unit.ended)}


End = tuple[str, int, Mapping[str, Any]]
"""The kind of an end that handlers may run for, the number of its attempt (0 if there is none), and the data."""


def ends_of_unit(unit: Unit) -> Iterator[End]:
    """The ends of a task without items: attempts that another one has followed, and its own end."""
    started = max([unit.live.number if unit.live else 0, *(attempt.number for attempt in unit.ended)])
    for attempt in unit.ended:
        if not attempt.succeeded and attempt.number < started:
            words = (FAILURES | LOSSES).get(attempt.reason, "")
            known = _end(unit.task, "Retry", attempt.reason, exit_code(attempt), words, attempt.number)
            yield "Retry", attempt.number, known
    if unit.state in FINAL:
        number, kind = unit.ended[-1].number if unit.ended else 0, _kind(unit.state)
        yield kind, number, {"task": unit.task, "state": kind, **failure(unit), "attempts": len(unit.ended)}


def ends_of_fan_out(task: str, state: State, why: str) -> Iterator[End]:
    """The end of a fan-out as a whole."""
    if state in FINAL:
        kind = _kind(state)
        reason = "ItemsFailed" if kind == "Failed" else ""
        yield kind, 0, _end(task, kind, reason, -1 if reason else 0, why, 0)


def _kind(state: State) -> str:
    return str(State.FAILED if state is State.LOST else state)


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
