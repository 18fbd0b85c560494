"""`tradewind webhook`: refuses at `kubectl apply` what the operator would refuse later."""

import asyncio
import logging
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import uvloop

from tradewind import metrics
from tradewind.cli.process import about_own_pod, process, start_logging
from tradewind.control import probes
from tradewind.control.asks import ClusterAsks
from tradewind.control.certificate import Certificate, Unusable
from tradewind.control.events import EventSink
from tradewind.control.together import first, tasks
from tradewind.control.webhook import serve
from tradewind.control.workers import Workers
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection, NoCluster, connect

log = logging.getLogger("tradewind")
REVIEWS = 2
"""Large documents reviewed at once, each in a process of its own. Each takes a core, and a large DAG some fifty megabytes."""
THREADS = 4
"""Small ones reviewed at once."""
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
    loop.set_default_executor(ThreadPoolExecutor(THREADS))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with Client(connection, PATIENCE) as client:
        events = EventSink(client, time.time)
        certificate = Certificate(cert, key, about_own_pod(events, connection.namespace))

        def ready() -> probes.Readiness:
            return not certificate.expired, certificate.trouble() or "ok"

        async with (
            Workers(REVIEWS).running() as workers,
            serve(ClusterAsks(client, dry_run, workers), port, certificate.context),
            probes.serve(metrics_port, lambda: "", ready, metrics.ADMISSION),
            tasks([events.run(), certificate.watch()]) as running,
        ):
            log.info("listening on port %d", port)
            await first(stop.wait(), *map(asyncio.shield, running))
            for task in running:
                if task.done():
                    task.result()
