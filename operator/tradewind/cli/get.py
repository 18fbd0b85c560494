"""`tradewind get`: DAGs, runs, triggers, backfills, assets, approvals or pools in a table."""

from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem
from rich.table import Table

from tradewind import GROUP
from tradewind.cli import assets
from tradewind.cli.objects.targets import DAG, kind_of, target
from tradewind.cli.objects.targets import KINDS as SINGULAR
from tradewind.cli.objects.unknown import must_be_there
from tradewind.cli.options import cluster
from tradewind.cli.output.terminal import Console, Text, say, say_data
from tradewind.cli.shell.completion import names_of
from tradewind.cli.views.age import age
from tradewind.cli.views.run_rows import PHASES
from tradewind.kube.client import Client, Object
from tradewind.kube.resources import (
    APPROVALS,
    BACKFILLS,
    CLUSTER_POOLS,
    DAGS,
    POOLS,
    RUNS,
    TEMPLATES,
    TRIGGERS,
    Resource,
)
from tradewind.local.apiserver.kinds import look_up
from tradewind.look.made_by import made_by
from tradewind.look.reading import StatusUnreadable, reading
from tradewind.look.reading import status as status_of
from tradewind.look.unclaimed import all_unclaimed
from tradewind.model.crd import KINDS as MODELS
from tradewind.plan.documents.nearest import did_you_mean

KINDS = {name: found for kind, found in {"dag": DAGS, **SINGULAR}.items() for name in (f"{kind}s", kind)}
ASSETS = "assets"
"""Not a kind: what runs report to have produced."""
_PLURALS = [*dict.fromkeys(name for name in KINDS if name.endswith("s") and name != "dagruns"), ASSETS]
_CHOICES = f"write one of {', '.join(_PLURALS)}."
HEADS = {
    RUNS: ["RUN", "DAG", "MADE BY", "REVISION", "PHASE", "DONE", "FAILED", "DURATION", "AGE"],
    DAGS: ["DAG", "TASKS", "REVISION", "LAST RUN", "LAST PHASE", "PHASE", "AGE"],
    TRIGGERS: ["TRIGGER", "DAG", "SOURCE", "PHASE", "LAST RUN", "FIRED", "NEXT", "MESSAGE"],
    BACKFILLS: ["BACKFILL", "DAG", "PHASE", "DONE", "ACTIVE", "FAILED", "AGE", "MESSAGE"],
    APPROVALS: ["RUN", "TASK", "OUTCOME", "BY", "AGE", "MESSAGE"],
    POOLS: ["POOL", "SLOTS", "USED", "WAITING", "AGE"],
    CLUSTER_POOLS: ["CLUSTERPOOL", "SLOTS", "USED", "WAITING", "AGE"],
    **{found: [found.kind.upper(), "PARAMS", "PHASE", "AGE"] for found in TEMPLATES.values()},
}


class _Kind(click.ParamType[str]):
    """A kind, in the singular, the plural or kubectl's short form."""

    name = "KIND"

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        """The available kinds."""
        return _CHOICES.replace("w", "W", 1)

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The kind. Fails for an unknown one and suggests the nearest."""
        kind, slash, name = value.partition("/")
        if kind.lower() not in (ASSETS, ASSETS.removesuffix("s")) and kind_of(kind) is None:
            self.fail(f"there is no kind {kind!r}; {did_you_mean(kind.lower(), _PLURALS) or _CHOICES}", param, ctx)
        return f"{_plural(kind)}{slash}{name}"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Completes plurals."""
        return [CompletionItem(kind) for kind in _PLURALS if kind.startswith(incomplete)]


def _names(ctx: click.Context, param: click.Parameter, typed: str) -> list[str]:
    """Completes names of objects of the kind typed before."""
    return names_of(str(ctx.params.get("kind")))(ctx, param, typed)


