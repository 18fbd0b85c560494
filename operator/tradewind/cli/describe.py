"""`tradewind describe`: one run, DAG, trigger or backfill, in full."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.table import Table

from tradewind.cli.objects.describe_backfill import describe_backfill
from tradewind.cli.objects.describe_dag import describe_dag
from tradewind.cli.objects.describe_trigger import describe_trigger
from tradewind.cli.objects.targets import RUN, kind_of, target
from tradewind.cli.options import OUTPUT, cluster
from tradewind.cli.output.terminal import Console, Text, say_data
from tradewind.cli.shell.completion import names_of
from tradewind.cli.views.critical_path import drawn_path
from tradewind.cli.views.labelled import labelled
from tradewind.cli.views.run_rows import drawn
from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dagrun.state import RunState
from tradewind.control.dags.revisions import Revisions
from tradewind.control.shared.conditions import READINESS
from tradewind.control.triggers.run_maker import CAUSE
from tradewind.kube.client import Client
from tradewind.kube.resources import BACKFILLS, DAGS, RUNS, TRIGGERS
from tradewind.look import note
from tradewind.look.critical_path import path_data, path_of
from tradewind.look.made_by import made_by
from tradewind.look.reading import StatusUnreadable, of_kind, reading
from tradewind.look.run_rows import Row, as_data, flat
from tradewind.look.run_tree import RunTree
from tradewind.look.run_view import look
from tradewind.look.waiting.reason import Wait
from tradewind.look.waiting.task_waits import waits
from tradewind.look.whoami import BY, CANCELLED, REASON, RETRIED, later
from tradewind.model import duration
from tradewind.model.duration import stamp
from tradewind.plan.runs.critical_path import Step

COMMANDS = {RUNS: "run", DAGS: "dag", TRIGGERS: "trigger", BACKFILLS: "backfill"}
"""The subcommand of each kind."""


class _Kinds(click.Group):
    """Takes a name without a kind for a run's, and accepts `dag/NAME` too."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if "/" in args[0]:
            resource, name = target(args[0])
            args = [resource.kind, name, *args[1:]]
        elif kind_of(args[0]) is None and args[1:] and not args[1].startswith("-") and args[1] not in self.commands:
            what, name = args[:2]
            words = f"write RUN, or `run`, `dag`, `trigger` or `backfill` and a NAME; for kinds of Kubernetes there is `kubectl describe {what} {name}`"
            raise click.UsageError(f"there is no kind {what!r} here: {words}", ctx)
        elif kind_of(args[0]) is None:
            args = ["run", *args]
        resource = kind_of(args[0]) or RUNS
        if resource not in COMMANDS:
            kind, name = resource.kind.lower(), " ".join(args[1:2])
            words = f"see `tradewind get {kind} {name} -o yaml`, or `kubectl describe {kind} {name}`"
            raise click.UsageError(
                f"a run, a DAG, a trigger or a backfill can be described, not a {resource.kind}: {words}", ctx
            )
        return super().resolve_command(ctx, [COMMANDS[resource], *args[1:]])


@click.group(
    cls=_Kinds, subcommand_metavar="RUN | run NAME | dag NAME | trigger NAME | backfill NAME", options_metavar=""
)
def command() -> None:
    """Show all details of a run, a DAG, a trigger or a backfill."""


command.add_command(describe_backfill)
command.add_command(describe_dag)
command.add_command(describe_trigger)


@command.command("run", short_help="Show a run: its tasks, their attempts, and why tasks wait.")
@click.argument("name", type=RUN, shell_complete=names_of("runs"))
@OUTPUT
@cluster
async def describe_run(client: Client, namespace: str, name: str, output: str) -> None:
    """Show a run: its tasks, every attempt, why tasks wait or failed, and the critical path."""
    now = time.time()
    meta = (await client.get(RUNS, namespace, name))["metadata"]
    try:
        revisions = Revisions(client)
        run, view = await look(client, namespace, name, revisions)
        with reading(f"dagrun/{name}"):
            found = await RunTree(client, namespace, revisions).rows(run, view) if view else []
            seen = _Seen.of(run, view, found, now)
            text, data = _text(seen, meta, now), _data(seen, now)
    except StatusUnreadable as error:
        run = read_run(await client.get(RUNS, namespace, name))
        seen = _Seen(run, problem=str(error))
        text, data = _text(seen, meta, now), _data(seen, now)
    if output != "text":
        say_data(data, output)
    else:
        Console().print(text)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A run with its status, or why the status can't be read."""

    run: Run
    rows: Sequence[Row] = ()
    waiting: Mapping[str, Wait] = field(default_factory=dict)
    path: Sequence[Step] = ()
    problem: str = ""

    @classmethod
    def of(cls, run: Run, view: RunState | None, found: Sequence[Row], now: float) -> "_Seen":
        if view is None:
            return cls(run)
        waiting = {} if run.final else {wait.task: wait for wait in waits(view, now)}
        return cls(run, found, waiting, path_of(view, now))


