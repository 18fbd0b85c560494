"""`tradewind rollback`: restores an earlier spec of a DAG."""

import dataclasses

import click
import orjson

from tradewind.cli.diff import LAST_APPLIED, label
from tradewind.cli.objects.targets import DAG
from tradewind.cli.options import cluster
from tradewind.cli.output.terminal import say
from tradewind.cli.revision_reader import Recorded, living
from tradewind.cli.views.object_diff import show, unified
from tradewind.control.dags.revisions import CAUSE, ROLLBACK
from tradewind.control.dags.validation import sound
from tradewind.kube.client import MANAGER, Client, Object
from tradewind.kube.errors import Conflict
from tradewind.kube.resources import DAGS
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.templates.render import Rendering


@click.command()
@click.argument("dag", type=DAG)
@click.option("--to", type=int, metavar="N", help="Revision to go back to.  [default: the one before the current]")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@cluster
async def command(client: Client, namespace: str, dag: str, to: int | None, dry_run: bool) -> None:
    """Restore the spec of an earlier revision of DAG. Active runs keep their revision."""
    found = await living(client, namespace, dag)
    target = found.before if to is None else found.numbered(to)
    if target is None:
        raise click.ClickException(found.nothing_before(f"rollback {dag} --to"))
    if target is found.current or target.spec == found.spec:
        say(f"nothing to do: revision {target.number} is the current one")
        return
    _check(target)
    show(list(unified(found.spec, target.spec, label(found, found.current), label(found, target))))
    if dry_run or found.dag is None:
        return
    await replace(client, namespace, found.dag, target)
    say(f"dag/{dag} rolled back to revision {target.number}")


def _check(target: Recorded) -> None:
    try:
        sound(Rendering(target.rendered))
    except Invalid as error:
        words = f"revision {target.number} is not valid any more:\n{error}"
        raise click.ClickException(f"{words}\nnothing was changed: apply a fixed manifest instead") from None


async def replace(client: Client, namespace: str, dag: Object, target: Recorded) -> None:
    """Gives the DAG the spec of a revision, provided that nobody has changed it since it was read. The field manager is
    kept: the next apply must know its own fields, or it would leave those that the rollback has restored."""
    if "suspend" in dag["spec"]:
        target = dataclasses.replace(target, spec={**target.spec, "suspend": dag["spec"]["suspend"]})
    meta = dag["metadata"]
    name, cause = meta["name"], f"{ROLLBACK}{target.number}"
    notes = {**(meta.get("annotations") or {}), CAUSE: cause}
    try:
        if _ours(meta):
            short = {"name": name, "resourceVersion": meta["resourceVersion"], "annotations": {CAUSE: cause}}
            body = {"apiVersion": DAGS.api_version, "kind": DAGS.kind, "metadata": short, "spec": target.spec}
            dag = await client.apply(DAGS, namespace, name, body)
            if dag["spec"] == target.spec:
                return
        elif LAST_APPLIED in notes:
            short = {"name": name, "namespace": namespace, "annotations": {CAUSE: cause}}
            body = {"apiVersion": DAGS.api_version, "kind": DAGS.kind, "metadata": short, "spec": target.spec}
            notes[LAST_APPLIED] = orjson.dumps(body).decode()
        body = {**dag, "metadata": {**dag["metadata"], "annotations": notes}, "spec": target.spec}
        await client.replace(DAGS, namespace, name, body)
    except Conflict:
        words = f"dag/{name} was just changed by someone else: check `tradewind diff {name}`, and try again"
        raise click.ClickException(words) from None


def _ours(meta: Object) -> bool:
    """Whether `tradewind apply` owns the whole spec."""
    owners = {
        (item.get("manager"), item.get("operation"))
        for item in meta.get("managedFields") or []
        if "f:spec" in (item.get("fieldsV1") or {})
    }
    return owners == {(MANAGER, "Apply")}