@click.command()
@click.argument("kind", type=_Kind())
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=_names)
@click.option("-A", "--all-namespaces", is_flag=True, help="All namespaces.")
@click.option("-l", "--selector", default="", help="Label selector, as in kubectl: team=a,tier!=test.")
@click.option("--dag", type=DAG, metavar="DAG", help="Only runs, triggers or backfills of this DAG.")
@click.option("--no-headers", is_flag=True, help="Don't print the header line.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "wide", "name", "json", "yaml"]),
    default="text",
    show_default=True,
    help="Output format: json and yaml print one named object, or a List as kubectl does.",
)
@cluster
async def command(
    client: Client,
    namespace: str,
    kind: str,
    names: tuple[str, ...],
    all_namespaces: bool,
    selector: str,
    dag: str | None,
    no_headers: bool,
    output: str,
) -> None:
    """List objects of a KIND: dags, runs (newest first), triggers, backfills, approvals, pools, clusterpools,
    tasktemplates, dagtemplates, clustertasktemplates, clusterdagtemplates, or assets (with their latest updates)."""
    kind, _, first = kind.partition("/")
    names = (*((first,) if first else ()), *names)
    if kind == ASSETS:
        if len(names) > 1:
            raise click.UsageError("name one asset, or none for all of them")
        await assets.show(client, None if all_namespaces else namespace, next(iter(names), None), output)
        return
    resource = KINDS[kind]
    where = None if all_namespaces or not resource.namespaced else namespace
    if names:
        items = [await client.get(*_one_of(resource, name, namespace)) for name in names]
    else:
        query = {"fieldSelector": f"spec.dag={dag}"} if dag and resource in (RUNS, TRIGGERS, BACKFILLS) else {}
        query |= {"labelSelector": selector} if selector else {}
        items = (await client.list(resource, where, **query))["items"]
        items.sort(key=lambda item: item["metadata"]["creationTimestamp"], reverse=resource is RUNS)
    if not items and where is not None:
        await must_be_there(client, where)
    if output in ("json", "yaml"):
        typed = {"apiVersion": resource.api_version, "kind": resource.kind}  # the items of the server's list have none
        found = [{**typed, **item} for item in items]
        say_data(found[0] if len(names) == 1 else {"apiVersion": "v1", "kind": "List", "items": found}, output)
    elif output == "name":
        for item in items:
            say(f"{resource.kind.lower()}.{GROUP}/{item['metadata']['name']}")
    elif not items:
        place = "any namespace" if where is None else f"namespace {namespace}"
        of_dag = f" of DAG {dag}" if "fieldSelector" in query else ""
        say(f"no {kind}{of_dag} in {place}{' with these labels' if selector else ''}", err=True)
    else:
        table = _table(items, resource, all_namespaces and resource.namespaced, output == "wide")
        table.show_header = not no_headers
        Console().print_whole(table)
        if resource is RUNS and (words := all_unclaimed(items)):
            say(f"note: {words}", err=True)


def _one_of(resource: Resource, name: str, namespace: str) -> tuple[Resource, str, str]:
    """The kind, namespace and name of an object whose name may include its kind."""
    found, name = target(name) if "/" in name else (resource, name)
    if found is not resource:
        raise click.UsageError(f"{name} is a {found.kind}: list one kind at a time")
    return resource, namespace, name


def _plural(kind: str) -> str:
    """The plural, as in `_PLURALS`."""
    resource = kind_of(kind)
    return next((name for name in _PLURALS if KINDS.get(name) is resource), ASSETS) if resource else ASSETS


def _table(items: list[Object], resource: Resource, namespaces: bool, wide: bool) -> Table:
    more = _more(resource) if wide else {}
    table = Table(
        *(["NAMESPACE"] if namespaces else []), *HEADS[resource], *more, box=None, pad_edge=False, header_style="bold"
    )
    by_kind = {RUNS: _run, DAGS: _dag, APPROVALS: _approval, TRIGGERS: _trigger, BACKFILLS: _backfill}
    cells = _template if resource.kind in TEMPLATES else by_kind.get(resource, _pool)
    for item in items:
        where = [item["metadata"]["namespace"]] if namespaces else []
        rest = [Text(_at(item, path)) for path in more.values()]
        table.add_row(*where, *_row(item, cells, len(HEADS[resource])), *rest)
    return table


