"""`tradewind describe run`: one run in full."""

import json
import time
from collections.abc import Mapping
from dataclasses import replace

import click
from rich.table import Table

from tradewind.cli.follow import look
from tradewind.cli.options import OUTPUT, cluster
from tradewind.cli.path import drawn_path, path_data, path_of
from tradewind.cli.picture import Row, as_data, drawn, rows
from tradewind.cli.terminal import Console, say_json
from tradewind.cli.waits import waits
from tradewind.cli.whoami import BY, REASON
from tradewind.control.firing import CAUSE
from tradewind.control.revisions import Revisions
from tradewind.control.run import Run, read_run
from tradewind.control.view import View
from tradewind.kube.client import Client
from tradewind.kube.pod import RUN_UID
from tradewind.kube.resources import RUNS
from tradewind.model import duration
from tradewind.model.duration import stamp


@click.group()
def command() -> None:
    """Show one object in full."""


@command.command("run")
@click.argument("name")
@OUTPUT
@cluster
async def describe_run(client: Client, namespace: str, name: str, output: str) -> None:
    """Show a run: its tasks, every attempt, why anything waits or failed, and the tasks that determined how long it took."""
    run, view = await look(client, namespace, name, Revisions(client))
    now = time.time()
    found = rows(view) if view else []
    waiting = {wait.task: wait for wait in waits(view, now)} if view and not run.final else {}
    path = path_of(view, now) if view else []
    parts = await _parts(client, run) if view and _calls(view) else {}
    if output == "json":
        data = as_data(run, found)
        for key, wait in waiting.items():
            data["tasks"][key]["wait"] = wait.data(now)
        for key, made in parts.items():
            data["tasks"].get(key, {})["runs"] = [part.name for part in made]
        data["criticalPath"] = path_data(path)
        say_json(data)
        return
    console = Console()
    said = {key: words for key, wait in waiting.items() if (words := wait.words(now))}
    told = [replace(row, message=said.get(row.task, row.message)) for row in found]
    console.print(drawn(run, told, limit=1_000))
    console.print()
    made_of = [
        ("Sub-DAG", f"{key}: {part.name} ({part.phase or 'Queued'})") for key, made in parts.items() for part in made
    ]
    meta = (await client.get(RUNS, namespace, name))["metadata"]
    for label, value in [*_facts(run), *_origin(run, meta.get("annotations") or {}), *made_of]:
        console.print(f"{label + ':':12} {value}")
    if any(row.attempts for row in found):
        console.print()
        console.print(_attempts(found))
    if path:
        console.print()
        console.print(drawn_path(path, run))


def _calls(view: View) -> bool:
    return view.board is not None and any(task.dag for task in view.board.definition.tasks.values())


async def _parts(client: Client, run: Run) -> dict[str, list[Run]]:
    """The runs that are attempts of this one's tasks, by task or item, in order."""
    found: dict[str, list[Run]] = {}
    items = (await client.list(RUNS, run.namespace, labelSelector=f"{RUN_UID}={run.uid}"))["items"]
    parts = [part for part in map(read_run, items) if part.caller and part.caller.uid == run.uid]
    for part in sorted(parts, key=lambda part: part.caller.number if part.caller else 0):
        found.setdefault(part.caller.task if part.caller else "", []).append(part)
    return found


def _facts(run: Run) -> list[tuple[str, str]]:
    status = run.status
    revision = status.get("revision") or "none yet"
    if number := status.get("revisionNumber"):
        revision = f"{number} ({revision})"
    facts = [("DAG", run.dag), ("Revision", revision)]
    if params := status.get("params") or run.params:
        facts.append(("Params", ", ".join(f"{name}={value}" for name, value in params.items())))
    if results := status.get("results"):
        facts.append(("Results", json.dumps(results, ensure_ascii=False)))
    if run.caller:
        facts.append(("Part of", f"{run.caller.run}, as attempt {run.caller.number} of {run.caller.task}"))
    facts += [("Began", status.get("startedAt") or "not yet"), ("Ended", status.get("finishedAt") or "not yet")]
    for condition in status.get("conditions") or []:
        words = f"{condition['status']} ({condition['reason']})"
        facts.append((condition["type"], f"{words} {condition.get('message') or ''}".strip()))
    return facts


def _origin(run: Run, notes: Mapping[str, str]) -> list[tuple[str, str]]:
    """What made the run, and who."""
    how = f"{run.how} ({run.maker})" if run.maker else run.how
    found = [
        ("Made by", how),
        ("Cause", notes.get(CAUSE, "")),
        ("By", notes.get(BY, "")),
        ("Reason", notes.get(REASON, "")),
    ]
    return [(label, value) for label, value in found if value]


def _attempts(rows: list[Row]) -> Table:
    table = Table(
        "TASK", "ATTEMPT", "ENDED AS", "EXIT", "STARTED", "TOOK", "NODE", box=None, pad_edge=False, header_style="bold"
    )
    for row in rows:
        for attempt in row.attempts:
            table.add_row(
                row.task,
                str(attempt.number),
                attempt.reason or "Succeeded",
                "" if attempt.exit_code is None else str(attempt.exit_code),
                stamp(attempt.start),
                duration.text(attempt.end - attempt.start),
                attempt.node,
            )
    return table
