"""`tradewind cancel`: stop a run."""

import click

from tradewind.cli.options import cluster
from tradewind.kube.client import Client
from tradewind.kube.resources import RUNS
from tradewind.model.run import FINAL_PHASES


@click.command()
@click.argument("runs", nargs=-1, required=True)
@click.option("--terminate", is_flag=True, help="Not even teardowns and exit tasks run.")
@cluster
async def command(client: Client, namespace: str, runs: tuple[str, ...], terminate: bool) -> None:
    """Cancel RUNS: their live pods are deleted and nothing more starts but teardowns and exit tasks."""
    for name in runs:
        found = await client.patch(
            RUNS, namespace, name, {"spec": {"desiredState": "Terminated" if terminate else "Cancelled"}}
        )
        phase = (found.get("status") or {}).get("phase")
        click.echo(f"dagrun/{name} {'had ended already: ' + phase if phase in FINAL_PHASES else 'is being cancelled'}")