def _more(resource: Resource) -> dict[str, str]:
    """Heads and paths of the columns that kubectl adds with `-o wide`, without those that are always shown."""
    columns = next((kind.columns for kind in MODELS if kind.kind == resource.kind), [])
    named = {item["name"].upper(): item["jsonPath"] for item in columns if item.get("priority")}
    there = {*HEADS[resource], *(["TRIGGER"] if resource is RUNS else [])}  # MADE BY names the trigger
    return {head: path for head, path in named.items() if head not in there}


def _at(item: Object, path: str) -> str:
    """The value at a path of a column, on one line; empty if there is none."""
    found = look_up(item, path)
    return "" if found is None else str(found).partition("\n")[0]


def _row(item: Object, cells: Callable[[Object], list[Any]], width: int) -> list[str | Text]:
    """The cells of an object; for an unreadable one, its name and a note."""
    try:
        with reading(item["metadata"]["name"]):
            return [cell if isinstance(cell, Text) else str(cell) for cell in cells(item)]
    except StatusUnreadable:
        return [item["metadata"]["name"], Text("can't be read", style="red"), *[""] * (width - 2)]


def _run(item: Object) -> list[str | Text]:
    status = status_of(item)
    return [
        item["metadata"]["name"],
        item["spec"]["dag"],
        "/".join(filter(None, made_by(item["metadata"]))),
        str(status.get("revisionNumber") or ""),
        _phase(status.get("phase") or "Queued"),
        status.get("progress") or "",
        str(status.get("failed") or 0),
        f"{status.get('duration') or ''}{' (reopened)' if status.get('reopenedAt') and status.get('duration') else ''}",
        _age(item),
    ]


def _dag(item: Object) -> list[str | Text]:
    status = status_of(item)
    last: dict[str, Any] = status.get("lastRun") or {}
    phase = status.get("phase") or ""
    return [
        item["metadata"]["name"],
        str(status.get("tasks") or ""),
        str(status.get("revision") or ""),
        last.get("name", ""),
        _phase(last.get("phase", "")),
        Text(phase, style="red" if phase == "Invalid" else ""),
        _age(item),
    ]


def _trigger(item: Object) -> list[str | Text]:
    status = status_of(item)
    last, phase = status.get("lastRun") or {}, status.get("phase") or ""
    style = {"Invalid": "red", "Waiting": "yellow", "Suspended": "dim"}.get(phase, "")
    return [
        item["metadata"]["name"],
        item["spec"]["dag"],
        status.get("source") or "",
        Text(phase, style=style),
        last.get("name", ""),
        age(last["at"]) if last.get("at") else "",
        status.get("next") or "",
        Text((status.get("message") or "").partition("\n")[0]),
    ]


def _backfill(item: Object) -> list[str | Text]:
    status = status_of(item)
    phase = status.get("phase") or ""
    style = {"Invalid": "red", "Waiting": "yellow", "Suspended": "dim"}.get(phase, PHASES.get(phase, ""))
    return [
        item["metadata"]["name"],
        item["spec"]["dag"],
        Text(phase, style=style),
        status.get("progress") or "",
        str(status.get("active") or 0),
        str(status.get("failed") or 0),
        _age(item),
        Text((status.get("message") or "").partition("\n")[0]),
    ]


def _approval(item: Object) -> list[str | Text]:
    spec, outcome = item["spec"], status_of(item).get("outcome") or "Pending"
    return [spec["run"], spec["task"], outcome, spec.get("by", ""), _age(item), Text(spec.get("message", ""))]


def _pool(item: Object) -> list[str | Text]:
    status = status_of(item)
    used, waiting = str(status.get("used") or 0), str(status.get("waiting") or 0)
    return [item["metadata"]["name"], str(item["spec"]["slots"]), used, waiting, _age(item)]


def _template(item: Object) -> list[str | Text]:
    status = status_of(item)
    phase = status.get("phase") or ""
    return [
        item["metadata"]["name"],
        status.get("params") or "",
        Text(phase, style="red" if phase == "Invalid" else ""),
        _age(item),
    ]


def _phase(phase: str) -> Text:
    return Text(phase, style=PHASES.get(phase, ""))


def _age(item: Object) -> str:
    return age(item["metadata"]["creationTimestamp"])
