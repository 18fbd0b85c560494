"""A server with a kubeconfig's credentials, on the loopback interface."""

import asyncio
import contextlib
import errno
import os
import secrets
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import orjson
from aiohttp import web

from tradewind.control.evaluation.host import Host
from tradewind.control.evaluation.workers import Evaluator
from tradewind.kube.client import Client
from tradewind.kube.resources import RUNS, SELF
from tradewind.server.access import EVERYWHERE, Access
from tradewind.server.cache.cache import Cache
from tradewind.server.cache.cells import Cells
from tradewind.server.cache.follow import Followers
from tradewind.server.cache.scans import Scans
from tradewind.server.caller import Caller
from tradewind.server.hub import Hub
from tradewind.server.pictures import Pictures
from tradewind.server.question import Service
from tradewind.server.route import Need
from tradewind.server.routes.stream import topics_of
from tradewind.server.surveys import Surveys
from tradewind.server.table import ROUTES
from tradewind.server.web.app import application
from tradewind.server.web.guard import Guard


class PortTaken(Exception):
    """The port can't be used. The message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A server that answers."""

    url: str
    """Address with the token, for a browser."""
    service: Service

    @property
    def once(self) -> str:
        """Address that opens one session, soon."""
        return f"{self.url.partition('#')[0]}#token={self.service.guard.once()}"


async def caller_of(client: Client) -> Caller:
    """Whose credentials a client has. Raises ApiError, if the API server does not answer."""
    body = {"apiVersion": SELF.api_version, "kind": SELF.kind}
    try:
        answer = orjson.loads(await client.create(SELF, "", body))
        info = answer["status"]["userInfo"]
        return Caller(client, str(info.get("username") or ""), tuple(map(str, info.get("groups") or ())))
    except (KeyError, TypeError, ValueError):
        return Caller(client, "")


async def watched(access: Access, caller: Caller, named: Sequence[str], fallback: str) -> list[str | None]:
    """The namespaces to follow: those that were named; all, if the caller may list their runs; else that of the
    kubeconfig. Raises ApiError."""
    if named:
        return list(dict.fromkeys(named))
    rights = (Need("list", RUNS), Need("watch", RUNS))
    everywhere = not await access.lacks(caller, rights, EVERYWHERE)
    return [None] if everywhere else [fallback]


@contextlib.asynccontextmanager
async def opened(
    client: Client, *, mode: str, namespaces: Sequence[str] = (), fallback: str = "default", port: int = 0
) -> AsyncIterator[Opened]:
    """A server while the context is open. `namespaces` are those to follow; none for as many as the user may see. Raises
    PortTaken and ApiError."""
    caller = await caller_of(client)
    access, hub, token = Access(), Hub(), secrets.token_urlsafe(24)
    follow = await watched(access, caller, namespaces, fallback)
    cache = Cache(lambda resource, record, gone: hub.tell(*topics_of(resource, record, gone)))
    followers = Followers(caller, follow, cache, access)
    host = Host(Evaluator())
    pictures = Pictures(host, hub, access)
    service = Service(
        mode=mode,
        cluster=client.connection.server,
        namespace="" if None in follow else str(follow[0]),
        caller=caller,
        cache=cache,
        scans=Scans(cache, hub),
        followers=followers,
        access=access,
        hub=hub,
        host=host,
        pictures=pictures,
        surveys=Surveys(host, pictures, hub, follow),
        cells=Cells(),
        guard=Guard(token),
    )
    runner = web.AppRunner(
        application(service, ROUTES), access_log=None, handler_cancellation=True, shutdown_timeout=0.5
    )
    await runner.setup()
    work: list[asyncio.Task[None]] = []
    try:
        service.guard.port = await _listen(runner, port)
        work.append(asyncio.create_task(followers.run()))  # Not before: a port that is taken ends all this at once.
        yield Opened(f"http://127.0.0.1:{service.guard.port}/#token={token}", service)
    finally:
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        await runner.cleanup()
        await service.surveys.close()
        await pictures.close()
        await host.close()


async def _listen(runner: web.AppRunner, port: int) -> int:
    """Listens on the loopback addresses; returns the port."""
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
    except OSError as error:
        why = "is in use" if error.errno == errno.EADDRINUSE else f"can't be used ({os.strerror(error.errno or 0)})"
        raise PortTaken(f"port {port} {why}: name another one with --port, or none for a free one") from None
    found = int(runner.addresses[0][1])
    if socket.has_ipv6:
        with contextlib.suppress(OSError):
            await web.TCPSite(runner, "::1", found).start()
    return found
