"""`tradewind run -f`: runs a DAG from manifests on a cluster in this process."""

import asyncio
import contextlib
import re
import secrets
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

import click
import orjson

from tradewind.cli.laptop.approvals import decide_approvals, person
from tradewind.cli.laptop.decisions import Decisions, undecided
from tradewind.cli.laptop.live_logs import LiveLogs
from tradewind.cli.laptop.preflight import missing
from tradewind.cli.laptop.recorded import recorded
from tradewind.cli.manifests.document import BadManifest, Document, Refusal
from tradewind.cli.manifests.documents import DocumentSet
from tradewind.cli.manifests.validation import require
from tradewind.cli.output.pipes import call_when_gone
from tradewind.cli.output.terminal import Console, say
from tradewind.cli.prompt_params import complete
from tradewind.cli.starts.conclusion import conclude
from tradewind.cli.starts.resources import RESOURCES
from tradewind.cli.starts.selected import check
from tradewind.cli.starts.wanted import Wanted
from tradewind.cli.views.follow_run import follow
from tradewind.cli.views.log_label import Paths
from tradewind.cli.views.screen import Screen
from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dags.validation import review
from tradewind.control.shared.task_groups import tasks
from tradewind.kube.client import Client, Object
from tradewind.kube.resources import RUNS
from tradewind.plan.dags.compile import defined
from tradewind.plan.documents import parts

INTERRUPTED = 130
NAMESPACE = "default"
_ON_A_CLUSTER = re.compile(r": `tradewind approve [^`]*`, or reject")


@dataclass(frozen=True, slots=True)
class Local:
    """Options of a run on this machine."""

    decisions: Decisions = Decisions()
    """Decisions of approvals."""
    quiet: bool = False
    """Don't show the output of tasks."""
    allowed: tuple[IPv4Network | IPv6Network, ...] = ()
    """Additional networks to which http tasks may send requests."""
    ui: bool = False
    """Show it in a browser too, and stay after its end."""
    browser: bool = True
    """Open the browser."""
    data: Path | None = None
    """Folder to record the run in."""


