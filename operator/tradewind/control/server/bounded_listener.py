"""The port of a server: how many connections there may be, how long each may keep it waiting, and how much they may hand in at once.

A connection waits for its client until a request has come as a whole: in the TLS handshake, while it is silent, while head or body
come. When there are too many, the one that has waited longest makes room: slow clients do not block others.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from ssl import SSLContext
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

log = logging.getLogger(__name__)
HANDSHAKE = 5.0
"""Seconds for a TLS handshake, and for the end of one."""
LINGER = 2.0
"""Seconds for the rest of a body that nobody wants: who is still sending does not see an answer before."""
HEADERS = 64
"""Headers of a request. Each has 8 KiB at most, as the first line has."""
BACKLOG = 512
"""Connections that the kernel holds until they are accepted."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a server takes at once."""

    connections: int
    held: int
    """Bytes of bodies that have not come as a whole."""
    idle: float
    """Seconds that a connection may be without a request, or take to send the head of one."""


class BoundedListener:
    """The connections of a server."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._waiting: dict[object, Callable[[], None]] = {}
        """How to end a connection that waits for its client, the longest first."""
        self._working: set[object] = set()
        self._held: dict[object, int] = {}
        """Bytes that have come of a body, by connection."""

    @contextlib.asynccontextmanager
    async def opened(self, app: web.Application, port: int, context: SSLContext | None = None) -> AsyncIterator[None]:
        """Serves while the context is open, without TLS where there is no `context`. Requests under way are answered before it closes."""
        runner = web.AppRunner(
            app,
            access_log=None,
            logger=_quiet(),
            handler_cancellation=True,
            keepalive_timeout=self._bounds.idle,
            shutdown_timeout=10,
            auto_decompress=False,
            lingering_time=LINGER,
            max_headers=HEADERS,
        )
        await runner.setup()
        listening = _listen(port)
        accepting = asyncio.create_task(self._accept(listening, runner.server, context))
        try:
            yield
        finally:
            accepting.cancel()
            await asyncio.gather(accepting, return_exceptions=True)
            listening.close()
            await runner.cleanup()

    async def body(self, http: web.Request, most: int, seconds: float) -> bytes:
        """The body of a request. Raises HTTPRequestEntityTooLarge, and TimeoutError for one that does not come in time."""
        if (http.content_length or 0) > most:
            raise web.HTTPRequestEntityTooLarge(most, http.content_length or 0)
        pieces, size, key = [], 0, http.protocol
        try:
            async with asyncio.timeout(seconds):
                async for piece in http.content.iter_any():
                    pieces.append(piece)
                    size += len(piece)
                    if size > most:
                        raise web.HTTPRequestEntityTooLarge(most, size)
                    self._held[key] = size
                    self._relieve()
        finally:
            self._held.pop(key, None)
        return b"".join(pieces)

    @contextlib.contextmanager
    def working(self, http: web.Request) -> Iterator[None]:
        """Inside, a request has come as a whole: its connection makes room for no other."""
        self._waiting.pop(http.protocol, None)
        self._working.add(http.protocol)
        try:
            yield
        finally:
            self._working.discard(http.protocol)
            self._waits(http.protocol)

    def _waits(self, protocol: web.RequestHandler) -> None:
        if protocol.transport is not None and protocol not in self._working:
            self._waiting[protocol] = lambda: _abort(protocol)

    async def _accept(self, listening: socket.socket, server: Any, context: SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as greeting:
            while True:
                try:
                    connection, _ = await loop.sock_accept(listening)
                except OSError as error:
                    log.warning("a connection could not be accepted: %s", error)
                    await asyncio.sleep(0.1)
                    continue
                task = greeting.create_task(self._greet(connection, server, context))
                task.add_done_callback(partial(_closed, connection))
                self._waiting[connection] = task.cancel  # type: ignore[assignment]
                self._make_room()

    async def _greet(self, connection: socket.socket, server: Any, context: SSLContext | None) -> None:
        """The handshake, of which aiohttp knows nothing: it comes to nothing often, and for many reasons."""
        loop = asyncio.get_running_loop()
        protocol = server()  # uvloop hands back that of TLS
        limits = {"ssl_handshake_timeout": HANDSHAKE, "ssl_shutdown_timeout": HANDSHAKE} if context else {}
        try:
            await loop.connect_accepted_socket(lambda: protocol, connection, ssl=context, **limits)
        except Exception as error:
            log.debug("a connection failed: %s", error)
            connection.close()
        else:
            self._waits(protocol)
        finally:
            self._waiting.pop(connection, None)

    def _make_room(self) -> None:
        if len(self._waiting) + len(self._working) <= self._bounds.connections:
            return
        for key in [key for key in self._waiting if isinstance(key, web.RequestHandler) and key.transport is None]:
            del self._waiting[key]
        while self._waiting and len(self._waiting) + len(self._working) > self._bounds.connections:
            self._waiting.pop(next(iter(self._waiting)))()

    def _relieve(self) -> None:
        """The largest part of a body makes room, where all together are too much."""
        while sum(self._held.values()) > self._bounds.held:
            key = max(self._held, key=lambda item: self._held[item])
            del self._held[key]
            self._waiting.pop(key, None)
            _abort(key)


def _closed(connection: socket.socket, greeting: "asyncio.Task[None]") -> None:
    """A greeting that is cancelled before it began closes nothing itself."""
    if greeting.cancelled():
        connection.close()


def _abort(protocol: Any) -> None:
    if protocol.transport is not None:
        protocol.transport.abort()


def _quiet() -> logging.Logger:
    """aiohttp's log of errors, without those of clients: each of them would bring a traceback."""

    def ours(record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))

    quiet = logging.getLogger("tradewind.http")
    if not quiet.filters:
        quiet.addFilter(ours)
    return quiet


def _listen(port: int) -> socket.socket:
    """On every interface, of IPv6 too where there is one."""
    found = None
    if socket.has_dualstack_ipv6():
        with contextlib.suppress(OSError):
            found = socket.create_server(("", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)
    found = found or socket.create_server(("", port), backlog=BACKLOG)
    found.setblocking(False)
    return found
