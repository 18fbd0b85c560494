"""The status of a run, as a pure function of what was observed and planned."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tradewind.control.observe import Ended
from tradewind.control.status import encode
from tradewind.control.view import Run, View, outputs_of
from tradewind.model import duration
from tradewind.model.run import FINAL_PHASES
from tradewind.plan.planner import FINAL, Hold, Plan, State

Status = dict[str, Any]
SHOWN = 20
"""How many failures and waiting tasks a status lists."""


def stamp(epoch: float) -> str:
    """An API timestamp."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def between(start: str, end: str) -> float:
    """Seconds from one API timestamp to another, never below zero."""
    return max(0.0, (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())


def condition(kind: str, holds: bool | None, reason: str, message: str, run: Run, now: float) -> Status:
    """A condition; its transition time changes only with its status."""
    status = "Unknown" if holds is None else str(holds)
    before = next((item for item in run.status.get("conditions") or [] if item.get("type") == kind), None)
    since = before["lastTransitionTime"] if before and before.get("status") == status else stamp(now)
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message[:4_096],
        "lastTransitionTime": since,
        "observedGeneration": run.generation,
    }


def queued(run: Run, reason: str, message: str, now: float) -> Status:
    """A run that can't begin yet."""
    return {
        "observedGeneration": run.generation,
        "phase": "Queued",
        "message": message,
        "conditions": [condition("Started", False, reason, message, run, now)],
    }


def stillborn(run: Run, phase: str, reason: str, message: str, now: float) -> Status:
    """A run that ends before any task began."""
    return {
        "observedGeneration": run.generation,
        "phase": phase,
        "message": message[:4_096],
        "startedAt": run.status.get("startedAt") or stamp(now),
        "finishedAt": stamp(now),
        "duration": "0s",
        "conditions": [
            condition("Started", False, reason, message, run, now),
            condition("Progressing", False, phase, message, run, now),
            condition("Succeeded", False, reason, message, run, now),
        ],
    }


def begun(run: Run, revision: str, params: Mapping[str, Any], total: int, now: float) -> Status:
    """A run that begins: from here on it is bound to a revision."""
    return {
        "observedGeneration": run.generation,
        "phase": "Running",
        "message": "",
        "revision": revision,
        "params": dict(params),
        "startedAt": stamp(now),
        "progress": f"0/{total}",
        "total": total,
        "done": 0,
        "failed": 0,
        "conditions": [
            condition("Started", True, "Started", f"bound to revision {revision}", run, now),
            condition("Progressing", True, "Running", "", run, now),
        ],
    }


def current(view: View, plan: Plan, news: Sequence[Ended], holds: Sequence[Hold], now: float) -> Status:
    """A run under way, or ending."""
    run = view.run
    attempts, nodes = encode([*view.recorded, *(end.attempt for end in news)], run.created)
    done = sum(state in FINAL for state in plan.states.values())
    status: Status = {
        "observedGeneration": run.generation,
        "phase": plan.phase,
        "message": plan.message,
        "progress": f"{done}/{len(plan.states)}",
        "done": done,
        "failed": sum(state is State.FAILED for state in plan.states.values()),
        "attempts": attempts,
        "nodes": nodes,
        "outputs": outputs_of(run.status, news),
        "failures": [*(run.status.get("failures") or []), *map(_failure, filter(_is_failure, news))][-SHOWN:],
        "waiting": [
            {"task": hold.task, "reason": hold.reason, "message": hold.message[:1_024]} for hold in holds[:SHOWN]
        ],
    }
    conditions = [item for item in run.status.get("conditions") or [] if item["type"] == "Started"]
    conditions.append(_progressing(run, plan, holds, now))
    if plan.phase in FINAL_PHASES:
        lasted = between(run.status.get("startedAt") or stamp(now), stamp(now))
        status |= {"finishedAt": stamp(now), "duration": duration.text(lasted), "waiting": []}
        conditions.append(condition("Succeeded", plan.phase == "Succeeded", plan.phase, plan.message, run, now))
    status["conditions"] = conditions
    return status


def _progressing(run: Run, plan: Plan, holds: Sequence[Hold], now: float) -> Status:
    """Whether anything moves and, if not, why: what someone reads at 3 a.m."""
    if plan.phase in FINAL_PHASES:
        return condition("Progressing", False, plan.phase, plan.message, run, now)
    held = {hold.task for hold in holds}
    moving = any(
        state in (State.RUNNING, State.PENDING, State.READY) and task not in held for task, state in plan.states.items()
    )
    if holds and not moving:
        first = holds[0]
        more = f" (and {len(holds) - 1} more tasks wait)" if len(holds) > 1 else ""
        return condition("Progressing", False, first.reason, f"{first.task}: {first.message}{more}", run, now)
    return condition("Progressing", True, "Cancelling" if run.cancelled else "Running", plan.message, run, now)


def _is_failure(end: Ended) -> bool:
    return not end.attempt.succeeded


def _failure(end: Ended) -> Status:
    failure: Status = {
        "task": end.attempt.task,
        "attempt": end.attempt.number,
        "reason": end.attempt.reason,
        "message": end.message[:1_024],
    }
    if end.attempt.exit_code is not None:
        failure["exitCode"] = end.attempt.exit_code
    return failure


def difference(before: Mapping[str, Any], after: Status) -> Status:
    """The merge patch that makes `before` say what `after` says; maps inside are patched by key."""
    patch: Status = {}
    for key, value in after.items():
        old = before.get(key)
        if old == value or (value in ("", [], {}) and not old):
            continue
        if isinstance(value, dict) and isinstance(old, dict):
            patch[key] = {name: item for name, item in value.items() if old.get(name) != item}
        else:
            patch[key] = value
    return patch
