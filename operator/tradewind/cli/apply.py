"""`tradewind apply`: checks manifests and applies them to the cluster."""

import click

from tradewind.cli.manifests import reader
from tradewind.cli.manifests.validation import require
from tradewind.cli.options import FILES, cluster
from tradewind.cli.output.terminal import say
from tradewind.cli.starts.resources import RESOURCES
from tradewind.kube.client import Client

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
    objects of other kinds are ignored."""
    documents = sorted(reader.load(*files), key=lambda document: document.kind in LATE)
    for note in require(documents).notes:
        say(f"note: {note}", err=True)
    for document in documents:
        target = document.body["metadata"].get("namespace") or namespace
        resource = RESOURCES[document.kind]
        if "name" in document.body["metadata"]:
            await client.apply(resource, target, document.name, document.body)
        else:
            await client.create(resource, target, document.body, fieldValidation="Strict")
        say(f"{document.kind.lower()}/{document.name} applied")
