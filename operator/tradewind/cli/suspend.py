"""`tradewind suspend` and `tradewind resume`: hold back runs, a DAG's new runs, or a trigger."""

import click

from tradewind.cli.options import cluster
from tradewind.kube.client import Client
from tradewind.kube.resources import DAGS, RUNS, TRIGGERS
from tradewind.model.run import FINAL_PHASES

SWITCHED = {"dag": DAGS, "trigger": TRIGGERS}
"""Kinds with a field `suspend`."""


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="RUN|dag/DAG|trigger/TRIGGER...")
@cluster
async def command(client: Client, namespace: str, names: tuple[str, ...]) -> None:
    """Suspend runs: nothing more starts in them, what runs goes on. Of a dag/NAME no new run begins, a trigger/NAME makes none."""
    for name in names:
        await _set(client, namespace, name, True)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="RUN|dag/DAG|trigger/TRIGGER...")
@cluster
async def resume(client: Client, namespace: str, names: tuple[str, ...]) -> None:
    """Let suspended runs, the runs of a dag/NAME, or a trigger/NAME go on."""
    for name in names:
        await _set(client, namespace, name, False)


async def _set(client: Client, namespace: str, name: str, suspended: bool) -> None:
    kind, slash, rest = name.rpartition("/")
    words = "is suspended" if suspended else "goes on"
    if slash and kind not in (*SWITCHED, "run", "dagrun"):
        raise click.ClickException(f"{name}: write a run's name, {' or '.join(f'{kind}/NAME' for kind in SWITCHED)}")
    if kind in SWITCHED:
        await client.patch(SWITCHED[kind], namespace, rest, {"spec": {"suspend": suspended}})
        click.echo(f"{kind}/{rest} {words}")
        return
    found = await client.get(RUNS, namespace, rest)
    desired = (found.get("spec") or {}).get("desiredState")
    phase = (found.get("status") or {}).get("phase")
    if phase in FINAL_PHASES:
        raise click.ClickException(f"dagrun/{rest} has ended: {phase}")
    if desired in ("Cancelled", "Terminated"):
        raise click.ClickException(f"dagrun/{rest} is being stopped (spec.desiredState: {desired})")
    await client.patch(RUNS, namespace, rest, {"spec": {"desiredState": "Suspended" if suspended else "Running"}})
    click.echo(f"dagrun/{rest} {words}")
