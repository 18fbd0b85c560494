"""`tradewind diff`: differences between revisions of a DAG, or the changes that applying a manifest would make."""

from typing import Any

import click

from tradewind.cli.manifests import reader
from tradewind.cli.manifests.document import Document
from tradewind.cli.manifests.documents import DocumentSet
from tradewind.cli.objects.targets import DAG
from tradewind.cli.options import FILES, cluster, connects
from tradewind.cli.output.terminal import say
from tradewind.cli.revision_reader import Recorded, RevisionEntry, living, past
from tradewind.cli.starts.resources import RESOURCES
from tradewind.cli.views.object_diff import show, unified
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import NotFound

OURS = ("apiVersion", "kind", "status")
SERVERS = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid", "selfLink")
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class _Failed(click.ClickException):
    """Exits with more than 1, as diff(1) and `kubectl diff` do on errors; 1 means that there are differences."""

    exit_code = 2


@click.command()
@click.argument("dag", type=DAG, required=False)
@click.argument("numbers", nargs=-1, type=int, metavar="[N [M]]")
@click.option(
    "-f",
    "--file",
    type=FILES,
    help="Compare this manifest, or folder of manifests, with the cluster (`-`: standard input).",
)
@click.pass_context
def command(ctx: click.Context, /, dag: str | None, numbers: tuple[int, ...], file: str | None, **rest: Any) -> None:
    """Show the differences between revisions of DAG, or what applying a manifest would change.

    \b
    tradewind diff etl            the previous revision and the current one
    tradewind diff etl 3          revision 3 and the current one
    tradewind diff etl 3 5        revisions 3 and 5
    tradewind diff -f etl.yaml    the cluster, and the cluster after `tradewind apply -f etl.yaml`

    With -f the exit code is 0 if nothing would change, 1 if something would, and 2 on errors.
    """
    if (dag is None) == (file is None) or len(numbers) > 2:
        raise click.UsageError("name a DAG and at most two of its revisions, or give a manifest with -f")
    if file is None:
        _diff_revisions(dag=dag, numbers=numbers, **rest)
        return
    try:
        ctx.exit(1 if _diff_manifests(file=file, **rest) else 0)
    except click.ClickException as error:
        raise _Failed(error.message) from None


command = connects()(command)


@cluster
async def _diff_revisions(client: Client, namespace: str, dag: str, numbers: tuple[int, ...]) -> None:
    if len(numbers) == 2:
        found = await past(client, namespace, dag)
        one, other = (found.numbered(number) for number in numbers)
        _print(one.spec, other.spec, label(found, one), label(found, other))
        return
    found = await living(client, namespace, dag)
    chosen = found.numbered(numbers[0]) if numbers else found.before
    if chosen is None:
        raise click.ClickException(found.nothing_before(f"diff {dag}"))
    _print(chosen.spec, found.spec, label(found, chosen), label(found, found.current))


def _print(before: Any, after: Any, old: str, new: str) -> None:
    if difference := list(unified(before, after, old, new)):
        show(difference)
    else:
        say(f"no difference between {old} and {new}", err=True)


def label(found: RevisionEntry, item: Recorded | None) -> str:
    """The name of a revision in the head of a diff; None means the DAG's spec where it is not recorded."""
    if item is None:
        return f"dag/{found.name} now (not recorded)"
    current = " (current)" if item is found.current else ""
    return f"dag/{found.name} revision {item.number}{current}"


@cluster
async def _diff_manifests(client: Client, namespace: str, file: str) -> bool:
    """Prints what an apply would change; returns whether anything differs. The server gives the result, so its defaults
    don't count as differences."""
    documents = reader.load(file)
    shelf = DocumentSet(documents)
    for document in documents:
        shelf.check(document)
    differs = False
    for document in documents:
        before, after = await _before_and_after(
            client, document.body["metadata"].get("namespace") or namespace, document
        )
        title = f"{document.kind.lower()}/{document.name}"
        difference = list(unified(before, after, f"{title} on the cluster", f"{title} in {document.source}"))
        show(difference)
        differs = differs or bool(difference)
    return differs


async def _before_and_after(client: Client, namespace: str, document: Document) -> tuple[Object | None, Object]:
    """The object now, None if there is none, and after an apply."""
    resource = RESOURCES[document.kind]
    if "name" not in document.body["metadata"]:
        return None, _plain(document.body)
    try:
        before = await client.get(resource, namespace, document.name)
    except NotFound as error:
        if error.unknown_kind:
            raise
        before = None
    after = await client.apply(resource, namespace, document.name, document.body, dryRun="All")
    if document.kind == "Secret":
        return _masked(before, after, "before") if before else None, _masked(after, before or {}, "after")
    return _plain(before) if before else None, _plain(after)


def _plain(body: Object) -> Object:
    """The part of an object that people write."""
    meta = {key: value for key, value in body["metadata"].items() if key not in SERVERS}
    notes = {key: value for key, value in (meta.pop("annotations", None) or {}).items() if key != LAST_APPLIED}
    kept = {key: value for key, value in body.items() if key not in OURS}
    return {**kept, "metadata": {**meta, **({"annotations": notes} if notes else {})}}


def _masked(body: Object, other: Object, when: str) -> Object:
    """A Secret without its values; only whether a value differs is shown."""
    values, others = body.get("data") or {}, other.get("data") or {}
    data = {key: "***" if others.get(key) == value else f"*** ({when})" for key, value in values.items()}
    return {**{key: value for key, value in _plain(body).items() if key != "stringData"}, "data": data}
