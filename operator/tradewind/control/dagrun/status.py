"""The status of a run, as a pure function of what was observed and planned."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tradewind.control.dagrun.attempt_log import append
from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.state import RunState
from tradewind.control.pods.observation import Ended
from tradewind.control.shared import conditions
from tradewind.kube.merge_patch import Status
from tradewind.model import duration
from tradewind.model.duration import between
from tradewind.model.run import FINAL_PHASES, Edit
from tradewind.model.shown import brief, counted
from tradewind.plan.documents.problem import Problem, summary
from tradewind.plan.outcomes.attempt import SOFT, Fixed
from tradewind.plan.outcomes.state import FINAL, State
from tradewind.plan.runs.decision import Hold, Plan
from tradewind.plan.runs.planner import Planner
from tradewind.plan.runs.rework import Change
from tradewind.plan.triggers.asset_update import UPDATES_LIMIT, NoUpdate, update, update_of_run

STATUS_LIST_LIMIT = 20
"""How many failures and waiting tasks a status lists."""
NAMED = 10
"""Tasks of an edit that are named."""
PRODUCED, ASSET_ERROR = "AssetsProduced", "AssetError"
"""The condition that is there, and false, where an update of an asset could not be told; and the reason."""


def elapsed(run: Run, now: float) -> float:
    """Seconds since a run began, or was taken up again, as its status tells it."""
    return between(_moment(run.status.get("reopenedAt")) or started_at(run, now), duration.stamp(now))


def started_at(run: Run, now: float) -> str:
    """When a run began, for the first time; its creation where its status says what is no point in time."""
    return _moment(run.status.get("startedAt") or duration.stamp(now)) or duration.stamp(run.created)


def _moment(text: Any) -> str:
    """A timestamp as it is; empty where it is none."""
    try:
        duration.instant(str(text or ""))
    except ValueError:
        return ""
    return str(text)


def condition(kind: str, holds: bool | None, reason: str, message: str, run: Run, now: float) -> Status:
    """A condition of a run."""
    return conditions.condition(kind, holds, reason, message, run.status, run.generation, now)


def readiness(phase: str, reason: str, message: str, run: Run, now: float) -> list[Status]:
    """Ready is true once a run has succeeded."""
    return conditions.readiness(phase, reason, message, run.status, run.generation, now)


def broken_off(run: Run, phase: str, reason: str, message: str, now: float) -> Status:
    """A run that ends without its planner. What its status says of its tasks stays."""
    started = started_at(run, now)
    lasted = between(started, duration.stamp(now))
    kept = [item for item in run.status.get("conditions") or [] if item.get("type") in ("Started", "Edited")]
    return {
        "observedGeneration": run.generation,
        "phase": phase,
        "message": brief(message),
        "startedAt": started,
        "finishedAt": duration.stamp(now),
        "duration": duration.text(lasted),
        "waiting": [],
        "edited": len(run.edits),
        "retried": run.rounds,
        "conditions": [
            *kept,
            condition("Progressing", False, phase, message, run, now),
            condition("Succeeded", False, reason, message, run, now),
            *readiness(phase, reason, message, run, now),
        ],
    }


def told(edit: Edit) -> str:
    """An edit, for people: what was done to which tasks, by whom, and why."""
    who, why = f" by {edit.by}" if edit.by else "", f": {edit.reason}" if edit.reason else ""
    more = f" and {len(edit.tasks) - NAMED} more" if len(edit.tasks) > NAMED else ""
    return f"{edit.action} {', '.join(edit.tasks[:NAMED])}{more}{who}{why}"


@dataclass(frozen=True, slots=True)
class Asked:
    """What people asked for, what it comes to, and what is wrong with it."""

    edits: Sequence[Edit]
    changes: Sequence[Change]
    problems: Sequence[Problem]


def current(
    state: RunState, planner: Planner, plan: Plan, news: Sequence[Ended], now: float, asked: Asked | None = None
) -> Status:
    """A run under way, or ending."""
    run = state.run
    before = run.status
    entries = [*(end.attempt for end in news), *(asked.changes if asked else ())]
    packed = append(run.packed, entries, run.created)
    done = sum(planner.ledger.tally[final] for final in FINAL)
    failures = [*(before.get("failures") or []), *refusals(state, planner), *map(_failure, filter(_is_failure, news))]
    produced, unproduced = _produced(before.get("produced") or [], planner, plan, news, now)
    failures += unproduced
    holds = _holds(run, plan, planner)
    status: Status = {
        "observedGeneration": run.generation,
        "phase": plan.phase,
        "message": brief(plan.message),
        "progress": f"{done}/{planner.ledger.total}",
        "total": planner.ledger.total,
        "done": done,
        "failed": planner.ledger.tally[State.FAILED] + planner.ledger.tally[State.LOST],
        "skipped": planner.ledger.tally[State.SKIPPED],
        "retried": run.rounds,
        "attempts": packed.text,
        "archive": packed.archive,
        "nodes": list(packed.nodes),
        "outputs": _outputs(before.get("outputs") or {}, news),
        "results": dict(plan.results),
        "produced": produced,
        "failures": failures[-STATUS_LIST_LIMIT:],
        "skips": _skips(run, planner),
        "waiting": [
            {"task": hold.task, "reason": hold.reason, "message": brief(hold.message, 1_024)} for hold in holds
        ],
    }
    if asked:
        _reworked(status, run, asked, now)
    if run.reopened:
        status |= {"reopenedAt": duration.stamp(now), "finishedAt": None, "duration": ""}
    kept = ("Started", PRODUCED) if asked and asked.edits else ("Started", PRODUCED, "Edited")
    found = [item for item in before.get("conditions") or [] if item["type"] in kept]
    if unproduced and not any(item["type"] == PRODUCED for item in found):
        words = f"{unproduced[0]['task'] or 'the run'}: {unproduced[0]['message']}; no trigger hears of this update"
        found.append(condition(PRODUCED, False, ASSET_ERROR, words, run, now))
    progressing = _progressing(run, plan, holds, now)
    found.append(progressing)
    if asked and asked.edits:
        words = summary(asked.problems) or "; ".join(map(told, asked.edits))
        found.append(condition("Edited", not asked.problems, "Refused" if asked.problems else "Done", words, run, now))
    if plan.phase in FINAL_PHASES:
        lasted = between(before.get("startedAt") or duration.stamp(now), duration.stamp(now))
        status |= {"finishedAt": duration.stamp(now), "duration": duration.text(lasted), "waiting": []}
        found.append(condition("Succeeded", plan.phase == "Succeeded", plan.phase, plan.message, run, now))
    found += readiness(plan.phase, progressing["reason"], progressing["message"], run, now)
    status["conditions"] = found
    return status


def _outputs(before: Mapping[str, Any], news: Sequence[Ended]) -> Status:
    """What was handed on; of a loop, by the last iteration that succeeded."""
    found = dict(before)
    for end in news:
        if end.outputs:
            found[end.attempt.task] = end.outputs
        elif end.attempt.succeeded:
            found.pop(end.attempt.task, None)
    return found


def _produced(
    before: list[Status], planner: Planner, plan: Plan, news: Sequence[Ended], now: float
) -> tuple[list[Status], list[Status]]:
    """What was made of assets, with what the tasks say that have just succeeded, and the run if it does; and which of that can't be
    told."""
    found, failures = list(before), list[Status]()

    def tell(task: str, attempt: int, what: Callable[[], Status]) -> None:
        try:
            if len(found) == UPDATES_LIMIT:
                raise NoUpdate(f"produces: a run records at most {UPDATES_LIMIT} updates of assets")
            found.append(what())
        except NoUpdate as error:
            said = {"task": task, "attempt": attempt, "reason": ASSET_ERROR, "message": brief(str(error), 1_024)}
            failures.append(said)

    for end in news:
        unit = planner.ledger.units.get(end.attempt.task)
        if unit is None or unit.state is not State.SUCCEEDED or not unit.ended or unit.ended[-1] != end.attempt:
            continue
        for index, produces in enumerate(planner.definition.tasks[unit.task].produces):
            tell(unit.key, end.attempt.number, partial(update, planner.ledger, unit, index, produces))
    for index, produces in enumerate(planner.definition.spec.produces if plan.phase == "Succeeded" else ()):
        tell("", 1, partial(update_of_run, planner.ledger, index, produces, now))
    return found, failures


def _reworked(status: Status, run: Run, asked: Asked, now: float) -> None:
    """What changes beside the log: outputs go with what is cleared, and come with what is marked."""
    status["edited"] = len(run.edits)
    outputs: dict[str, Any] = status["outputs"]
    refused = {problem.path.partition("]")[0] for problem in asked.problems}
    done = [edit for at, edit in enumerate(asked.edits, run.edited) if f"spec.edits[{at}" not in refused]
    given = {key: value for edit in done for key, value in edit.outputs.items()}
    for change in asked.changes:
        outputs.pop(change.key, None)
        if change.key in given and isinstance(change, Fixed) and change.state is State.SUCCEEDED:
            outputs[change.key] = given[change.key]


def _holds(run: Run, plan: Plan, planner: Planner) -> list[Hold]:
    """What waits, in the order in which the status has it already: two operators must not turn it around for each other, for ever."""
    there = {hold.task: hold for hold in plan.holds}
    told = [item.get("task", "") for item in run.status.get("waiting") or []]
    kept = {task: hold for task in told if (hold := there.get(task) or planner.holds.get(task))}
    return list({**kept, **there}.values())[:STATUS_LIST_LIMIT]


def _progressing(run: Run, plan: Plan, holds: list[Hold], now: float) -> Status:
    """Whether anything moves and, if not, why: what someone reads at 3 a.m."""
    if plan.phase in FINAL_PHASES:
        return condition("Progressing", False, plan.phase, plan.message, run, now)
    if plan.unsettled and not run.cancelled:
        words = "the run's expressions need more CPU time than one pass allows: it takes turns with other runs"
        return condition("Progressing", True, "PutAside", f"{words}; compute large values in tasks", run, now)
    if holds and not plan.moving:
        first = holds[0]
        others = max(plan.held, len(plan.holds)) - 1
        more = f" (and {counted(others, 'more task')} {'waits' if others == 1 else 'wait'})" if others > 0 else ""
        return condition("Progressing", False, first.reason, f"{first.task}: {first.message}{more}", run, now)
    return condition("Progressing", True, "Cancelling" if run.cancelled else "Running", plan.message, run, now)


def refusals(state: RunState, planner: Planner) -> list[Status]:
    """Tasks that failed without an attempt that did, where the status does not say so yet."""

    def reason(key: str) -> str:
        return "LoopFailed" if key in planner.ledger.units and planner.ledger.units[key].ended else "ExpressionError"

    return [
        {"task": key, "attempt": 0, "reason": reason(key), "message": brief(why, 1_024)}
        for key, why in list(planner.refused.items())[:STATUS_LIST_LIMIT]
        if key not in state.attempts.told
    ]


def _skips(run: Run, planner: Planner) -> list[Status]:
    """The first tasks that were skipped, and why."""
    if planner.ledger.tally[State.SKIPPED] == int(run.status.get("skipped") or 0):
        return list(run.status.get("skips") or [])
    found: list[Status] = []
    for task, state in planner.ledger.states.items():
        if state is State.SKIPPED and not planner.ledger.members(task):
            found.append({"task": task, "message": brief(planner.ledger.groups[task].why, 1_024)})
        elif state is State.SKIPPED or task in planner.ledger.groups:
            units = [unit for unit in planner.ledger.members(task) if unit.state is State.SKIPPED][:STATUS_LIST_LIMIT]
            found.extend({"task": unit.key, "message": brief(unit.why, 1_024)} for unit in units)
        if len(found) >= STATUS_LIST_LIMIT:
            break
    return found[:STATUS_LIST_LIMIT]


def _is_failure(end: Ended) -> bool:
    return not end.attempt.succeeded and end.attempt.reason != SOFT


def _failure(end: Ended) -> Status:
    failure: Status = {
        "task": end.attempt.task,
        "attempt": end.attempt.number,
        "reason": end.attempt.reason,
        "message": brief(end.message, 1_024),
    }
    if end.attempt.exit_code is not None:
        failure["exitCode"] = end.attempt.exit_code
    return failure
