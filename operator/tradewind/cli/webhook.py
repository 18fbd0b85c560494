"""`tradewind webhook`: refuses at `kubectl apply` what the operator would refuse later."""

import asyncio
import logging
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import uvloop

from tradewind import metrics
from tradewind.cli.process import process, start_logging
from tradewind.control import probes
from tradewind.control.asks import ClusterAsks
from tradewind.control.certificate import Certificate, Unusable
from tradewind.control.events import EventSink
from tradewind.control.together import first, tasks
from tradewind.control.webhook import serve
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection, NoCluster, connect

log = logging.getLogger("tradewind")
REVIEWS = 2
"""Documents reviewed at once. Each takes a core, and a large DAG some fifty megabytes."""
PATIENCE = 3.0
"""Seconds for a request to the API server, which itself waits for five."""
FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--cert", type=FILE, required=True, help="The server's certificate (PEM), read again when it changes.")
@click.option("--key", type=FILE, required=True, help="Its key (PEM).")
@click.option("--port", default=9443, show_default=True, help="Port for the API server's requests.")
@click.option(
    "--dry-run-pods/--no-dry-run-pods", default=True, show_default=True, help="Try podTemplates on the API server."
)
@process
def command(
    cert: Path,
    key: Path,
    port: int,
    dry_run_pods: bool,
    metrics_port: int,
    kubeconfig: str | None,
    context: str | None,
    log_level: str,
) -> None:
    """Answer an API server's AdmissionReviews of DAGs, runs and pools."""
    start_logging(log_level)
    try:
        uvloop.run(_run(connect(kubeconfig, context), cert, key, port, metrics_port, dry_run_pods))
    except (NoCluster, Unusable) as error:
        raise click.ClickException(str(error)) from None


async def _run(connection: Connection, cert: Path, key: Path, port: int, metrics_port: int, dry_run: bool) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(REVIEWS))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with Client(connection, PATIENCE) as client:
        events = EventSink(client, time.time)
        certificate = Certificate(cert, key, lambda reason, words: _told(events, connection.namespace, reason, words))

        def ready() -> probes.Readiness:
            return not certificate.expired, certificate.trouble() or "ok"

        async with (
            serve(ClusterAsks(client, dry_run), port, certificate.context),
            probes.serve(metrics_port, lambda: "", ready, metrics.ADMISSION),
            tasks([events.run(), certificate.watch()]) as running,
        ):
            log.info("listening on port %d", port)
            await first(stop.wait(), *map(asyncio.shield, running))
            for task in running:
                if task.done():
                    task.result()


def _told(events: EventSink, namespace: str, reason: str, words: str) -> None:
    """An Event on our own pod, where there is one."""
    name, uid = os.environ.get("POD_NAME"), os.environ.get("POD_UID")
    if name and uid:
        hour = str(int(time.time() // 3600))
        events.post("Pod", namespace, name, uid, reason, words, warning=True, key=hour, api_version="v1")
