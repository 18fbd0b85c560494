"""`tradewind delete`: deletes objects."""

import asyncio

import click
import msgspec

from tradewind.cli.objects.targets import called, targets
from tradewind.cli.options import cluster
from tradewind.cli.output.terminal import say
from tradewind.cli.shell.completion import either, names_of
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import Forbidden, NotFound
from tradewind.kube.pages import walk
from tradewind.kube.resources import BACKFILLS, DAGS, RUNS, Resource
from tradewind.look.reading import status as status_of
from tradewind.model.backfill import FINISHED
from tradewind.model.run import FINAL_PHASES
from tradewind.model.shown import counted

PAGE = 500
PHASES: msgspec.json.Decoder[Object] = msgspec.json.Decoder(Object)
LOOK = 0.5
"""Seconds between two polls."""


@click.command()
@click.argument(
    "names",
    nargs=-1,
    required=True,
    metavar="RUN|dag/DAG|trigger/TRIGGER|...",
    shell_complete=either(names_of("runs"), names_of("dags", "dag/"), names_of("triggers", "trigger/")),
)
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until the objects are gone.")
@cluster
async def command(client: Client, namespace: str, names: tuple[str, ...], wait: bool) -> None:
    """Delete runs, with their pods and sub-DAG runs, or other objects. Deleting a DAG keeps its runs.

    \b
    tradewind delete etl-x7k2p
    tradewind delete dag/etl trigger/nightly
    """
    found = targets(names)
    for resource, name in found:
        note = "; it had not ended" if await _under_way(client, resource, namespace, name) else ""
        note = await _kept(client, namespace, name) if resource is DAGS else note
        await client.delete(resource, namespace, name, propagationPolicy="Background")
        say(f"{called(resource, name)} deleted{note}")
    if wait:
        await asyncio.gather(*(_wait_gone(client, resource, namespace, name) for resource, name in found))


async def _under_way(client: Client, resource: Resource, namespace: str, name: str) -> bool:
    """Whether a run or a backfill has not ended."""
    ends = {RUNS: FINAL_PHASES, BACKFILLS: FINISHED}.get(resource)
    if ends is None:
        return False
    try:
        return status_of(await client.get(resource, namespace, name)).get("phase") not in ends
    except Forbidden:  # the right to delete a run does not include the right to read it
        return False


async def _kept(client: Client, namespace: str, dag: str) -> str:
    """A note on the runs of a DAG, which outlive it; empty if it has none, or if the user may not list them."""
    try:
        runs = [item async for item in walk(client, RUNS, namespace, PHASES, PAGE, fieldSelector=f"spec.dag={dag}")]
    except Forbidden:
        return ""
    active = sum(status_of(run).get("phase") not in FINAL_PHASES for run in runs)
    ended = len(runs) - active
    words = [f"{counted(active, 'active run')} continue{'s' if active == 1 else ''}"] if active else []
    words += [f"{counted(ended, 'ended run')} {'is' if ended == 1 else 'are'} kept"] if ended else []
    return f"; {', '.join(words)}" if words else ""


async def _wait_gone(client: Client, resource: Resource, namespace: str, name: str) -> None:
    try:
        uid = (await client.get(resource, namespace, name))["metadata"]["uid"]
        while (await client.get(resource, namespace, name))["metadata"]["uid"] == uid:
            await asyncio.sleep(LOOK)
    except NotFound:
        return
