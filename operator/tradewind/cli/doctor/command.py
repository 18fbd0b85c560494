"""The command `tradewind doctor`."""

from collections.abc import Sequence
from pathlib import Path

import click

from tradewind.cli.doctor.bundle import Bundle, fill
from tradewind.cli.objects.unknown import must_be_there
from tradewind.cli.options import OUTPUT, cluster
from tradewind.cli.output.terminal import Console, Text, say_data
from tradewind.kube.client import Client
from tradewind.look.doctor.checks import findings
from tradewind.look.doctor.finding import Finding, Level
from tradewind.look.doctor.gather import gather
from tradewind.model.crd import manifests

STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "bold red", Level.UNKNOWN: "dim"}


@click.command()
@click.option("-A", "--all-namespaces", is_flag=True, help="Check runs and rights in all namespaces.")
@click.option(
    "--operator-namespace", metavar="NAMESPACE", help="Namespace of the operator.  [default: found automatically]"
)
@click.option(
    "--bundle",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.tar.gz",
    help="Also write a support bundle: objects, Events and the operator's logs, without values of users.",
)
@OUTPUT
@cluster
async def command(
    client: Client,
    namespace: str,
    all_namespaces: bool,
    operator_namespace: str | None,
    bundle: Path | None,
    output: str,
) -> None:
    """Check the cluster and the installation, and suggest what to do about problems. The exit code is 1 if there is a
    problem."""
    told = Console(stderr=True)
    if not all_namespaces:
        await must_be_there(client, namespace)
    with told.status(Text("looking at the API server …")) as status:
        facts = await gather(
            client,
            namespace,
            all_namespaces,
            operator_namespace,
            lambda what: status.update(Text(f"looking at {what} …")),
        )
        found = findings(facts, manifests())
        if bundle:
            made = Bundle(bundle)
            await fill(made, client, facts, found, lambda what: status.update(Text(f"reading {what} …")))
    if output != "text":
        say_data([finding.data() for finding in found], output)
    else:
        _show(found)
    if bundle:
        _write(made, told)
    if any(finding.level is Level.PROBLEM for finding in found):
        raise click.exceptions.Exit(1)


def _show(found: Sequence[Finding]) -> None:
    console, width = Console(soft_wrap=True), max(len(finding.check) for finding in found)
    for finding in found:
        head = Text(f"{finding.level:8}", style=STYLES[finding.level])
        console.print(Text.assemble(head, f"{finding.check:{width}}  {finding.what}"))
        if finding.do and finding.level is not Level.OK:
            console.print(Text(f"{'':8}{'':{width}}  do: {finding.do}", style="italic"))
    counts = [f"{sum(finding.level is level for finding in found)} {level}" for level in Level]
    console.print(", ".join(counts))


def _write(bundle: Bundle, console: Console) -> None:
    try:
        count = bundle.write()
    except OSError as error:
        raise click.ClickException(f"--bundle {bundle.path}: {error.strerror or error}") from None
    console.print(
        f"{bundle.path}: {count} files. What users have written is hidden but for names, images and labels of Tradewind's; look into it"
    )
    console.print("before you send it: the operator's logs are in it, without what looks like a credential.")
    for note in bundle.notes:
        console.print(f"  not in it: {note}", soft_wrap=True)
