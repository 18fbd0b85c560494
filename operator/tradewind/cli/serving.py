"""What the commands that run in a cluster have in common: the operator, the webhook and the event endpoint."""

import contextlib
import ctypes
import gc
import json
import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from ssl import TLSVersion
from typing import Any

import click

from tradewind.cli.output.terminal import ShownFormatter
from tradewind.control.shared.event_recorder import EventRecorder
from tradewind.kube.log_fields import FIELDS

VERSIONS = {"1.2": TLSVersion.TLSv1_2, "1.3": TLSVersion.TLSv1_3}
OPTIONS = (
    click.option("--metrics-port", default=8080, show_default=True, help="Port of /metrics, /livez and /readyz."),
    click.option("--kubeconfig", help="Kubeconfig file.  [default: the pod's service account, else $KUBECONFIG]"),
    click.option("--context", help="Context in the kubeconfig."),
    click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="Log format; json has the fields namespace, run, dag and task.",
    ),
    click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        default="info",
        show_default=True,
        help="Minimum log level.",
    ),
)


def process(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options `metrics_port`, `kubeconfig`, `context`, `log_format` and `log_level`."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


def tls(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `tls_minimum` and `tls_ciphers`."""
    minimum = click.option(
        "--tls-minimum",
        type=click.Choice(list(VERSIONS)),
        default="1.2",
        show_default=True,
        help="Minimum TLS version.",
    )
    ciphers = click.option("--tls-ciphers", default="", help="Ciphers for TLS 1.2, in OpenSSL's format.")
    return minimum(ciphers(function))


def about_own_pod(events: EventRecorder, namespace: str) -> Callable[[str, str], None]:
    """A function that posts Events about this process's pod, if there is one, given a reason in one word and a
    sentence."""

    def tell(reason: str, words: str) -> None:
        name, uid = os.environ.get("POD_NAME"), os.environ.get("POD_UID")
        if name and uid:
            hour = str(int(time.time() // 3600))
            events.post("Pod", namespace, name, uid, reason, words, warning=True, key=hour, api_version="v1")

    return tell


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Options of mallopt, from glibc's malloc.h."""
LARGE = 128 * 1024
"""Bytes from which a block is mapped by itself."""


def collect_rarely() -> None:
    """Makes garbage collection of young objects rarer, and excludes objects from the start for good. Python's defaults
    are for programs that make many cycles; here they took an eighth of the time of a short run, and found next to
    nothing. Old objects are collected when a quarter of them is new: rarer, and thousands of invalid inputs have
    taken memory beyond its bound."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 2)


def return_memory() -> None:
    """Makes glibc map large blocks, and return them when they are freed. By default it learns from the first ones to keep
    such blocks in the heap, which small ones then hold together: a process that has read many large objects takes half
    as much again as it needs. Does nothing with another C library."""
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, LARGE)
        libc.mallopt(M_TRIM_THRESHOLD, LARGE)


def end_within(seconds: float, code: int) -> None:
    """Ends the process after some seconds if it still runs then: closing a loop waits for all its tasks, and one that
    resists cancellation would keep an idle process alive."""
    timer = threading.Timer(seconds, os._exit, [code])
    timer.daemon = True
    timer.start()


class JSONFormatter(logging.Formatter):
    """Formats each record as a line of JSON: time, level, logger, message, and fields that identify its subject."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **FIELDS.get(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def start_logging(level: str, form: str = "text") -> None:
    """Logs to stderr from a level on, as `text` or `json`."""
    handler = logging.StreamHandler()
    text = ShownFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JSONFormatter() if form == "json" else text)
    logging.basicConfig(level=level.upper(), handlers=[handler])
