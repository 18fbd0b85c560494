"""A run as rows: one per task, from the run, its revision and its pods."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.state import RunState
from tradewind.kube.pod import Pod
from tradewind.look.reading import of_kind
from tradewind.look.waiting.stopping import stopping
from tradewind.plan import pacing
from tradewind.plan.outcomes.attempt import Attempt
from tradewind.plan.outcomes.state import FINAL, State
from tradewind.plan.runs.planner import Planner
from tradewind.plan.runs.unit import Unit

BEFORE_START = frozenset({"Parallelism", "BackOff", "QuotaExceeded", "Suspended"})
"""Reasons for which an attempt has no pod yet, besides those of pools."""


@dataclass(frozen=True, slots=True)
class Row:
    """A task, or an item of one, as people see it. Seconds are None if it has not run."""

    task: str
    state: State
    depth: int
    attempts: Sequence[Attempt]
    live: Pod | None
    seconds: float | None
    message: str
    item: str = ""
    """Label of the item."""
    run: str = ""
    """Name of the task's run."""
    parts: "Sequence[Part]" = ()
    """The runs that are its attempts, if it calls another DAG."""

    def with_parts(self, parts: "Sequence[Part]") -> "Row":
        """The same row, with the runs that are its attempts."""
        return replace(self, parts=parts)


@dataclass(frozen=True, slots=True)
class Part:
    """A run that is an attempt of a task, with its tasks."""

    run: Run
    rows: Sequence[Row]


def flat(found: Sequence[Row], above: str = "") -> Iterator[Row]:
    """The rows, each followed by those of the last run below it, named `sub/inner`. A message of such a row is not
    repeated by its parent."""
    for row in found:
        below = row.parts[-1].rows if row.parts else ()
        again = any(row.message == inner.message for inner in below)
        yield replace(row, task=f"{above}{row.task}", message="" if again else row.message)
        yield from flat(below, f"{above}{row.task}/")


def rows(view: RunState) -> list[Row]:
    """A row per task, in an order in which they can run; a fan-out is followed by a row per item."""
    run, planner = view.run, view.planner
    assert planner is not None  # noqa: S101 - picture has bound it
    graph, decided = planner.definition.graph, planner.decide(0.0)
    past = {item["task"]: _message(item) for item in run.status.get("failures") or []}
    past |= {key: end.message for (key, _), end in view.attempts.news.items() if not end.attempt.succeeded}
    now = {hold.task: hold.message for hold in decided.holds}
    now |= {item["task"]: _message(item) for item in run.status.get("waiting") or [] if not _stale(view, item)}
    messages = _Messages(past, now)
    result = []
    depths: dict[str, int] = {}
    for task in pacing.each(graph.order):
        depth = depths[task] = max((depths[name] + 1 for name in graph.upstream[task]), default=0)
        if group := planner.ledger.groups.get(task):
            state = _shown(run, group.state)
            words = group.why or messages.of(task, state)
            result.append(Row(task, state, depth, (), None, None, words, run=run.name))
        units = pacing.each(planner.ledger.members(task))
        result.extend(_row(unit, planner, view, messages, depth + (group is not None)) for unit in units)
    return result


@dataclass(frozen=True, slots=True)
class _Messages:
    """Messages about tasks: why they failed, and what they wait for now."""

    past: Mapping[str, str]
    now: Mapping[str, str]

    def of(self, task: str, state: State) -> str:
        """The message for a task in this state: that of an ended attempt does not apply to the next one."""
        return self.now.get(task) or (self.past.get(task, "") if state in FINAL else "")


def _stale(view: RunState, item: Mapping[str, Any]) -> bool:
    """Whether a message is about a start that has happened since: the unit has a pod by now."""
    unit = view.planner.ledger.units.get(item["task"]) if view.planner else None
    if unit is None or unit.live is None or (unit.key, unit.live.number) not in view.pods.unsaved:
        return False
    reason = str(item.get("reason") or "")
    return reason in BEFORE_START or reason.startswith("Pool")


def _message(item: Mapping[str, Any]) -> str:
    return str(item.get("message") or "")


def _row(unit: Unit, planner: Planner, view: RunState, messages: _Messages, depth: int) -> Row:
    state = _shown(view.run, unit.state)
    pod = view.pods.unsaved.get((unit.key, unit.live.number)) if unit.live else None
    if state in FINAL and (planner.fixed(unit.key) or planner.fixed(unit.task)):
        shown = unit.why  # set by hand or by another run: messages of its attempts don't count any more
    elif state is State.SUCCEEDED:
        shown = ""
    else:
        shown = (
            (stopping(pod, time.time()) if pod else "")
            or messages.of(unit.key, state)
            or (unit.why if state in (*_TOLD, State.SKIPPED) else "")
        )
    item = planner.ledger.item_name(unit) if unit.index is not None else ""
    return Row(unit.key, state, depth, unit.ended, pod, _seconds(unit.ended, pod), shown, item, view.run.name)


_TOLD = (State.FAILED, State.LOST, State.UPSTREAM_FAILED, State.CANCELLED, State.WAITING)


def _shown(run: Run, state: State) -> State:
    return State.CANCELLED if run.final and state not in FINAL else state


def _seconds(attempts: Sequence[Attempt], pod: Pod | None) -> float | None:
    if pod is not None:
        main = pod.main()
        began = main.running.started_at if main and main.running else None
        return max(0.0, time.time() - began.timestamp()) if began else None
    return float(attempts[-1].end - attempts[-1].start) if attempts else None


def as_data(run: Run, found: Sequence[Row]) -> dict[str, Any]:
    """The run for programs: `--output json`."""
    status = run.status
    return {
        "run": run.name,
        "namespace": run.namespace,
        "dag": run.dag,
        "phase": run.phase or "Queued",
        "message": status.get("message") or "",
        "params": of_kind(dict, status.get("params") or run.params),
        "revision": status.get("revision") or "",
        "revisionNumber": status.get("revisionNumber") or None,
        "startedAt": status.get("startedAt"),
        "reopenedAt": status.get("reopenedAt"),
        "finishedAt": status.get("finishedAt"),
        "results": of_kind(dict, status.get("results")),
        "tasks": {row.task: _task_data(row, status) for row in found},
    }


def _task_data(row: Row, status: Mapping[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = {
        "state": str(row.state),
        "attempts": [
            {
                "number": item.number,
                "reason": item.reason,
                "exitCode": item.exit_code,
                "node": item.node,
                "start": item.start,
                "end": item.end,
            }
            for item in row.attempts
        ],
        "message": row.message,
    }
    if row.item:
        data["item"] = row.item
    if row.parts:
        data["runs"] = [as_data(part.run, part.rows) for part in row.parts]
    if outputs := of_kind(dict, status.get("outputs")).get(row.task):
        data["outputs"] = outputs
    return data


def failed(found: Sequence[Row], above: str = "") -> list[Row]:
    """The tasks that failed for good; a failed task that calls another DAG is replaced by the failed tasks in that,
    named as in `flat`."""
    result = []
    for row in found:
        if row.state in (State.FAILED, State.LOST):
            below = failed(row.parts[-1].rows, f"{above}{row.task}/") if row.parts else []
            result += below or [replace(row, task=f"{above}{row.task}")]
    return result
