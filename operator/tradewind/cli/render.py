"""`tradewind render`: a DAG with its templates filled in."""

from typing import Any

import click
import yaml

from tradewind import API_VERSION
from tradewind.cli.manifests.document import BadManifest, Refusal
from tradewind.cli.manifests.documents import DocumentSet, problems
from tradewind.cli.manifests.identity import identified
from tradewind.cli.manifests.reader import files, parse
from tradewind.cli.objects.targets import DAG
from tradewind.cli.options import FILES, OUTPUT, cluster, connects, run_to_end
from tradewind.cli.output.terminal import say_data, say_document
from tradewind.cli.output.yaml_text import Readable
from tradewind.control.dags.template_index import rendered
from tradewind.kube.client import Client, Object
from tradewind.plan.dags.compile import defined
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.templates.render import Rendering


@click.command()
@click.argument("dag", type=DAG, required=False)
@click.option(
    "-f",
    "--file",
    "sources",
    type=FILES,
    multiple=True,
    metavar="FILE|FOLDER",
    help="Render the DAGs of these manifests with the templates in them, without a cluster; repeat for more.",
)
@OUTPUT
@click.pass_context
def command(ctx: click.Context, /, dag: str | None, sources: tuple[str, ...], output: str, **rest: Any) -> None:
    """Show a DAG of the cluster, or the DAGs in manifests (-f), with all templates filled in, as a run would use them.

    \b
    tradewind render daily-users               from the cluster, with its current templates
    tradewind render -f dags/ -f templates/    from these files
    """
    if sources:
        found = run_to_end(_here(dag, sources))
    elif dag:
        found = [_there(dag=dag, **rest)]
    else:
        raise click.UsageError("name a DAG of the cluster, or give manifests with -f")
    if output == "json":
        say_data(found, output)
    else:
        say_document(yaml.dump_all(found, Dumper=Readable, sort_keys=False, allow_unicode=True, width=120))


command = connects("Namespace on the cluster.")(command)


@cluster
async def _there(client: Client, namespace: str, dag: str) -> Object:
    try:
        return _manifest({"name": dag, "namespace": namespace}, await rendered(client, namespace, dag))
    except Invalid as error:
        raise click.ClickException(str(error)) from None


async def _here(name: str | None, sources: tuple[str, ...]) -> list[Object]:
    documents = [
        document
        for source in files(sources)
        for document in parse(source)
        if isinstance(document.body, dict) and not identified(document)[1]
    ]
    shelf = DocumentSet(documents)
    dags = [document for document in documents if document.kind == "DAG" and name in (None, document.name)]
    if not dags:
        words = f"no DAG {name!r} in these manifests" if name else "no DAG in these manifests"
        raise BadManifest(Refusal(", ".join(sources), 0, 0, words))
    found = []
    for document in dags:
        try:
            found.append(_manifest(document.body["metadata"], shelf.rendering(document)))
        except Invalid as error:
            raise problems(document, error.problems) from None
    return found


def _manifest(metadata: Object, rendering: Rendering) -> Object:
    defined(rendering)
    return {"apiVersion": API_VERSION, "kind": "DAG", "metadata": metadata, "spec": rendering.spec}
