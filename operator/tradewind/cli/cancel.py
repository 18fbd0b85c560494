"""`tradewind cancel`: stop a run, or a backfill."""

import click

from tradewind.cli.objects.targets import target
from tradewind.cli.options import REASON, cluster
from tradewind.cli.output.terminal import say
from tradewind.control.dagrun.run import read_run
from tradewind.kube.client import Client
from tradewind.kube.resources import BACKFILLS, DAGS, RUNS
from tradewind.look.reading import status as status_of
from tradewind.look.whoami import CANCELLED, signed
from tradewind.model.backfill import FINISHED


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="RUN|backfill/BACKFILL...")
@click.option(
    "--terminate",
    is_flag=True,
    help="Don't run teardowns and exit tasks either. Containers still have their gracePeriod (30s by default) to end.",
)
@REASON
@cluster
async def command(client: Client, namespace: str, names: tuple[str, ...], terminate: bool, reason: str) -> None:
    """Cancel runs: their pods are deleted, which gives containers their gracePeriod to end, and only teardowns and exit
    tasks still start. For a backfill/NAME all its runs are cancelled, and it creates no more."""
    meta = {"metadata": {"annotations": await signed(client, reason, CANCELLED)}}
    for name in names:
        resource, rest = target(name)
        kind = resource.kind.lower()
        if resource not in (RUNS, BACKFILLS):
            runs = f"; runs of it are listed by `tradewind get runs --dag {rest}`" if resource is DAGS else ""
            raise click.ClickException(f"{name}: write a run's name, or backfill/NAME{runs}")
        found = await client.get(resource, namespace, rest)
        phase = str(status_of(found).get("phase") or "")
        if read_run(found).final if resource is RUNS else phase in FINISHED:
            # The spec stays as it is: a run that was stopped can't be retried.
            say(f"{kind}/{rest} had ended already: {phase}; nothing is changed")
            continue
        desired = "Terminated" if terminate and resource is RUNS else "Cancelled"
        await client.patch(resource, namespace, rest, {**meta, "spec": {"desiredState": desired}})
        say(f"{kind}/{rest} is being {'terminated' if desired == 'Terminated' else 'cancelled'}")
