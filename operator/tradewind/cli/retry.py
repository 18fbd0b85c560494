"""`tradewind retry`: retries the failed tasks of a run."""

import click

from tradewind.cli.objects.dated_runs import SINCE, UNTIL, each_run
from tradewind.cli.objects.targets import RUN_OR_DAG
from tradewind.cli.options import REASON, cluster
from tradewind.cli.output.terminal import say
from tradewind.cli.revision_reader import keeps
from tradewind.cli.shell.completion import names_of
from tradewind.cli.views.follow_run import picture
from tradewind.control.dags.revisions import Revisions
from tradewind.kube.client import Client
from tradewind.kube.resources import RUNS
from tradewind.look.actions import NotPossible, change, tried_again


@click.command()
@click.argument("run", type=RUN_OR_DAG, metavar="RUN|dag/NAME", shell_complete=names_of("runs"))
@SINCE
@UNTIL
@REASON
@click.option("--dry-run", is_flag=True, help="Only show what would run.")
@cluster
async def command(
    client: Client, namespace: str, run: str, since: str | None, until: str | None, reason: str, dry_run: bool
) -> None:
    """Retry the failed tasks and items of RUN, with a new retry budget. Successful tasks are kept.

    \b
    tradewind retry sales-20260501
    tradewind retry dag/sales --since 2026-05-01 --until 2026-05-08
    """

    async def retry(name: str) -> None:
        await _retry(client, namespace, name, reason, dry_run)

    await each_run(client, namespace, run, since, until, retry)


async def _retry(client: Client, namespace: str, run: str, reason: str, dry_run: bool) -> None:
    found, rows = await picture(client, namespace, run, Revisions(client))
    try:
        again = tried_again(found, rows)
    except NotPossible as error:
        raise click.ClickException(str(error)) from None
    for row in again:
        say(f"{row.task}: {row.state}, tries again")
    if kept := await keeps(client, namespace, found):
        say(kept)
    if dry_run:
        return
    await client.patch(RUNS, namespace, run, await change(client, "retry", found, reason))
    say(f"dagrun/{run} tries again what failed (spec.retryFailed: {found.rounds + 1})")
