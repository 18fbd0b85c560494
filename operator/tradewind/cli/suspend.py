"""`tradewind suspend` and `tradewind resume`: stop and continue runs, a DAG's new runs, a trigger or a backfill."""

import time

import click

from tradewind.cli.objects.targets import target
from tradewind.cli.options import cluster
from tradewind.cli.output.terminal import say
from tradewind.kube.client import Client
from tradewind.kube.resources import BACKFILLS, DAGS, RUNS, TRIGGERS
from tradewind.look.reading import status as status_of
from tradewind.model.backfill import FINISHED
from tradewind.model.duration import stamp
from tradewind.model.run import FINAL_PHASES

SWITCHED = (DAGS, TRIGGERS)
"""Kinds with a field `suspend`."""
WORDS = "RUN|dag/DAG|trigger/TRIGGER|backfill/BACKFILL..."


@click.command()
@click.argument("names", nargs=-1, required=True, metavar=WORDS)
@cluster
async def command(client: Client, namespace: str, names: tuple[str, ...]) -> None:
    """Suspend runs: no further task starts, and running tasks continue. New runs of a suspended dag/NAME wait; a
    suspended trigger/NAME or backfill/NAME creates no runs."""
    for name in names:
        await _set(client, namespace, name, True)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar=WORDS)
@cluster
async def resume(client: Client, namespace: str, names: tuple[str, ...]) -> None:
    """Resume suspended runs, DAGs (dag/NAME), triggers (trigger/NAME) or backfills (backfill/NAME)."""
    for name in names:
        await _set(client, namespace, name, False)


async def _set(client: Client, namespace: str, name: str, suspended: bool) -> None:
    resource, rest = target(name)
    words = "is suspended" if suspended else "goes on"
    if resource not in (*SWITCHED, RUNS, BACKFILLS):
        raise click.ClickException(f"{name}: write a run's name, dag/NAME, trigger/NAME or backfill/NAME")
    kind = resource.kind.lower()
    if resource in SWITCHED:
        spec: dict[str, object] = {"suspend": suspended}
        if resource is TRIGGERS and not suspended:
            found = await client.get(resource, namespace, rest)
            if (found.get("spec") or {}).get("suspendAfterFailures"):
                spec["failuresSince"] = stamp(time.time() + 1)  # All runs that there are were created before.
        await client.patch(resource, namespace, rest, {"spec": spec})
        say(f"{kind}/{rest} {words}")
        return
    ends = FINISHED if resource is BACKFILLS else FINAL_PHASES
    found = await client.get(resource, namespace, rest)
    desired = (found.get("spec") or {}).get("desiredState")
    phase = str(status_of(found).get("phase") or "")
    if phase in ends:
        raise click.ClickException(f"{kind}/{rest} has ended: {phase}")
    if desired in ("Cancelled", "Terminated"):
        raise click.ClickException(f"{kind}/{rest} is being stopped (spec.desiredState: {desired})")
    await client.patch(resource, namespace, rest, {"spec": {"desiredState": "Suspended" if suspended else "Running"}})
    say(f"{kind}/{rest} {words}")
