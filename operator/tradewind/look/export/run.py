"""Gathers what is shown of a run in one file."""

import contextlib
from collections.abc import Mapping, Sequence

from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.state import RunState
from tradewind.control.pods.names import pod_name
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import ApiError
from tradewind.kube.pod import Pod
from tradewind.look import note
from tradewind.look.critical_path import path_of
from tradewind.look.export.page import Exported
from tradewind.look.made_by import made_by
from tradewind.look.reading import of_kind
from tradewind.look.run_rows import Row, failed, rows
from tradewind.look.tasks.columns import columns
from tradewind.look.tasks.why import of_run
from tradewind.model import duration
from tradewind.model.duration import stamp
from tradewind.model.shown import counted
from tradewind.plan.outcomes.attempt import parse_key

LOGS = 10
"""Failed tasks whose logs are excerpted."""
LINES = 60
"""Last lines of a log."""
BYTES = 64 * 1024
"""Of an excerpt, at most."""


def exported(
    body: Object,
    run: Run,
    view: RunState | None,
    pods: Mapping[str, Pod],
    logs: Sequence[tuple[str, str]],
    events: Sequence[str],
    now: float,
) -> Exported:
    """What is shown. `now` is epoch seconds."""
    status = run.status
    found = rows(view) if view else []
    return Exported(
        namespace=run.namespace,
        name=run.name,
        phase=run.phase or "Queued",
        facts=_facts(body, run),
        why=of_run(run, view, now).sentence,
        columns=columns(view, pods, now) if view else None,
        path=path_of(view, now) if view else (),
        attempts=[cells for row in found for cells in _attempts(row)],
        values={
            "Params": of_kind(dict, status.get("params") or run.params),
            "Results": of_kind(dict, status.get("results")),
            "Outputs": of_kind(dict, status.get("outputs")),
        },
        logs=logs,
        events=events,
        now=now,
    )


def _facts(body: Object, run: Run) -> list[tuple[str, str]]:
    status, meta = run.status, body["metadata"]
    how, maker = made_by(meta)
    notes = of_kind(dict, meta.get("annotations"))
    facts = [
        ("DAG", run.dag),
        ("Revision", f"{status.get('revisionNumber') or ''} {status.get('revision') or ''}".strip()),
        ("Made by", f"{how} {maker}".strip()),
        ("By", str(notes.get("tradewind.dev/by") or "")),
        ("Reason", str(notes.get("tradewind.dev/reason") or "")),
        ("Note", note.shown(notes)),
        ("Logical date", str(run.dates.get("logicalDate") or "")),
        ("Created", stamp(run.created)),
        ("Began", str(status.get("startedAt") or "")),
        ("Ended", str(status.get("finishedAt") or "")),
        ("Took", str(status.get("duration") or "")),
        ("Progress", str(status.get("progress") or "")),
    ]
    return [(label, value) for label, value in facts if value]


def _attempts(row: Row) -> list[list[str]]:
    return [
        [
            row.task,
            str(item.number),
            item.reason or "Succeeded",
            "" if item.exit_code is None else str(item.exit_code),
            stamp(item.start),
            duration.text(item.end - item.start),
            item.node,
        ]
        for item in row.attempts
    ]


def last(count: int) -> str:
    """How many lines are shown."""
    return f"last {counted(count, 'line')}" if count == LINES else counted(count, "line")


async def excerpts(client: Client, run: Run, view: RunState | None) -> list[tuple[str, str]]:
    """The last lines of the logs of failed tasks, as far as they can be read."""
    found: list[tuple[str, str]] = []
    for row in [row for row in failed(rows(view) if view else []) if row.attempts][:LOGS]:
        task, index = parse_key(row.task)
        pod = pod_name(run.name, task, row.attempts[-1].number, index)
        lines: list[str] = []
        size = 0
        with contextlib.suppress(ApiError):
            async for line in client.logs(run.namespace, pod, tailLines=str(LINES)):
                size += len(line)
                if size > BYTES:
                    break
                lines.append(line.decode(errors="replace"))
        if lines:
            found.append((f"{row.task} (attempt {row.attempts[-1].number}, {last(len(lines))})", "\n".join(lines)))
    return found