def _data(seen: _Seen, now: float) -> dict[str, Any]:
    data = as_data(seen.run, seen.rows)
    for key, wait in seen.waiting.items():
        data["tasks"][key]["wait"] = wait.data(now)
    data["criticalPath"] = path_data(seen.path)
    if seen.problem:
        data["problem"] = seen.problem
    return data


def _text(seen: _Seen, meta: Mapping[str, Any], now: float) -> RenderableType:
    said = {key: words for key, wait in seen.waiting.items() if (words := wait.words(now))}
    told = [replace(row, message=said.get(row.task, row.message)) for row in seen.rows]
    made_of = [
        ("Sub-DAG", f"{row.task}: {part.run.name} ({part.run.phase or 'Queued'})")
        for row in flat(seen.rows)
        for part in row.parts
    ]
    facts = [*_facts(seen.run), *_origin(meta), *made_of]
    lines: list[RenderableType] = [*labelled(facts)]
    found = [drawn(seen.run, told, limit=1_000), Text(seen.problem, style="red"), *lines]
    every = list(flat(seen.rows))
    if any(row.attempts for row in every):
        found += [Text(), _attempts(every)]
    if seen.path:
        found += [Text(), drawn_path(seen.path, seen.run)]
    return Group(*found)


def _facts(run: Run) -> list[tuple[str, str]]:
    status = run.status
    revision = status.get("revision") or "none yet"
    if number := status.get("revisionNumber"):
        revision = f"{number} ({revision})"
    facts = [("DAG", run.dag), ("Revision", revision)]
    if params := of_kind(dict, status.get("params") or run.params):
        facts.append(("Params", _listed(params)))
    bound = of_kind(dict, status.get("bound"))
    for root, label in (("previous", "Run before"), ("lastSuccess", "Last success")):
        if earlier := of_kind(dict, bound.get(root)):
            facts.append((label, f"{earlier.get('name')} ({earlier.get('phase')})" if earlier.get("name") else "none"))
    for label, given in (("Kept before", bound.get("kept")), ("Kept", status.get("kept"))):
        if values := of_kind(dict, given):
            facts.append((label, _listed(values)))
    if results := status.get("results"):
        facts.append(("Results", json.dumps(results, ensure_ascii=False)))
    if run.caller:
        facts.append(("Part of", f"{run.caller.run}, as attempt {run.caller.number} of {run.caller.task}"))
    facts.append(("Began", status.get("startedAt") or "not yet"))
    if again := status.get("reopenedAt"):
        facts.append(("Reopened", f"{again}: by a retry or an edit, after it had ended"))
    facts.append(("Ended", status.get("finishedAt") or "not yet"))
    for condition in status.get("conditions") or []:
        if condition["type"] in READINESS:
            continue  # for programs; people read the reason in Progressing and Succeeded
        words = f"{condition['status']} ({condition.get('reason')})"
        facts.append((condition["type"], f"{words} {condition.get('message') or ''}".strip()))
    return facts


def _listed(values: Mapping[str, Any]) -> str:
    """Values with their names."""
    return ", ".join(f"{name}={_plain(value)}" for name, value in values.items())


def _plain(value: Any) -> str:
    """A text as it is, any other value as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _origin(meta: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What created the run, and who."""
    notes: Mapping[str, str] = of_kind(dict, meta.get("annotations"))
    how, maker = made_by(meta)
    found = [
        ("Made by", f"{how} ({maker})" if maker else how),
        ("Cause", notes.get(CAUSE, "")),
        ("By", notes.get(BY, "")),
        ("Reason", notes.get(REASON, "")),
        ("Note", note.shown(notes)),
        *((f"{what.capitalize()} by", _who(notes, what)) for what in (RETRIED, CANCELLED)),
    ]
    return [(label, value) for label, value in found if value]


def _who(notes: Mapping[str, str], what: str) -> str:
    """Who did something to the run, and why."""
    return ": ".join(filter(None, (str(notes.get(name) or "") for name in later(what))))


def _attempts(rows: Sequence[Row]) -> Table:
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
