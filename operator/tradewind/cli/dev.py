"""`tradewind dev`: a local cluster to use with kubectl."""

import asyncio
import contextlib
import shlex
from collections.abc import AsyncIterator
from pathlib import Path

import click

from tradewind.cli.laptop.dev_runs import tell_runs
from tradewind.cli.laptop.kubeconfig_file import NAME, KubeconfigFile
from tradewind.cli.laptop.recorded import DATA, recorded
from tradewind.cli.options import run_to_end
from tradewind.cli.output.terminal import say
from tradewind.control.shared.task_groups import tasks
from tradewind.kube.client import Client


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=0, help="Port of the API server.  [default: a free one]"
)
@click.option(
    "--write-kubeconfig",
    type=click.Path(path_type=Path),
    default=Path("tradewind-dev.kubeconfig"),
    show_default=True,
    help="Where to write the kubeconfig. An existing file is not overwritten.",
)
@click.option("--ui", "with_ui", is_flag=True, help="Show it in a browser, as `tradewind ui` does.")
@click.option("--browser/--no-browser", default=True, help="With --ui: open a browser.  [default: browser]")
@DATA
def command(port: int, write_kubeconfig: Path, with_ui: bool, browser: bool, data: Path | None) -> None:
    """Run a local cluster: an API server for kubectl, the operator, and tasks as local processes. Ctrl-C stops it."""
    run_to_end(_dev(port, write_kubeconfig.absolute(), with_ui, browser, data))


async def _dev(port: int, path: Path, with_ui: bool, browser: bool, data: Path | None) -> None:
    from tradewind.local.session import session

    stop = asyncio.Event()
    file = KubeconfigFile(path)
    file.check()
    async with session(stop.set, port) as here:
        try:
            file.write(kubeconfig(here.connection.server, here.token))
            say(f"export KUBECONFIG={shlex.quote(str(path))}")
            say(f"API server at {here.connection.server}; try: kubectl get dags,dagruns. Ctrl-C ends it.", err=True)
            async with (
                recorded(here.client, data),
                tasks([tell_runs(here.client)]),
                _ui(here.client, with_ui, browser),
            ):
                await stop.wait()
        finally:
            file.remove()
    kept = f"; its runs are on record: tradewind history list --data {shlex.quote(str(data))}" if data else ""
    say(f"ended: its DAGs, runs and logs were in memory, and are gone{kept}", err=True)


@contextlib.asynccontextmanager
async def _ui(client: Client, wanted: bool, browser: bool) -> AsyncIterator[None]:
    if not wanted:
        yield
        return
    from tradewind.cli.ui import shown

    async with shown(client, browser=browser, err=True):
        yield


def kubeconfig(server: str, token: str) -> dict[str, object]:
    """A kubeconfig for the local API server. The token is part of the address: kubectl sends none without TLS."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NAME, "cluster": {"server": f"{server}/{token}"}}],
        "users": [{"name": NAME, "user": {}}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME, "namespace": "default"}}],
        "current-context": NAME,
    }