async def run_here(files: Sequence[str], dag: str | None, wanted: Wanted, how: Local, output: str) -> int:
    """Runs a DAG from manifests in this process; returns the exit code. The first Ctrl-C cancels the run, the second
    ends at once; a closed standard output cancels it too."""
    documents, _ = require(*files, unchecked=("DAGRun",))
    shelf = DocumentSet(documents)
    _require_runs(document for document in documents if document.kind == "DAGRun")
    name, run = _choose(files, documents, shelf, dag)
    given = dict(run.spec.get("params") or {}) if run else {}
    rendering = shelf.rendering(next(item for item in documents if (item.kind, item.name) == ("DAG", name)))
    if lacking := missing(documents, shelf, name, {**given, **wanted.typed}):
        raise BadManifest(*lacking)
    if lacking := undecided(documents, shelf, name, how.decisions, person() or how.ui):
        raise BadManifest(*lacking)
    definition = defined(rendering)
    check(definition, wanted.spec)
    declared = definition.spec.params
    params = complete(declared, {**given, **wanted.values(declared)}, wanted.ask)
    if lacking := missing(documents, shelf, name, params):
        raise BadManifest(*lacking)
    body = wanted.body(name, params, wanted.name or f"{name[:58]}-{secrets.token_hex(2)}")
    try:
        used = [f"DAG {name} with the params of dagrun/{run.name} ({run.source}:{run.line_of('')})"] if run else []
        notes = [*used, *ignored(rendering.spec), *_suspended(documents)]
        cancelled = asyncio.Event()
        console = Console(stderr=output != "text")
        with call_when_gone(cancelled.set):
            return await _run(documents, body, wanted, how, console, output, notes, cancelled)
    except asyncio.CancelledError:
        say("ended at once: tasks that still ran were killed", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None


async def _run(
    documents: Sequence[Document],
    body: Object,
    wanted: Wanted,
    how: Local,
    console: Console,
    output: str,
    notes: Sequence[str],
    cancelled: asyncio.Event,
) -> int:
    from tradewind.cli.ui import shown
    from tradewind.local.session import session

    me = asyncio.current_task()
    logs = LiveLogs()

    over = asyncio.Event()
    """Set by an interruption after the run has ended."""
    ended = begun = False

    def interrupt() -> None:
        if ended:
            over.set()
            return
        if cancelled.is_set() and me:
            me.cancel()
        cancelled.set()

    try:
        async with (
            session(interrupt, on_log=logs.add_pod, allowed=how.allowed) as here,
            recorded(here.client, how.data),
            contextlib.AsyncExitStack() as stack,
        ):
            for document in documents:
                if document.kind != "DAGRun":
                    await here.client.apply(RESOURCES[document.kind], NAMESPACE, document.name, _here_as(document))
            await wanted.sign(here.client, body)
            created = read_run(orjson.loads(await here.client.create(RUNS, NAMESPACE, body, fieldValidation="Strict")))
            begun = True
            for words in notes:
                console.print(f"note: {words}", style="dim")
            paths = Paths(here.client, NAMESPACE, created.uid)
            if how.ui:
                await stack.enter_async_context(shown(here.client, browser=how.browser, err=True))
            with Screen(console, f"tradewind: {created.name}", _here) as screen:
                show = (lambda *_: None) if how.quiet else screen.log
                beside = [
                    _cancel_when(cancelled, here.client, created, screen),
                    decide_approvals(here.client, created, how.decisions, screen, cancelled.set, how.ui),
                    logs.follow(paths, show),
                ]
                async with tasks(beside):
                    run, rows = await follow(here.client, NAMESPACE, created.name, screen)
                await logs.finish(paths, show)
            kept = {"logs": str(logs.folder)} if logs.folder else {}
            succeeded = await conclude(here.client, run, rows, output, console, kept)
            if how.ui and not cancelled.is_set():
                ended = True
                console.print("the run has ended; the page stays until Ctrl-C", style="dim")
                await over.wait()
    finally:
        if logs.folder:
            console.print(f"logs: {logs.folder}", style="dim", soft_wrap=True)
        if how.data is not None and begun:
            words = f"history: tradewind history list --data {shlex.quote(str(how.data))}"
            console.print(words, style="dim", soft_wrap=True, markup=False)
    return 0 if succeeded else INTERRUPTED if cancelled.is_set() else 1


def _here(message: str) -> str:
    """A task's message without the commands that only work on a cluster."""
    return _ON_A_CLUSTER.sub("", message)


async def _cancel_when(cancelled: asyncio.Event, client: Client, run: Run, screen: Screen) -> None:
    await cancelled.wait()
    screen.interrupt("cancelling: tasks have their gracePeriod to end in; Ctrl-C again ends them at once")
    await client.patch(RUNS, run.namespace, run.name, {"spec": {"desiredState": "Cancelled"}})


def _require_runs(documents: Iterable[Document]) -> None:
    """Raises BadManifest for DAGRuns that can't be read. Params that they lack are asked for later."""
    if wrong := [
        document.refusal(problem) for document in documents for problem in review("DAGRun", document.spec).problems
    ]:
        raise BadManifest(*wrong)


def _choose(
    files: Sequence[str], documents: Sequence[Document], shelf: DocumentSet, name: str | None
) -> tuple[str, Document | None]:
    """The name of the DAG to run, and its DAGRun with the params, if there is one. A DAGRun selects among several DAGs
    only if it is the only one and its file was named."""
    where = ", ".join(files)
    dags = {document.name: document for document in documents if document.kind == "DAG"}
    runs = [document for document in documents if document.kind == "DAGRun"]
    if name is None and len(runs) == 1 and (len(dags) < 2 or not _found_below(files, runs[0])):
        name = runs[0].spec["dag"]
    if name is None and len(tops := _tops(dags, shelf)) == 1:
        name = tops[0]
    if name is None:
        options = " ".join(f"-f {shlex.quote(file)}" for file in files)
        what = (
            f"has the DAGs {', '.join(dags)}: name one, as in `tradewind run {options} {next(iter(dags))}`"
            if dags
            else "has no DAG"
        )
        raise BadManifest(Refusal(where, 0, 0, what))
    if name not in dags:
        raise BadManifest(Refusal(where, 0, 0, f"has no DAG {name!r}; it has: {', '.join(dags) or 'none'}"))
    return name, next((document for document in runs if document.spec["dag"] == name), None)


def _found_below(files: Sequence[str], document: Document) -> bool:
    """Whether a document's file was not named itself but found in a named folder."""
    return any(Path(file) in Path(document.source).parents for file in files)


def _tops(dags: Mapping[str, Document], shelf: DocumentSet) -> list[str]:
    """The DAGs that no other one calls."""
    called: set[str] = set()
    for name, document in dags.items():
        found = (task["dag"] for _, task in parts.tasks(shelf.rendering(document).spec) if "dag" in task)
        called |= {dag["name"] for dag in found if "name" in dag} - {name}
    return [name for name in dags if name not in called]


def ignored(spec: Any) -> list[str]:
    """Fields of a DAG that have no effect on this machine."""
    settings = [part.get("defaults") or {} for _, part in parts.bodies(spec)] + [task for _, task in parts.tasks(spec)]
    notes = []
    if any(item.get("image") for item in settings):
        notes.append("tasks run as processes of this machine: images are not used")
    if any(((item.get("podTemplate") or {}).get("spec") or {}).get("volumes") for item in settings):
        notes.append("volume claims are folders that end with this run: let params name folders of this machine")
    return notes


def _suspended(documents: Sequence[Document]) -> list[str]:
    names = [document.name for document in documents if document.kind == "DAG" and document.spec.get("suspend")]
    return [f"{name} is suspended; it runs here anyway, since nobody could resume it" for name in names]


def _here_as(document: Document) -> Object:
    """The object to apply for a document: in the local namespace, and with DAGs not suspended."""
    body = document.body
    metadata = {key: value for key, value in body["metadata"].items() if key != "namespace"}
    if document.kind != "DAG":
        return {**body, "metadata": metadata}
    return {
        **body,
        "metadata": metadata,
        "spec": {key: value for key, value in document.spec.items() if key != "suspend"},
    }
