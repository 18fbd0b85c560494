"""`tradewind run`: a DAG from a file on this machine, or a DAG of the cluster."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click
import orjson

from tradewind import API_VERSION
from tradewind.cli import manifest
from tradewind.cli.ask import complete
from tradewind.cli.document import BadManifest, Document, Refusal
from tradewind.cli.follow import follow, print_logs
from tradewind.cli.localapprovals import approvals
from tradewind.cli.options import OUTPUT, PARAM, REASON, cluster, connects, pairs, settled
from tradewind.cli.picture import Row, as_data, failed
from tradewind.cli.reading import of_kind
from tradewind.cli.shelf import Shelf
from tradewind.cli.terminal import Console, say, say_json
from tradewind.cli.whoami import signed
from tradewind.control.origin import MANUAL
from tradewind.control.run import Run, read_run
from tradewind.control.templates import rendered
from tradewind.control.together import tasks
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import Forbidden
from tradewind.kube.pod import DAG, HOW
from tradewind.kube.resources import (
    BACKFILLS,
    CLUSTER_POOLS,
    CONFIG_MAPS,
    DAGS,
    POOLS,
    RUNS,
    SECRETS,
    TEMPLATES,
    TRIGGERS,
)
from tradewind.model.value import Param
from tradewind.plan.calendar import moment_of
from tradewind.plan.define import defined
from tradewind.plan.params import from_text
from tradewind.plan.trigger import told

SHOWN = 40
"""Tasks whose outputs are printed at the end."""
RESOURCES = {
    "DAG": DAGS,
    "DAGRun": RUNS,
    "Pool": POOLS,
    "ClusterPool": CLUSTER_POOLS,
    "Trigger": TRIGGERS,
    "Backfill": BACKFILLS,
    **TEMPLATES,
    "ConfigMap": CONFIG_MAPS,
    "Secret": SECRETS,
}


@click.command()
@click.argument("dag", required=False)
@click.option(
    "-f", "--file", help="Run the DAG of this manifest on this machine, without a cluster (`-`: standard input)."
)
@click.option("--approve", is_flag=True, help="With -f: say yes to every approval.")
@click.option("-w", "--watch", is_flag=True, help="On a cluster: show the run until it has ended.")
@click.option("--name", help="Of the run, on a cluster.  [default: made from the DAG's]")
@click.option("--logical-date", metavar="TIME", help="What the run is about, on a cluster.  [default: its creation]")
@click.option(
    "--ask/--no-ask", default=None, help="Ask for params.  [default: for those without a default, in a terminal]"
)
@PARAM
@REASON
@OUTPUT
@click.pass_context
def command(
    ctx: click.Context,
    /,
    dag: str | None,
    file: str | None,
    approve: bool,
    watch: bool,
    name: str | None,
    logical_date: str | None,
    ask: bool | None,
    params: tuple[str, ...],
    output: str,
    **rest: Any,
) -> None:
    """Run DAG on the cluster, or the DAG of a manifest (-f) on this machine.

    \b
    tradewind run -f dag.yaml --param region=south     here, as local processes
    tradewind run leave-forecast --param region=south  on the cluster, one pod per task

    The exit code is 0 only when the run succeeded.
    """
    given = pairs(params)
    if file:
        succeeded = settled(run_here(file, dag, given, output, approve, ask))
    elif dag:
        spec = {"logicalDate": told(_moment(logical_date))} if logical_date else {}
        succeeded = _run_there(
            dag=dag, params=given, ask=ask, name=name or "", more=spec, watch=watch, output=output, **rest
        )
    else:
        raise click.UsageError("name a DAG of the cluster, or give a manifest with -f")
    ctx.exit(0 if succeeded else 1)


command = connects("Namespace on the cluster.")(command)


@cluster
async def _run_there(
    client: Client,
    namespace: str,
    dag: str,
    params: dict[str, str],
    ask: bool | None,
    name: str,
    more: Mapping[str, Any],
    watch: bool,
    output: str,
    reason: str,
) -> bool:
    declared = await _declared(client, namespace, dag)
    given = dict(params) if declared is None else complete(declared, values(declared, params), ask)
    body = run_body(dag, given, name)
    body["spec"] |= more
    body["metadata"]["annotations"] = await signed(client, reason)
    created = read_run(orjson.loads(await client.create(RUNS, namespace, body, fieldValidation="Strict")))
    if not watch:
        say(created.name if output == "text" else json.dumps({"run": created.name, "namespace": namespace}))
        return True
    console = Console(stderr=output == "json")
    run, found_rows = await follow(client, namespace, created.name, console, lambda: "")
    return await conclude(client, run, found_rows, output, console)


def _moment(text: str) -> datetime:
    try:
        return moment_of(text, UTC)
    except ValueError as error:
        raise click.UsageError(f"--logical-date: {error}") from None


async def _declared(client: Client, namespace: str, dag: str) -> dict[str, Param] | None:
    """The params of a DAG of the cluster; None where its template has them, and one may not read that."""
    spec = (await client.get(DAGS, namespace, dag))["spec"]
    if spec.get("template"):
        try:
            spec = (await rendered(client, namespace, dag)).spec
        except Forbidden:
            return None
    return {name: Param.model_validate(body) for name, body in (spec.get("params") or {}).items()}


async def run_here(
    file: str,
    dag: str | None,
    params: Mapping[str, str],
    output: str,
    approve: bool = False,
    ask: bool | None = False,
) -> bool:
    """Runs a manifest's DAG in this process. Ctrl-C cancels the run; a second one ends at once. `approve` says yes to all approvals, `ask`
    is as in `complete`."""
    documents = manifest.load(file)
    shelf = Shelf(documents)
    for document in documents:
        if notes := shelf.check(document):
            raise BadManifest(*notes)
    plain, body = _choose(file, documents, shelf, dag, params, ask)
    from tradewind.local.session import session

    cancelled = asyncio.Event()
    console = Console(stderr=output == "json")
    me = asyncio.current_task()

    def interrupted() -> None:
        if cancelled.is_set() and me:
            me.cancel()
        cancelled.set()

    try:
        async with session(interrupted) as here:
            for document in documents:
                if document.kind != "DAGRun":
                    await here.client.apply(RESOURCES[document.kind], "default", document.name, _plain(document.body))
            created = read_run(orjson.loads(await here.client.create(RUNS, "default", body, fieldValidation="Strict")))
            for words in ignored(plain):
                console.print(f"note: {words}", style="dim")
            beside = [_cancel_when(cancelled, here.client, created), approvals(here.client, created, approve, console)]
            async with tasks(beside):
                run, rows = await follow(here.client, "default", created.name, console, lambda: "")
            return await conclude(here.client, run, rows, output, console)
    except asyncio.CancelledError:
        raise click.exceptions.Exit(130) from None


async def _cancel_when(cancelled: asyncio.Event, client: Client, run: Run) -> None:
    await cancelled.wait()
    say("\ncancelling (Ctrl-C again: end at once)", err=True)
    await client.patch(RUNS, run.namespace, run.name, {"spec": {"desiredState": "Cancelled"}})


async def conclude(client: Client, run: Run, rows: Sequence[Row], output: str, console: Console) -> bool:
    """Shows outputs or logs; whether the run succeeded."""
    if output == "json":
        say_json(as_data(run, rows))
    elif run.phase == "Succeeded":
        outputs = of_kind(dict, run.status.get("outputs"))
        for task, values_ in list(outputs.items())[:SHOWN]:
            text = json.dumps(values_, ensure_ascii=False)
            console.print(
                f"{task}: {text if len(text) <= 300 else text[:297] + '...'}",
                soft_wrap=True,
            )
        if len(outputs) > SHOWN:
            console.print(f"and outputs of {len(outputs) - SHOWN} more: see -o json", style="dim")
        if results := run.status.get("results"):
            words = f"results: {json.dumps(results, ensure_ascii=False)}"
            console.print(words, soft_wrap=True)
    if run.phase == "Failed":
        with contextlib.suppress(BrokenPipeError):
            await print_logs(client, run, failed(rows), console)
    return run.phase == "Succeeded"


def _choose(
    file: str,
    documents: Sequence[Document],
    shelf: Shelf,
    name: str | None,
    params: Mapping[str, str],
    ask: bool | None,
) -> tuple[Any, Object]:
    """The rendered spec of the DAG to run, and the run to create."""
    dags = {document.name: document for document in documents if document.kind == "DAG"}
    runs = [document for document in documents if document.kind == "DAGRun"]
    if name is None and runs:
        name = str((runs[0].body.get("spec") or {}).get("dag"))
    tasks_of = (shelf.rendering(dag).spec.get("tasks") or {} for dag in dags.values())
    called = {task["dag"]["name"] for found in tasks_of for task in found.values() if "dag" in task}
    if name is None and len(tops := [dag for dag in dags if dag not in called]) == 1:
        name = tops[0]
    if name is None:
        what = (
            f"has the DAGs {', '.join(dags)}: name one, as in `tradewind run -f {file} {next(iter(dags))}`"
            if dags
            else "has no DAG"
        )
        raise BadManifest(Refusal(file, 0, 0, what))
    if name not in dags:
        raise BadManifest(Refusal(file, 0, 0, f"has no DAG {name!r}; it has: {', '.join(dags) or 'none'}"))
    given: dict[str, Any] = {}
    for document in runs:
        spec = document.body.get("spec") or {}
        if spec.get("dag") == name:
            given = dict(spec.get("params") or {})
    rendering = shelf.rendering(dags[name])
    declared = defined(rendering).spec.params
    given = complete(declared, given | values(declared, params), ask)
    return rendering.spec, run_body(name, given, f"{name}-{secrets.token_hex(2)}")


def values(declared: Mapping[str, Param], given: Mapping[str, str]) -> dict[str, Any]:
    """Params typed on the command line, as their types; unknown ones are left for the check to refuse."""
    return {name: from_text(declared[name], text) if name in declared else text for name, text in given.items()}


def run_body(dag: str, params: Mapping[str, Any], name: str = "") -> Object:
    """A DAGRun."""
    metadata: Object = {"name": name} if name else {"generateName": f"{dag[:57]}-"}
    metadata["labels"] = {DAG: dag, HOW: MANUAL}
    return {
        "apiVersion": API_VERSION,
        "kind": "DAGRun",
        "metadata": metadata,
        "spec": {"dag": dag, "params": dict(params)},
    }


def ignored(spec: Any) -> list[str]:
    """What of a DAG means nothing on this machine."""
    settings = [spec.get("defaults") or {}, *spec["tasks"].values()]
    notes = []
    if any(item.get("image") for item in settings):
        notes.append("tasks run as processes of this machine: images are not used")
    if any(((item.get("podTemplate") or {}).get("spec") or {}).get("volumes") for item in settings):
        notes.append("volume claims are folders that end with this run: let params name folders of this machine")
    return notes


def _plain(body: Object) -> Object:
    metadata = {key: value for key, value in body["metadata"].items() if key != "namespace"}
    return {**body, "metadata": metadata}
