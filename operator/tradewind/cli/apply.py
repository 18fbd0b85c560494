"""`tradewind apply`: checks manifests and applies them to the cluster."""

import contextlib

import click

from tradewind.cli.manifests.document import Document
from tradewind.cli.manifests.validation import require
from tradewind.cli.options import FILES, cluster
from tradewind.cli.output.terminal import say
from tradewind.cli.starts.resources import RESOURCES
from tradewind.kube.client import Client
from tradewind.kube.errors import Conflict, Forbidden, Invalid, NotFound
from tradewind.look.explained import explained

LATE = ("DAGRun", "Backfill")
"""Kinds that need other objects to be applied first."""


@click.command()
@click.option(
    "-f",
    "--file",
    "files",
    type=FILES,
    multiple=True,
    required=True,
    metavar="FILE|FOLDER",
    help="Manifest (`-`: standard input), or a folder of them; repeat for more.",
)
@cluster
async def command(client: Client, namespace: str, files: tuple[str, ...]) -> None:
    """Apply DAGs (and templates, pools, ConfigMaps, Secrets, DAGRuns) from manifests to the cluster. In folders,
    objects of other kinds are ignored. If a manifest has a mistake, nothing is applied."""
    documents, notes = require(*files)
    for note in notes:
        say(f"note: {note}", err=True)
    refused: list[str] = []
    for document in sorted(documents, key=lambda document: document.kind in LATE):
        if refused and document.kind in LATE:
            refused.append(f"{_called(document)}: not applied, because of the others")
            continue
        try:
            say(f"{_called(document)} {await _apply(client, namespace, document)}")
        except (Invalid, Forbidden, Conflict) as error:
            refused.append(f"{_called(document)}: {explained(error)}")
    if refused:
        raise click.ClickException("\n".join(refused))


def _called(document: Document) -> str:
    return f"{document.kind.lower()}/{document.name}"


async def _apply(client: Client, namespace: str, document: Document) -> str:
    """Applies a document; returns what that did."""
    target, resource = document.body["metadata"].get("namespace") or namespace, RESOURCES[document.kind]
    if "name" not in document.body["metadata"]:
        await client.create(resource, target, document.body, fieldValidation="Strict")
        return "applied"
    before = ""
    with contextlib.suppress(NotFound, Forbidden):
        before = (await client.get(resource, target, document.name))["metadata"]["resourceVersion"]
    after = await client.apply(resource, target, document.name, document.body)
    return "unchanged" if after["metadata"]["resourceVersion"] == before else "applied"
