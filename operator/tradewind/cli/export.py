"""`tradewind export`: a run as one file."""

import sys
import time
from pathlib import Path

import click

from tradewind.cli.objects.targets import RUN
from tradewind.cli.options import cluster
from tradewind.cli.output.terminal import say
from tradewind.cli.shell.completion import names_of
from tradewind.control.dags.revisions import Revisions
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError
from tradewind.kube.labels import RUN_UID
from tradewind.kube.pod import parse_list
from tradewind.kube.resources import EVENTS, PODS, RUNS
from tradewind.look.export.page import page
from tradewind.look.export.run import excerpts, exported
from tradewind.look.reading import of_kind, reading
from tradewind.look.run_view import look


@click.command()
@click.argument("name", metavar="RUN", type=RUN, shell_complete=names_of("runs"))
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="File to write; `-` for standard output.  [default: RUN.html]",
)
@cluster
async def command(client: Client, namespace: str, name: str, path: Path | None) -> None:
    """Write RUN as one file of HTML, for a ticket or a post-mortem: graph, Gantt, reasons, attempts and the last lines of
    failed tasks. It needs no cluster and no network to open, and has no scripts.

    \b
    tradewind export sales-20260501
    tradewind export sales-20260501 -o - | gzip > sales.html.gz
    """
    body = await client.get(RUNS, namespace, name)
    run, view = await look(client, namespace, name, Revisions(client))
    raw = await client.list_raw(PODS, namespace, labelSelector=f"{RUN_UID}={run.uid}")
    pods = {pod.metadata.name: pod for pod in parse_list(raw).items}
    events = await _events(client, namespace, run.uid)
    with reading(f"dagrun/{name}"):
        logs = await excerpts(client, run, view)
        text = page(exported(body, run, view, pods, logs, events, time.time()))
    if path is not None and str(path) == "-":
        sys.stdout.buffer.write(text.encode(errors="replace"))
        return
    path = path or Path(f"{name}.html")
    try:
        path.write_bytes(text.encode(errors="replace"))
    except OSError as error:
        raise click.ClickException(f"-o {path}: {error.strerror or error}") from None
    say(
        f"{path}: dagrun/{name}, {len(text) // 1024 + 1} KiB. It holds params, outputs and log lines: look into it before you send it"
    )


async def _events(client: Client, namespace: str, uid: str) -> list[str]:
    try:
        found = await client.list(EVENTS, namespace, fieldSelector=f"involvedObject.uid={uid}", limit="100")
    except ApiError:
        return []
    return [
        f"{item.get('type')} {item.get('reason')} {of_kind(dict, item.get('involvedObject')).get('name')}: {item.get('message')}"
        for item in found["items"]
    ]
