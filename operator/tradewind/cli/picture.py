"""What a run looks like: a row per task, from the run, its revision and its pods."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tradewind.control.view import Run, View, gather
from tradewind.kube.pod import Pod
from tradewind.model import duration
from tradewind.plan.attempt import Attempt
from tradewind.plan.definition import Definition
from tradewind.plan.planner import State, plan

LOOKS = {
    State.SUCCEEDED: ("✔", "green"),
    State.FAILED: ("✘", "red"),
    State.UPSTREAM_FAILED: ("⊘", "red"),
    State.CANCELLED: ("⊘", "yellow"),
    State.RUNNING: ("●", "cyan"),
    State.PENDING: ("○", "cyan"),
    State.READY: ("○", "cyan"),
    State.WAITING: ("…", "yellow"),
    State.BLOCKED: ("·", "dim"),
}
PHASES = {"Succeeded": "green", "Failed": "red", "Cancelled": "yellow", "Running": "cyan"}


@dataclass(frozen=True, slots=True)
class Row:
    """A task as people see it. Seconds are None where the task has not run."""

    task: str
    state: State
    depth: int
    attempts: Sequence[Attempt]
    live: Pod | None
    seconds: float | None
    message: str


def rows(run: Run, definition: Definition, pods: Mapping[str, Pod]) -> list[Row]:
    """A row per task, in the order in which they can run."""
    view = View(run)
    view.update(run)
    observed = gather(view, pods, definition.tasks, 0.0)
    decided = plan(definition.graph, definition.terms, observed.facts, 0.0)
    messages = {item["task"]: item["message"] for item in run.status.get("failures") or []}
    messages |= {end.attempt.task: end.message for end in observed.news if not end.attempt.succeeded}
    messages |= {hold.task: hold.message for hold in decided.holds}
    messages |= {item["task"]: item["message"] for item in run.status.get("waiting") or []}
    result = []
    depths: dict[str, int] = {}
    for task in definition.graph.order:
        depths[task] = max((depths[name] + 1 for name in definition.graph.upstream[task]), default=0)
        state = decided.states[task]
        if run.final and state not in (State.SUCCEEDED, State.FAILED, State.UPSTREAM_FAILED):
            state = State.CANCELLED
        attempts = observed.facts.ended.get(task, ())
        live = observed.facts.live.get(task)
        pod = observed.pods.get((task, live.number)) if live else None
        shown = "" if state is State.SUCCEEDED else messages.get(task, "")
        result.append(Row(task, state, depths[task], attempts, pod, _seconds(attempts, pod), shown))
    return result


def _seconds(attempts: Sequence[Attempt], pod: Pod | None) -> float | None:
    if pod is not None:
        main = pod.main()
        began = main.running.started_at if main and main.running else None
        return max(0.0, time.time() - began.timestamp()) if began else None
    return float(attempts[-1].end - attempts[-1].start) if attempts else None


def drawn(run: Run, found: Sequence[Row], limit: int = 60) -> RenderableType:
    """The run for a terminal. Of more than `limit` tasks those are shown that matter now."""
    shown = found if len(found) <= limit else _telling(found, limit)
    table = Table.grid(padding=(0, 2))
    for row in shown:
        sign, style = LOOKS[row.state]
        tries = f"attempt {row.live.metadata.labels.get('tradewind.dev/attempt')}" if row.live and row.attempts else ""
        tries = tries or (f"{len(row.attempts)} attempts" if len(row.attempts) > 1 else "")
        table.add_row(
            Text(f"{sign} {row.task}", style=style),
            Text(str(row.state), style=style),
            Text("" if row.seconds is None else duration.text(row.seconds)),
            Text(tries, style="dim"),
            Text(row.message.splitlines()[0] if row.message else "", style="dim", overflow="fold"),
        )
    hidden = len(found) - len(shown)
    parts: list[RenderableType] = [headline(run), table]
    if hidden:
        parts.append(Text(f"and {hidden} more tasks", style="dim"))
    return Group(*parts)


def _telling(found: Sequence[Row], limit: int) -> list[Row]:
    order = [State.FAILED, State.RUNNING, State.PENDING, State.WAITING, State.READY, State.UPSTREAM_FAILED]
    ranked = sorted(found, key=lambda row: order.index(row.state) if row.state in order else len(order))
    return ranked[:limit]


def headline(run: Run) -> Text:
    """One line about the run."""
    phase = run.phase or "Queued"
    text = Text.assemble(
        (run.name, "bold"), "  ", (phase, PHASES.get(phase, "")), f"  {run.status.get('progress') or ''}"
    )
    lasted = run.status.get("duration") if run.final else None
    if lasted:
        text.append(f"  {lasted}")
    if message := run.status.get("message"):
        text.append(f"  {message}", style="dim")
    return text


def as_data(run: Run, found: Sequence[Row]) -> dict[str, Any]:
    """The run for programs: `--output json`."""
    status = run.status
    return {
        "run": run.name,
        "namespace": run.namespace,
        "dag": run.dag,
        "phase": run.phase or "Queued",
        "message": status.get("message") or "",
        "params": dict(status.get("params") or run.params),
        "revision": status.get("revision") or "",
        "startedAt": status.get("startedAt"),
        "finishedAt": status.get("finishedAt"),
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
    if outputs := (status.get("outputs") or {}).get(row.task):
        data["outputs"] = outputs
    return data


def failed(found: Sequence[Row]) -> list[Row]:
    """The tasks that failed for good."""
    return [row for row in found if row.state is State.FAILED]
