"""`tradewind ui`: the web UI, with the user's kubeconfig."""

import asyncio
import logging
import os
import signal
import sys
import webbrowser
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import click

from tradewind.cli.options import run_to_end
from tradewind.cli.output.terminal import say
from tradewind.control.shared.task_groups import tasks
from tradewind.kube.client import Client
from tradewind.kube.connection import connect
from tradewind.server.serving import Opened, PortTaken, opened
from tradewind.server.web.documents import STATIC

LOOK = 1.0
"""Seconds between two checks of the watches."""
BROWSER = click.option("--browser/--no-browser", default=True, help="Open a browser.  [default: browser]")


@click.command()
@click.option(
    "-n",
    "--namespace",
    "namespaces",
    multiple=True,
    help="Namespace to show; repeat for more.  [default: all that you may see, else the kubeconfig's]",
)
@click.option("-A", "--all-namespaces", is_flag=True, help="All namespaces.")
@click.option("--kubeconfig", type=click.Path(), help="Kubeconfig file.  [default: $KUBECONFIG, ~/.kube/config]")
@click.option("--context", help="Context in the kubeconfig.")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="Port to listen on.  [default: a free one]")
@BROWSER
def command(
    namespaces: tuple[str, ...],
    all_namespaces: bool,
    kubeconfig: str | None,
    context: str | None,
    port: int,
    browser: bool,
) -> None:
    """Show runs, DAGs, and why tasks wait, in a browser. It uses your kubeconfig and your rights, installs nothing on the
    cluster, and listens on this machine only. Ctrl-C ends it.

    \b
    tradewind ui
    tradewind ui -n team-a --port 8080 --no-browser
    """
    if namespaces and all_namespaces:
        raise click.UsageError("-n and -A exclude each other")
    run_to_end(_serve(namespaces, all_namespaces, kubeconfig, context, port, browser))


async def _serve(
    namespaces: Sequence[str], everywhere: bool, kubeconfig: str | None, context: str | None, port: int, browser: bool
) -> None:
    logging.getLogger("tradewind").setLevel(logging.ERROR)  # `_tell` says it once, not for each kind
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    connection = connect(kubeconfig, context)
    async with (
        Client(connection) as client,
        shown(client, "kubeconfig", namespaces, connection.namespace, port, browser) as server,
    ):
        if everywhere and server.service.namespace:
            words = "you may not list and watch dagruns in all namespaces: name those that you may see with -n"
            raise click.ClickException(words)
        who = server.service.caller.user or "an unknown user"
        say(f"cluster {connection.server}, as {who}; Ctrl-C ends it", err=True)
        async with tasks([_tell(server)]):
            await stop.wait()


async def _tell(server: Opened) -> None:
    """Prints when the API server stops answering, and when it answers again. Never returns."""
    late = False
    while True:
        await asyncio.sleep(LOOK)
        if bool(seconds := server.service.followers.late()) != late:
            late = bool(seconds)
            words = f"has not answered for {seconds:.0f} s; trying again" if late else "answers again"
            say(f"the API server {words}", err=True)


@asynccontextmanager
async def shown(
    client: Client,
    mode: str = "local",
    namespaces: Sequence[str] = (),
    fallback: str = "default",
    port: int = 0,
    browser: bool = True,
    err: bool = False,
) -> AsyncIterator[Opened]:
    """A server while the context is open. Prints its address (with `err` to stderr) and, if asked to, opens a browser.
    Raises ClickException."""
    try:
        async with opened(client, mode=mode, namespaces=namespaces, fallback=fallback, port=port) as server:
            say(server.url, err=err)
            if not (STATIC / "index.html").is_file():
                say("the web UI is not built in this checkout: `make ui` builds it", err=True)
            if browser and _graphical():
                # The browser's arguments are in the list of processes: this address opens one session.
                await asyncio.to_thread(webbrowser.open, server.once)
            yield server
    except PortTaken as error:
        raise click.ClickException(str(error)) from None


def _graphical() -> bool:
    """Whether a browser would have a window. Without one, Python starts a browser in the terminal."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
