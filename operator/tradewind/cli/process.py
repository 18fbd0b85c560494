"""What the commands have in common that run in a cluster: the operator and the webhook."""

import logging
from collections.abc import Callable
from typing import Any

import click

OPTIONS = (
    click.option("--metrics-port", default=8080, show_default=True, help="Port of /metrics, /livez and /readyz."),
    click.option("--kubeconfig", help="Kubeconfig file.  [default: the pod's service account, else $KUBECONFIG]"),
    click.option("--context", help="Context in the kubeconfig."),
    click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        default="info",
        show_default=True,
        help="What to log.",
    ),
)


def process(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds their options: `metrics_port`, `kubeconfig`, `context` and `log_level`."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


def start_logging(level: str) -> None:
    """Logs to stderr from a level on."""
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
