"""`tradewind dev`: a local cluster to use with kubectl."""

import asyncio
from pathlib import Path

import click
import yaml

from tradewind.cli.options import settled
from tradewind.cli.terminal import say


@click.command()
@click.option("--port", default=0, help="Port of the API server.  [default: a free one]")
@click.option(
    "--write-kubeconfig",
    type=click.Path(path_type=Path),
    default=Path("tradewind-dev.kubeconfig"),
    show_default=True,
    help="Where to write a kubeconfig.",
)
def command(port: int, write_kubeconfig: Path) -> None:
    """Keep a local cluster up: an API server for kubectl, the operator, and tasks as local processes. Ctrl-C ends it."""
    settled(_dev(port, write_kubeconfig.absolute()))


async def _dev(port: int, path: Path) -> None:
    from tradewind.local.session import session

    stop = asyncio.Event()
    try:
        async with session(stop.set, port) as here:
            path.touch(mode=0o600)
            path.write_text(yaml.safe_dump(kubeconfig(here.connection.server, here.token), sort_keys=False))
            say(f"export KUBECONFIG={path}")
            say(f"API server at {here.connection.server}; try: kubectl get dags,dagruns. Ctrl-C ends it.", err=True)
            await stop.wait()
    finally:
        path.unlink(missing_ok=True)


def kubeconfig(server: str, token: str) -> dict[str, object]:
    """A kubeconfig for the local API server. The token is part of the address: kubectl sends none without TLS."""
    name = "tradewind-dev"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": f"{server}/{token}"}}],
        "users": [{"name": name, "user": {}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "default"}}],
        "current-context": name,
    }
