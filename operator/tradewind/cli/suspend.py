"""`tradewind suspend` and `tradewind resume`: hold back runs, or a DAG's new runs."""

import click

from tradewind.cli.options import cluster
from tradewind.kube.client import Client
from tradewind.kube.resources import DAGS, RUNS
from tradewind.model.run import FINAL_PHASES


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="RUN|dag/DAG...")
@cluster
async def command(client: Client, namespace: str, names: tuple[str, ...]) -> None:
    """Suspend runs: nothing more starts in them, what runs goes on. Of a dag/NAME no new run begins."""
    for name in names:
        await _set(client, namespace, name, True)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="RUN|dag/DAG...")
@cluster
async def resume(client: Client, namespace: str, names: tuple[str, ...]) -> None:
    """Let suspended runs, or the runs of a dag/NAME, go on."""
    for name in names:
        await _set(client, namespace, name, False)


async def _set(client: Client, namespace: str, name: str, suspended: bool) -> None:
    kind, slash, rest = name.rpartition("/")
    words = "is suspended" if suspended else "goes on"
    if slash and kind not in ("dag", "run", "dagrun"):
        raise click.ClickException(f"{name}: write a run's name, or dag/NAME")
    if kind == "dag":
        await client.patch(DAGS, namespace, rest, {"spec": {"suspend": suspended}})
        click.echo(f"dag/{rest} {words}")
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
