"""`tradewind operator`: the operator's process in the cluster."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

import click
import uvloop
from yarl import URL

from tradewind import metrics
from tradewind.cli.options import DURATION, ObjectPath
from tradewind.cli.serving import collect_rarely, end_within, process, return_memory, start_logging
from tradewind.control.egress.policy import EgressPolicy
from tradewind.control.execution.dag_metrics import Limits
from tradewind.control.manager.health import illness, readiness
from tradewind.control.manager.manager import Operator, Options
from tradewind.control.retention.recorded import RecorderOptions
from tradewind.control.server.health_endpoints import serve
from tradewind.kube.connection import NoCluster, connect
from tradewind.kube.lease import Lost
from tradewind.model import duration
from tradewind.model.podless import LONGEST
from tradewind.plan.retention.watermark import Unrecorded

log = logging.getLogger("tradewind")


def _duration(text: str | float) -> float:
    """Seconds. Raises BadParameter."""
    try:
        return min(LONGEST, duration.seconds(text)) if isinstance(text, str) else text
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _proxy(_: click.Context, option: click.Parameter, text: str) -> str:
    """The URL of a proxy. Raises BadParameter, without repeating the URL: it may contain a password."""
    text = text.strip()
    try:
        url = URL(text)
        known = url.scheme in ("http", "https") and url.host and url.port
    except ValueError:
        known = False
    if text and not known:
        raise click.BadParameter("write http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT", param=option)
    return text


GRACE, REST = 20.0, 5.0
"""Seconds until the process ends after a signal, and after its work has ended. Kubernetes kills after 30."""


@click.command()
@click.option("--namespace", "namespaces", multiple=True, help="Namespace to watch; repeat for more. All when absent.")
@click.option("--lease-namespace", help="Namespace of the leader's Lease.  [default: the operator's own]")
@click.option("--lease-name", default="tradewind-operator", show_default=True, help="Name of the leader's Lease.")
@click.option(
    "--shards",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Number of shards that the namespaces are divided into; one replica serves each. Must be the same for all replicas.",
)
@click.option("--identity", help="Name of this replica.  [default: the host's name, which is the pod's]")
@click.option(
    "--http-allow",
    "allowed",
    multiple=True,
    metavar="CIDR",
    type=ip_network,
    help="Network that http tasks may send requests to although it contains the operator's host, its link or a metadata service.",
)
@click.option(
    "--http-deny",
    "denied",
    multiple=True,
    metavar="CIDR",
    type=ip_network,
    help="Network that the operator sends no requests of tenants to, even if it is allowed otherwise.",
)
@click.option(
    "--http-timeout",
    "longest",
    metavar="DURATION",
    type=_duration,
    default=LONGEST,
    help="Time limit for a request or a query.  [default: 5m, which is also the maximum]",
)
@click.option(
    "--http-proxy",
    "proxy",
    metavar="URL",
    envvar="TRADEWIND_HTTP_PROXY",
    callback=_proxy,
    default="",
    help="Proxy for requests. If it needs a password, set TRADEWIND_HTTP_PROXY instead: other users can read arguments.",
)
@click.option(
    "--http-no-proxy",
    "direct",
    multiple=True,
    metavar="HOST",
    help="Host, domain (.svc) or network to connect to without the proxy; repeat for more.",
)
@click.option(
    "--http-ca",
    "authorities",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificate authorities (PEM) to trust in addition to the public ones.",
)
@click.option("--http-in-pods", is_flag=True, help="Run http tasks in pods instead of sending their requests.")
@click.option(
    "--read-secrets",
    is_flag=True,
    help="Read Secrets and ConfigMaps that http tasks refer to. Otherwise these tasks run in pods.",
)
@click.option(
    "--read-secrets-in",
    "within",
    multiple=True,
    metavar="NAMESPACE",
    help="The same, only in this namespace; repeat for more.",
)
@click.option(
    "--expression-deadline",
    "evaluation",
    type=DURATION,
    default="100ms",
    show_default=True,
    help="CPU time limit for one expression; an expression that needs more fails.",
)
@click.option(
    "--pass-budget",
    "budget",
    type=DURATION,
    default="1s",
    show_default=True,
    help="CPU time limit for one pass of a run; a run that needs more takes turns with others.",
)
@click.option(
    "--metrics-dags",
    type=click.IntRange(0, 10_000),
    default=Limits().total,
    show_default=True,
    help="Maximum number of DAGs with their own metrics; runs of other DAGs are counted together.",
)
@click.option(
    "--metrics-dags-per-namespace",
    "namespace_dags",
    type=click.IntRange(0, 10_000),
    default=Limits().of_namespace,
    show_default=True,
    help="The same limit for each namespace.",
)
@click.option(
    "--recorder",
    type=ObjectPath(),
    metavar="NAMESPACE/NAME",
    help="ConfigMap of the recorder: runs are deleted when it has recorded them.",
)
@click.option(
    "--recorded-logs",
    is_flag=True,
    help="With --recorder: runs, and pods that their DAG does not keep, are deleted when their logs are stored.",
)
@click.option(
    "--unrecorded-runs",
    type=click.IntRange(0),
    default=Unrecorded().runs,
    show_default=True,
    help="With --recorder: ended runs of a DAG that wait to be recorded, beyond its history.",
)
@click.option(
    "--unrecorded-for",
    type=DURATION,
    default="24h",
    show_default=True,
    help="With --recorder: for how long after its end a run waits to be recorded, beyond its DAG's history.",
)
@process
def command(
    namespaces: tuple[str, ...],
    lease_namespace: str | None,
    lease_name: str,
    shards: int,
    identity: str | None,
    allowed: tuple[IPv4Network | IPv6Network, ...],
    denied: tuple[IPv4Network | IPv6Network, ...],
    longest: float,
    proxy: str,
    direct: tuple[str, ...],
    authorities: Path | None,
    http_in_pods: bool,
    read_secrets: bool,
    within: tuple[str, ...],
    evaluation: float,
    budget: float,
    metrics_dags: int,
    namespace_dags: int,
    recorder: tuple[str, str] | None,
    recorded_logs: bool,
    unrecorded_runs: int,
    unrecorded_for: float,
    metrics_port: int,
    kubeconfig: str | None,
    context: str | None,
    log_format: str,
    log_level: str,
) -> None:
    """Reconcile DAGs and runs of a cluster."""
    start_logging(log_level, log_format)
    try:
        connection = connect(kubeconfig, context)
    except NoCluster as error:
        raise click.ClickException(str(error)) from None
    options = Options(
        namespaces=namespaces,
        lease_namespace=lease_namespace or connection.namespace,
        lease_name=lease_name,
        identity=identity or socket.gethostname(),
        shards=shards,
        evaluation=evaluation,
        budget=budget,
        dag_metrics=Limits(metrics_dags, namespace_dags),
        recorder=RecorderOptions(*recorder, Unrecorded(unrecorded_runs, int(unrecorded_for)), recorded_logs)
        if recorder
        else None,
        egress=EgressPolicy(
            requests=not http_in_pods,
            allowed=allowed,
            denied=denied,
            own=_addresses(os.environ),
            longest=longest,
            proxy=proxy,
            direct=direct,
            authorities=authorities,
            secrets=read_secrets,
            within=frozenset(within),
        ),
    )

    async def run() -> None:
        operator = Operator(connection, options)
        probes = serve(
            metrics_port,
            lambda: illness(operator, time.monotonic()),
            lambda: readiness(operator),
            metrics.REGISTRY,
        )
        stop = asyncio.Event()

        def end() -> None:
            end_within(GRACE, 0)
            stop.set()

        async with probes:
            try:
                await operator.run(stop, end)
            except BaseException:
                end_within(REST, 1)
                raise
            end_within(REST, 0)

    collect_rarely()
    return_memory()
    try:
        uvloop.run(run())
    except Lost as error:
        raise click.ClickException(f"no longer the leader ({error}): ending, so that nothing is done twice") from None


def _addresses(environment: Mapping[str, str]) -> tuple[IPv4Network | IPv6Network, ...]:
    """Addresses of this pod and its node, which the kubelet passes as the chart tells it to."""
    told = ",".join(environment.get(name, "") for name in ("TRADEWIND_POD_IPS", "TRADEWIND_HOST_IPS"))
    return tuple(ip_network(address) for address in told.split(",") if address)
