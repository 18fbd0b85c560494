"""`tradewind events`: accepts events over HTTP and creates runs for them."""

import asyncio
import logging
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import click
import uvloop

from tradewind import metrics
from tradewind.cli.serving import VERSIONS, about_own_pod, process, start_logging, tls
from tradewind.control.evaluation.host import Host
from tradewind.control.evaluation.workers import Evaluator
from tradewind.control.event_endpoint.authentication import Senders
from tradewind.control.event_endpoint.intake import Reception
from tradewind.control.event_endpoint.routes import EventTriggers
from tradewind.control.event_endpoint.run_outcomes import RunWaiters
from tradewind.control.event_endpoint.server import RATE, SIZE, Endpoint, Limits, serve
from tradewind.control.server import health_endpoints
from tradewind.control.server.tls_certificate import EVENTS, Certificate, Terms, Unusable
from tradewind.control.shared.event_recorder import EventRecorder
from tradewind.control.shared.task_groups import tasks, wait_for_first
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection, NoCluster, connect

log = logging.getLogger("tradewind")
PATIENCE = 5.0
"""Seconds per request to the API server."""
FILE = click.Path(dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `run`."""

    namespaces: tuple[str, ...]
    port: int
    metrics_port: int
    cert: Path | None
    key: Path | None
    kubernetes: bool
    limits: Limits
    terms: Terms


@click.command()
@click.option("--namespace", "namespaces", multiple=True, help="Namespace to serve; repeat for more. All when absent.")
@click.option("--port", default=9080, show_default=True, help="Port for events.")
@click.option("--cert", type=FILE, help="The server's certificate (PEM); reloaded when it changes. No TLS when absent.")
@click.option("--key", type=FILE, help="Private key of the certificate (PEM).")
@click.option(
    "--kubernetes-auth/--no-kubernetes-auth",
    "kubernetes",
    default=True,
    show_default=True,
    help="Accept Kubernetes tokens, for triggers with spec.event.authentication.kubernetes.",
)
@click.option("--max-body", default=SIZE, show_default=True, help="Maximum size of a body, in bytes.")
@click.option(
    "--rate",
    default=RATE,
    show_default=True,
    help="Maximum number of requests a second that this process accepts for each namespace.",
)
@tls
@process
def command(
    namespaces: tuple[str, ...],
    port: int,
    cert: Path | None,
    key: Path | None,
    kubernetes: bool,
    max_body: int,
    rate: int,
    tls_minimum: str,
    tls_ciphers: str,
    metrics_port: int,
    kubeconfig: str | None,
    context: str | None,
    log_format: str,
    log_level: str,
) -> None:
    """Accept events over HTTP, and create runs for them."""
    start_logging(log_level, log_format)
    if (cert is None) != (key is None):
        raise click.UsageError("give both --cert and --key, or neither")
    terms = Terms(VERSIONS[tls_minimum], tls_ciphers)
    options = Options(namespaces, port, metrics_port, cert, key, kubernetes, Limits(max_body, rate), terms)
    try:
        uvloop.run(_run(connect(kubeconfig, context), options))
    except (NoCluster, Unusable) as error:
        raise click.ClickException(str(error)) from None


async def _run(connection: Connection, options: Options) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    async with Client(connection, PATIENCE) as client:
        sink = EventRecorder(client, time.time)
        certificate = (
            Certificate(
                options.cert, options.key, about_own_pod(sink, connection.namespace), use=EVENTS, terms=options.terms
            )
            if options.cert and options.key
            else None
        )
        triggers = EventTriggers(client, list(options.namespaces) or [None])
        outcomes = RunWaiters(client)
        host = Host(Evaluator())
        reception = Reception(client, triggers, Senders(client, options.kubernetes))
        endpoint = Endpoint(reception, outcomes, options.limits, host)

        def leave() -> None:
            outcomes.closing.set()
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, leave)

        def ready() -> health_endpoints.Readiness:
            if certificate and certificate.expired:
                return False, certificate.trouble()
            return triggers.synced, "ok" if triggers.synced else "triggers and DAGs are not known yet"

        work = [sink.run(), *(informer.run() for informer in triggers.informers)]
        work += [certificate.watch()] if certificate else []
        async with (
            tasks(work) as running,
            health_endpoints.serve(options.metrics_port, lambda: "", ready, metrics.EVENTS),
        ):
            await wait_for_first(_wait_synced(triggers), stop.wait())
            async with serve(endpoint, options.port, certificate.context if certificate else None):
                log.info("listening on port %d", options.port)
                await wait_for_first(stop.wait(), *map(asyncio.shield, running))
            await host.close()
            for task in running:
                if task.done():
                    task.result()


async def _wait_synced(triggers: EventTriggers) -> None:
    for informer in triggers.informers:
        await informer.synced.wait()
