"""`tradewind webhook`: refuses at `kubectl apply` what the operator would refuse later."""

import asyncio
import logging
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click
import uvloop

from tradewind import metrics
from tradewind.cli.serving import VERSIONS, about_own_pod, process, start_logging, tls
from tradewind.control.admission.cluster_lookup import ApiClusterLookup
from tradewind.control.admission.server import serve
from tradewind.control.dags import judgement
from tradewind.control.evaluation.worker_pool import Workers
from tradewind.control.server import health_endpoints
from tradewind.control.server.tls_certificate import Certificate, Terms, Unusable
from tradewind.control.shared.event_recorder import EventRecorder
from tradewind.control.shared.task_groups import tasks, wait_for_first
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection, NoCluster, connect

log = logging.getLogger("tradewind")
REVIEWS = 2
"""Large documents reviewed at once, each in its own process, which takes a core and, for a large DAG, some fifty
megabytes."""
THREADS = 4
"""Small documents reviewed at once."""
PATIENCE = 3.0
"""Seconds per request to the API server, which itself waits for five."""
FILE = click.Path(dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `run`."""

    cert: Path
    key: Path
    port: int
    metrics_port: int
    dry_run: bool
    terms: Terms
    clients: tuple[str, ...]
    token: Path | None


@click.command()
@click.option("--cert", type=FILE, required=True, help="The server's certificate (PEM); reloaded when it changes.")
@click.option("--key", type=FILE, required=True, help="Private key of the certificate (PEM).")
@click.option("--port", default=9443, show_default=True, help="Port for the API server's requests.")
@click.option(
    "--dry-run-pods/--no-dry-run-pods",
    default=True,
    show_default=True,
    help="Check podTemplates by a dry run on the API server.",
)
@click.option(
    "--client-ca",
    type=FILE,
    help="Certificate authorities (PEM) of API servers' client certificates. Other clients get no answer.",
)
@click.option(
    "--client-name",
    "clients",
    multiple=True,
    help="Accepted common name of a client certificate; repeat for more. Any when absent.",
)
@click.option(
    "--token",
    type=FILE,
    help="File with a secret that request paths must end with: /validate/SECRET.",
)
@tls
@process
def command(
    cert: Path,
    key: Path,
    port: int,
    dry_run_pods: bool,
    client_ca: Path | None,
    clients: tuple[str, ...],
    token: Path | None,
    tls_minimum: str,
    tls_ciphers: str,
    metrics_port: int,
    kubeconfig: str | None,
    context: str | None,
    log_format: str,
    log_level: str,
) -> None:
    """Answer AdmissionReviews of API servers for DAGs, runs and pools."""
    start_logging(log_level, log_format)
    if clients and not client_ca:
        raise click.UsageError("--client-name needs --client-ca")
    terms = Terms(VERSIONS[tls_minimum], tls_ciphers, client_ca)
    options = Options(cert, key, port, metrics_port, dry_run_pods, terms, clients, token)
    try:
        uvloop.run(_run(connect(kubeconfig, context), options))
    except (NoCluster, Unusable) as error:
        raise click.ClickException(str(error)) from None


async def _run(connection: Connection, options: Options) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(THREADS))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with Client(connection, PATIENCE) as client:
        events = EventRecorder(client, time.time)
        tell = about_own_pod(events, connection.namespace)
        certificate = Certificate(options.cert, options.key, tell, terms=options.terms)

        def ready() -> health_endpoints.Readiness:
            return not certificate.expired, certificate.trouble() or "ok"

        async with (
            Workers(REVIEWS, preload=judgement.__name__).running() as workers,
            serve(
                ApiClusterLookup(client, options.dry_run, workers),
                options.port,
                certificate.context,
                clients=options.clients,
                token=options.token,
            ),
            health_endpoints.serve(options.metrics_port, lambda: "", ready, metrics.ADMISSION),
            tasks([events.run(), certificate.watch()]) as running,
        ):
            log.info("listening on port %d", options.port)
            await wait_for_first(stop.wait(), *map(asyncio.shield, running))
            for task in running:
                if task.done():
                    task.result()
