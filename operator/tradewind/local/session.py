"""A cluster in one process: embedded API server, operator and kubelet, as long as the context is open."""

import asyncio
import contextlib
import errno
import os
import secrets
import signal
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path

from tradewind.control.egress.policy import EgressPolicy, Network
from tradewind.control.manager.manager import Operator, Options
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.local.apiserver import ApiServer
from tradewind.local.folder import CannotStart, session_folder
from tradewind.local.kubelet import Kubelet, OnLog
from tradewind.model.crd import manifests

EGRESS = EgressPolicy(services=False, allowed=(ip_network("127.0.0.0/8"), ip_network("::1/128")), secrets=True)
"""Requests may go to servers of this machine too: it is the user's own."""


@dataclass(frozen=True)
class Session:
    """The parts of a local cluster."""

    client: Client
    connection: Connection
    token: str
    server: ApiServer
    operator: Operator
    folder: Path


@contextlib.asynccontextmanager
async def session(
    on_signal: Callable[[], None],
    port: int = 0,
    cwd: str | None = None,
    on_log: OnLog = lambda *_: None,
    allowed: Sequence[Network] = (),
) -> AsyncIterator[Session]:
    """A local cluster. SIGINT, SIGTERM and SIGHUP call `on_signal`; `on_log` is called for every task's output; http
    tasks may send requests to `allowed` networks too. Every process that a task started ends when the context is left
    or when this process ends, whatever the reason. Raises CannotStart."""
    token = secrets.token_urlsafe(24)
    with session_folder() as folder:
        server = ApiServer(crds=manifests(), token=token)
        await _start_server(server, port)
        connection = Connection(server.url, authorization=lambda: f"Bearer {token}")
        stop = asyncio.Event()
        try:
            async with Client(connection) as client:
                kubelet = Kubelet(client, folder, cwd or str(Path.cwd()), on_log)
                server.log_source = kubelet.logs
                operator = Operator(connection, Options(egress=replace(EGRESS, allowed=(*EGRESS.allowed, *allowed))))
                running = [
                    asyncio.create_task(operator.run(stop, on_signal)),
                    asyncio.create_task(kubelet.run()),
                ]
                try:
                    await _wait_ready(operator, running)
                    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # the terminal was closed; nohup ignores that
                        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, on_signal)
                    yield Session(client, connection, token, server, operator, folder)
                finally:
                    stop.set()
                    running[1].cancel()
                    await asyncio.gather(*running, return_exceptions=True)
        finally:
            await server.stop()


def _heed_hangup(on_signal: Callable[[], None]) -> None:
    """Ends the session when its terminal closes, unless nohup says otherwise."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, on_signal)


async def _start_server(server: ApiServer, port: int) -> None:
    try:
        await server.start(port=port)
    except OSError as error:
        await server.stop()
        why = "is in use" if error.errno == errno.EADDRINUSE else f"can't be used ({os.strerror(error.errno or 0)})"
        raise CannotStart(f"port {port} {why}: name another one with --port, or none for a free one") from None


async def _wait_ready(operator: Operator, running: list[asyncio.Task[None]]) -> None:
    waiting = asyncio.create_task(operator.engine.ready.wait())
    done, _ = await asyncio.wait([waiting, *running], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    for task in done - {waiting}:
        task.result()
        raise RuntimeError("the local cluster ended while it was starting")
