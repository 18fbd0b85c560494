"""The status of a run, as a pure function of what was observed and planned."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tradewind.control.dagrun import deadlines
from tradewind.control.dagrun.attempt_log import append
from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.state import STATUS_LIST_LIMIT, RunState
from tradewind.control.pods.observation import Ended
from tradewind.control.shared import conditions
from tradewind.kube.merge_patch import Status
from tradewind.model import duration
from tradewind.model.duration import between
from tradewind.model.run import FINAL_PHASES, Edit
from tradewind.model.shown import brief, counted
from tradewind.plan.documents.problem import Problem, summary
from tradewind.plan.outcomes.attempt import LOOP_FAILED, SKIPS, Fixed
from tradewind.plan.outcomes.state import FINAL, State
from tradewind.plan.runs.decision import Hold, Plan
from tradewind.plan.runs.planner import Planner
from tradewind.plan.runs.rework import Change
from tradewind.plan.triggers.asset_update import UPDATES_LIMIT, NoUpdate, update, update_of_run

NAMED = 10
"""Number of tasks that the description of an edit names."""
DELETING = "the run is being deleted: "
"""The beginning of the message of such a run, which is stopped like a terminated one."""
PRODUCED, ASSET_ERROR = "AssetsProduced", "AssetError"
"""The condition that is present and False where an asset update could not be recorded; and the reason."""


def elapsed(run: Run, now: float) -> float:
    """Seconds since a run began or was reopened, according to its status."""
    return between(_moment(run.status.get("reopenedAt")) or started_at(run, now), duration.stamp(now))


def started_at(run: Run, now: float) -> str:
    """When a run first began; its creation if the status has an invalid timestamp."""
    return _moment(run.status.get("startedAt") or duration.stamp(now)) or duration.stamp(run.created)


def _moment(text: Any) -> str:
    """A timestamp unchanged; empty if it is invalid."""
    try:
        duration.instant(str(text or ""))
    except ValueError:
        return ""
    return str(text)


def condition(kind: str, holds: bool | None, reason: str, message: str, run: Run, now: float) -> Status:
    """A condition of a run."""
    return conditions.condition(kind, holds, reason, message, run.status, run.generation, now)


def readiness(phase: str, reason: str, message: str, run: Run, now: float) -> list[Status]:
    """The condition Ready, which is True once a run has succeeded."""
    return conditions.readiness(phase, reason, message, run.status, run.generation, now)


def called_by(run: Run) -> Status:
    """The attempt that made a run which begins or ends, for its status. Its labels can be changed afterwards, and decide nothing then."""
    if (caller := run.caller) is None:
        return {}
    whose = {"run": caller.run, "uid": caller.uid, "task": caller.task, "attempt": caller.number}
    return {"calledBy": {**whose, "depth": caller.depth, "root": run.root}}


def broken_off(run: Run, phase: str, reason: str, message: str, now: float) -> Status:
    """The status of a run that ends without its planner. The fields about its tasks stay unchanged."""
    started = started_at(run, now)
    lasted = between(started, duration.stamp(now))
    kept = [
        item
        for item in run.status.get("conditions") or []
        if item.get("type") in ("Started", "Edited", deadlines.MISSED)
    ]
    return {
        **called_by(run),
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


def edit_text(edit: Edit) -> str:
    """An edit in words: what it does to which tasks, who asked for it, and why."""
    who, why = f" by {edit.by}" if edit.by else "", f": {edit.reason}" if edit.reason else ""
    more = f" and {len(edit.tasks) - NAMED} more" if len(edit.tasks) > NAMED else ""
    return f"{edit.action} {', '.join(edit.tasks[:NAMED])}{more}{who}{why}"


@dataclass(frozen=True, slots=True)
class Asked:
    """Requested edits, the resulting changes, and the problems found."""

    edits: Sequence[Edit]
    changes: Sequence[Change]
    problems: Sequence[Problem]


def current(
    state: RunState, planner: Planner, plan: Plan, news: Sequence[Ended], now: float, asked: Asked | None = None
) -> Status:
    """The status of a run that has begun, possibly ending now."""
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
        "message": brief(f"{DELETING}{plan.message}" if run.deleting else plan.message),
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
        **({"kept": dict(plan.kept)} if planner.definition.spec.keep else {}),
        "produced": produced,
        "failures": failures[-STATUS_LIST_LIMIT:],
        "skips": _skips(run, planner),
        "waiting": [
            {"task": hold.task, "reason": hold.reason, "message": brief(hold.message, 1_024)} for hold in holds
        ],
    }
    if asked:
        _apply_edits(status, run, asked, now)
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
        words = summary(asked.problems) or "; ".join(map(edit_text, asked.edits))
        found.append(condition("Edited", not asked.problems, "Refused" if asked.problems else "Done", words, run, now))
    if plan.phase in FINAL_PHASES:
        lasted = between(before.get("startedAt") or duration.stamp(now), duration.stamp(now))
        status |= {"finishedAt": duration.stamp(now), "duration": duration.text(lasted), "waiting": []}
        found.append(condition("Succeeded", plan.phase == "Succeeded", plan.phase, plan.message, run, now))
    # Deadlines of a run that is reopened count from now on.
    if not run.reopened and (missed := deadlines.missed(run, planner, now)):
        found.append(condition(deadlines.MISSED, True, deadlines.MISSED, deadlines.words(missed), run, now))
    found += readiness(plan.phase, progressing["reason"], progressing["message"], run, now)
    status["conditions"] = found
    return status


def _outputs(before: Mapping[str, Any], news: Sequence[Ended]) -> Status:
    """The outputs of all tasks; for a loop, those of the last successful iteration."""
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
    """The updates of assets: those recorded before, those of tasks that have just succeeded, and those of the run if it succeeds. The
    second list has a failure for each update that could not be recorded."""
    found, failures = list(before), list[Status]()

    def tell(task: str, attempt: int, what: Callable[[], Status]) -> None:
        try:
            if len(found) == UPDATES_LIMIT:
                raise NoUpdate(f"produces: a run records at most {UPDATES_LIMIT} updates of assets")
            found.append(what())
        except NoUpdate as error:
            failure = {"task": task, "attempt": attempt, "reason": ASSET_ERROR, "message": brief(str(error), 1_024)}
            failures.append(failure)

    for end in news:
        unit = planner.ledger.units.get(end.attempt.task)
        if unit is None or unit.state is not State.SUCCEEDED or not unit.ended or unit.ended[-1] != end.attempt:
            continue
        for index, produces in enumerate(planner.definition.tasks[unit.task].produces):
            tell(unit.key, end.attempt.number, partial(update, planner.ledger, unit, index, produces))
    whole = plan.phase == "Succeeded" and not planner.ledger.run.partial
    for index, produces in enumerate(planner.definition.spec.produces if whole else ()):
        tell("", 1, partial(update_of_run, planner.ledger, index, produces, now))
    return found, failures


def _apply_edits(status: Status, run: Run, asked: Asked, now: float) -> None:
    """Sets what changes besides the log: cleared tasks lose their outputs, tasks marked as succeeded get the given ones."""
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
    """The holds in the order that the status already has, so that two operators don't keep reordering each other's status."""
    there = {hold.task: hold for hold in plan.holds}
    listed = [item.get("task", "") for item in run.status.get("waiting") or []]
    kept = {task: hold for task in listed if (hold := there.get(task) or planner.holds.get(task))}
    return list({**kept, **there}.values())[:STATUS_LIST_LIMIT]


def _progressing(run: Run, plan: Plan, holds: list[Hold], now: float) -> Status:
    """The condition Progressing: whether anything moves and, if not, why."""
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
    """Failures of tasks without a failed attempt that the status does not list yet."""

    def reason(key: str) -> str:
        unit = planner.ledger.units.get(key)
        return unit.failed_as or LOOP_FAILED if unit and unit.ended else "ExpressionError"

    return [
        {"task": key, "attempt": 0, "reason": reason(key), "message": brief(why, 1_024)}
        for key, why in list(planner.refused.items())[:STATUS_LIST_LIMIT]
        if key not in state.attempts.reported
    ]


def _skips(run: Run, planner: Planner) -> list[Status]:
    """The first skipped tasks and their reasons."""
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
    return not end.attempt.succeeded and end.attempt.reason not in SKIPS


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
