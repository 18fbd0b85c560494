"""`tradewind history`: what was recorded of runs, which outlives their objects."""

import contextlib
import os
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from tradewind.cli.history.export import header, lines, ndjson
from tradewind.cli.history.remote import PATIENCE, PLACE, Remote
from tradewind.cli.history.source import Asked, Source, every, folder
from tradewind.cli.objects.dated_runs import moment_of
from tradewind.cli.objects.targets import DAG
from tradewind.cli.options import DURATION, OUTPUT, ObjectPath, connects, run_to_end
from tradewind.cli.output.terminal import Console, Text, say, say_data, say_document
from tradewind.cli.views.age import age
from tradewind.cli.views.run_rows import PHASES as STYLES
from tradewind.kube.client import Client
from tradewind.kube.connection import NoCluster, connect
from tradewind.model import duration
from tradewind.model.shown import counted
from tradewind.recorder.store.queries import PAGE, PHASES


@click.group()
def command() -> None:
    """List, show, export and delete recorded runs.

    Runs are recorded by the recorder of an installation, and on this machine by `tradewind dev --data DIR` and
    `tradewind run -f FILE --data DIR`. A record outlives the DAGRun, its DAG and its namespace.

    \b
    tradewind history list etl --phase Failed --since 7d
    tradewind history show etl-x7k2p
    tradewind history export --format csv --data runs/ > runs.csv
    """


def reads(function: Callable[..., Any]) -> Callable[..., None]:
    """Makes a command of `async f(source, namespace, …)`. Without a folder the namespace defaults to the kubeconfig's."""

    @click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIR",
        help="Folder that a session on this machine recorded to, instead of a cluster.",
    )
    @click.option(
        "--recorder",
        type=ObjectPath(),
        envvar="TRADEWIND_RECORDER",
        metavar="NAMESPACE/SERVICE",
        default="/".join(PLACE),
        show_default=True,
        help="Recorder of the cluster; also TRADEWIND_RECORDER.",
    )
    @click.option("-A", "--all-namespaces", is_flag=True, help="All namespaces.")
    @connects("Namespace.")
    @wraps(function)
    def wrapped(
        data: Path | None,
        recorder: tuple[str, str],
        all_namespaces: bool,
        namespace: str | None,
        kubeconfig: str | None,
        context: str | None,
        **rest: Any,
    ) -> None:
        async def work() -> None:
            if data is not None:
                with folder(data) as source:
                    await function(source, None if all_namespaces else namespace, **rest)
                return
            try:
                connection = connect(kubeconfig, context)
            except NoCluster as error:
                raise NoCluster(f"{error}; --data DIR reads what a session on this machine recorded") from None
            async with Client(connection, PATIENCE) as client:
                remote = Remote(client, recorder, os.environ.get("TRADEWIND_TOKEN", ""))
                where = None if all_namespaces else namespace or connection.namespace
                await function(remote, where, **rest)

        run_to_end(work())

    return wrapped


class _When(click.ParamType[int]):
    """A point in time, or a duration before now, in epoch milliseconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Epoch milliseconds. Fails for anything else."""
        if isinstance(value, int):
            return value
        text = str(value)
        with contextlib.suppress(ValueError):
            return round((time.time() - duration.seconds(text)) * 1_000)
        return round(moment_of(text, "--since").timestamp() * 1_000)


WHEN = _When()


