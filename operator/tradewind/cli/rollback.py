"""`tradewind rollback`: an earlier spec of a DAG again."""

import click

from tradewind.cli.diff import label
from tradewind.cli.options import cluster
from tradewind.cli.recorded import Recorded, living
from tradewind.cli.unified import show, unified
from tradewind.control.revisions import CAUSE, ROLLBACK
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import Conflict
from tradewind.kube.resources import DAGS
from tradewind.plan.define import define
from tradewind.plan.problem import Invalid


@click.command()
@click.argument("dag")
@click.option("--to", type=int, metavar="N", help="Revision to go back to.  [default: the one before the current]")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@cluster
async def command(client: Client, namespace: str, dag: str, to: int | None, dry_run: bool) -> None:
    """Give DAG the spec of an earlier revision. Runs under way go on with theirs."""
    found = await living(client, namespace, dag)
    target = found.before if to is None else found.numbered(to)
    if target is None:
        raise click.ClickException(f"dag/{dag} has no revision before the current one; {found.told()}")
    if target is found.current or target.spec == found.spec:
        click.echo(f"nothing to do: revision {target.number} is the current one")
        return
    _check(target)
    show(list(unified(found.spec, target.spec, label(found, found.current), label(found, target))))
    if dry_run or found.dag is None:
        return
    await _replace(client, namespace, found.dag, target)
    click.echo(f"dag/{dag} rolled back to revision {target.number}")


def _check(target: Recorded) -> None:
    try:
        define(target.rendered)
    except Invalid as error:
        words = f"revision {target.number} is not valid any more:\n{error}"
        raise click.ClickException(f"{words}\nnothing was changed: apply a mended manifest instead") from None


async def _replace(client: Client, namespace: str, dag: Object, target: Recorded) -> None:
    """On condition that nobody has changed the DAG since it was read."""
    notes = {**(dag["metadata"].get("annotations") or {}), CAUSE: f"{ROLLBACK}{target.number}"}
    body = {**dag, "metadata": {**dag["metadata"], "annotations": notes}, "spec": target.spec}
    try:
        await client.replace(DAGS, namespace, dag["metadata"]["name"], body)
    except Conflict:
        name = dag["metadata"]["name"]
        words = f"dag/{name} was changed by someone else at this moment: look at `tradewind diff {name}`, and try again"
        raise click.ClickException(words) from None
