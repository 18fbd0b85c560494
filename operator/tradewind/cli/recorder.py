"""`tradewind recorder`: records ended runs in a store that outlives them."""

import asyncio
import logging
import signal
from dataclasses import dataclass
from pathlib import Path

import click
import uvloop

from tradewind import metrics
from tradewind.cli.options import DURATION, ObjectPath
from tradewind.cli.serving import process, return_memory, start_logging
from tradewind.control.server import health_endpoints
from tradewind.control.shared.task_groups import tasks, wait_for_first
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection, NoCluster, connect
from tradewind.plan.retention.watermark import NAME
from tradewind.recorder.collector import PacedClient
from tradewind.recorder.folder import open_history
from tradewind.recorder.process import LogOptions, Recorder
from tradewind.recorder.store.database import Database, StoreError
from tradewind.recorder.store.migration import migrate
from tradewind.recorder.store.postgres import Postgres

log = logging.getLogger("tradewind")


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `run`."""

    namespaces: tuple[str, ...]
    data: Path
    database: str | None
    watermark: tuple[str, str]
    keep: float
    port: int
    logs: float | None
    metrics_port: int


@click.command()
@click.option("--namespace", "namespaces", multiple=True, help="Namespace to record; repeat for more. All when absent.")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder of the store.")
@click.option(
    "--database",
    envvar="TRADEWIND_DATABASE",
    metavar="URL",
    help="PostgreSQL database for the history, instead of a file in --data. If it needs a password, set TRADEWIND_DATABASE"
    " instead: other users can read arguments.",
)
@click.option(
    "--watermark",
    type=ObjectPath(),
    metavar="NAMESPACE/NAME",
    help=f"ConfigMap that tells the operator what is recorded.  [default: {NAME} in the recorder's own namespace]",
)
@click.option(
    "--keep", type=DURATION, default="400d", show_default=True, help="For how long after its end a run stays on record."
)
@click.option("--collect-logs", is_flag=True, help="Keep the logs of attempts too, read through the API server.")
@click.option(
    "--keep-logs",
    type=DURATION,
    default="30d",
    show_default=True,
    help="With --collect-logs: for how long a log is kept.",
)
@click.option("--port", default=9443, show_default=True, help="Port of the read API.")
@process
def command(
    namespaces: tuple[str, ...],
    data: Path,
    database: str | None,
    watermark: tuple[str, str] | None,
    keep: float,
    collect_logs: bool,
    keep_logs: float,
    port: int,
    metrics_port: int,
    kubeconfig: str | None,
    context: str | None,
    log_format: str,
    log_level: str,
) -> None:
    """Record ended runs in a store that outlives them."""
    start_logging(log_level, log_format)
    return_memory()
    try:
        connection = connect(kubeconfig, context)
        options = Options(
            namespaces,
            data,
            database,
            watermark or (connection.namespace, NAME),
            keep,
            port,
            keep_logs if collect_logs else None,
            metrics_port,
        )
        uvloop.run(_run(connection, options))
    except (NoCluster, StoreError) as error:
        raise click.ClickException(str(error)) from None


def _store(options: Options) -> Database:
    """The store, in the newest schema. Raises StoreError."""
    if not options.database:
        return open_history(options.data, True)
    found = Postgres(options.database)
    migrate(found)
    return found


async def _run(connection: Connection, options: Options) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    database = await asyncio.to_thread(_store, options)
    try:
        paced, pods, client = PacedClient(connection), PacedClient(connection), Client(connection)
        async with paced, pods, client:
            logs = None if options.logs is None else LogOptions(options.data, options.logs)
            recorder = Recorder(
                paced, pods, client, database, options.namespaces, options.watermark, options.keep, options.port, logs
            )
            probes = health_endpoints.serve(options.metrics_port, lambda: "", recorder.readiness, metrics.RECORDER)
            async with probes, tasks([recorder.run()]) as (running,):
                await wait_for_first(stop.wait(), asyncio.shield(running))
                if running.done():
                    running.result()
            recorder.close()
    finally:
        database.close()