def selects(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `dag`, `phases`, `since` and `until`."""
    for option in (
        click.option("--until", type=WHEN, help="Only runs created before a time, or longer ago than a duration."),
        click.option(
            "--since", type=WHEN, help="Only runs created since a time, or within a duration: 7d, 2026-01-31T06:00:00Z."
        ),
        click.option(
            "--phase",
            "phases",
            multiple=True,
            type=click.Choice(sorted(PHASES), case_sensitive=False),
            help="Only runs of this phase; repeat for more.",
        ),
        click.argument("dag", type=DAG, required=False),
    ):
        function = option(function)
    return function


@command.command("list")
@selects
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Number of runs.")
@OUTPUT
@reads
async def list_(
    source: Source,
    namespace: str | None,
    dag: str | None,
    phases: tuple[str, ...],
    since: int | None,
    until: int | None,
    limit: int,
    output: str,
) -> None:
    """List recorded runs, or those of DAG, newest first."""
    asked = Asked(namespace, dag or "", frozenset(phases), since, until)
    found: list[dict[str, Any]] = []
    after = ""
    while len(found) < limit:
        page = await source.page(asked, min(PAGE, limit - len(found)), after, ())
        found += page["runs"]
        after = page["more"]
        if not after:
            break
    if output != "text":
        say_data(found, output)
        return
    if not found:
        say(f"no such runs are on record in {source.where}", err=True)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("NAMESPACE", "RUN", "DAG", "MADE BY", "PHASE", "DONE", "FAILED", "DURATION", "AGE"):
        table.add_column(head)
    for run in found:
        table.add_row(*_cells(run))
    Console().print_whole(table)
    if after:
        say(f"these are the newest {len(found)}: --limit shows more", err=True)


def _cells(run: dict[str, Any]) -> list[Text]:
    maker = f"{run['madeBy']}/{run['maker']}" if run["maker"] else run["madeBy"]
    cells = [run["namespace"], run["name"], run["dag"], maker]
    rest = [f"{run['done']}/{run['total']}", str(run["failed"] or ""), _took(run), age(run["createdAt"])]
    return [*map(Text, cells), Text(_phase(run), style=STYLES.get(run["phase"], "")), *map(Text, rest)]


def _phase(run: dict[str, Any]) -> str:
    return run["phase"] if run.get("finishedAt") or "deletedAt" not in run else f"{run['phase']}, deleted"


def _took(run: dict[str, Any]) -> str:
    start, end = run.get("startedAt"), run.get("finishedAt")
    return duration.text(duration.between(start, end)) if start and end else ""


@command.command("show")
@click.argument("run")
@OUTPUT
@reads
async def show(source: Source, namespace: str | None, run: str, output: str) -> None:
    """Show the recorded RUN (a name, or a uid) with its tasks; for programs, with the whole DAGRun as `object`."""
    text = output == "text"
    parts = ("tasks", "edits") if text else ("tasks", "edits", "object")
    found = (await source.page(Asked(namespace, run=run), 2, "", parts))["runs"]
    if not found:
        raise click.ClickException(f"no run {run} is on record in {source.where}")
    if not text:
        say_data(found[0], output)
        return
    _print(found[0])
    if len(found) > 1:
        say(
            f"there was more than one run of this name: `tradewind history export` has their uids, {found[1]['uid']} among them",
            err=True,
        )


def _print(run: dict[str, Any]) -> None:
    console = Console()
    head = Text.assemble((run["name"], "bold"), "  ", (_phase(run), STYLES.get(run["phase"], "")))
    console.print(head.append(f"  {run['done']}/{run['total']}  {_took(run)}"), soft_wrap=True)
    facts = {
        "DAG": f"{run['dag']}, revision {run['revisionNumber']}" if run["revisionNumber"] else run["dag"],
        "Namespace": run["namespace"],
        "Made by": " ".join(filter(None, (run["madeBy"], run["maker"], run["author"]))),
        "Logical date": run.get("logicalDate", ""),
        "Created": run["createdAt"],
        "Started": run.get("startedAt", ""),
        "Finished": run.get("finishedAt", ""),
        "Deleted": run.get("deletedAt", ""),
        "Message": run["message"],
    }
    grid = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        if value:
            grid.add_row(Text(name, style="dim"), Text(str(value)))
    console.print_whole(grid)
    if run["tasks"]:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("TASK", "STATE", "ITEMS", "ATTEMPTS", "LOST", "LONGEST", "REASON"):
            table.add_column(name)
        for task in run["tasks"]:
            table.add_row(*map(Text, _task(task)))
        console.print()
        console.print_whole(table)
    for edit in run["edits"]:
        words = [edit["action"], edit["tasks"], f"by {edit['by']}" if edit["by"] else "", edit["reason"]]
        console.print(Text("edited: ").append(" ".join(filter(None, words))), soft_wrap=True)


def _task(task: dict[str, Any]) -> list[str]:
    items = str(task["items"]) if task["items"] > 1 else ""
    bad = f" ({task['failedItems']} failed)" if items and task["failedItems"] else ""
    code = f" (exit code {task['exitCode']})" if task.get("exitCode") else ""
    longest = duration.text(task["longest"]) if task["attempts"] else ""
    attempts, lost = str(task["attempts"] or ""), str(task["losses"] or "")
    return [task["task"], task["state"], f"{items}{bad}", attempts, lost, longest, f"{task['reason']}{code}"]


@command.command("export")
@selects
@click.option(
    "--format",
    "form",
    type=click.Choice(["ndjson", "csv"]),
    default="ndjson",
    show_default=True,
    help="ndjson: a JSON object a line; csv: a line a run, or a task.",
)
@click.option("--tasks", is_flag=True, help="With the tasks of each run; csv: a line a task.")
@click.option("--objects", is_flag=True, help="ndjson: with the whole DAGRun as `object`.")
@reads
async def export(
    source: Source,
    namespace: str | None,
    dag: str | None,
    phases: tuple[str, ...],
    since: int | None,
    until: int | None,
    form: str,
    tasks: bool,
    objects: bool,
) -> None:
    """Print recorded runs, or those of DAG, for other programs, newest first."""
    if objects and form == "csv":
        raise click.UsageError("--objects: a DAGRun is no line of CSV; use --format ndjson")
    parts = [*(["tasks"] if tasks else []), *(["object"] if objects else [])]
    if form == "csv":
        say_document(f"{header(tasks)}\n")
    async for run in every(source, Asked(namespace, dag or "", frozenset(phases), since, until), parts):
        for line in lines(run, tasks) if form == "csv" else [ndjson(run)]:
            say_document(f"{line}\n")


@command.command("purge")
@click.argument("run", required=False)
@click.option("--dag", type=DAG, default="", help="All runs of this DAG.")
@click.option("--older-than", type=DURATION, help="Runs that ended longer ago: 400d.")
@click.option("--all", "everything", is_flag=True, help="All runs, of the namespace if one is given.")
@click.option("--dry-run", is_flag=True, help="Only list the runs.")
@click.option("-y", "--yes", is_flag=True, help="Don't ask.")
@reads
async def purge(
    source: Source,
    namespace: str | None,
    run: str | None,
    dag: str,
    older_than: float | None,
    everything: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Delete RUN (a name, or a uid), or all runs that the options select, from the record for good. DAGRuns that exist are not deleted."""
    if not (run or dag or older_than or everything):
        raise click.UsageError("name a run, or select runs by --dag or --older-than; --all deletes all of them")
    before = None if older_than is None else round((time.time() - older_than) * 1_000)
    asked = Asked(namespace, dag, run=run or "", ended_before=before)
    count = 0
    async for found in every(source, asked):
        count += 1
        if dry_run:
            say(f"{found['namespace']}/{found['name']}  {found['uid']}")
    if not count and run:
        raise click.ClickException(f"no such run is on record in {source.where}")
    if not count:
        say(f"no such run is on record in {source.where}", err=True)  # A job that does this each night succeeds.
        return
    if dry_run:
        return
    if not yes and not click.confirm(f"delete {counted(count, 'run')} from {source.where} for good?", err=True):
        raise click.exceptions.Exit(1)
    say(f"{counted(await source.purge(asked), 'run')} deleted from {source.where}")
