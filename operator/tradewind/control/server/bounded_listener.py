"""A listening port with bounds on the number of connections, the time that each may take, and the bytes that all may send at once.

A connection waits for its client until a request is complete: during the TLS handshake, while it is idle, and while head or body arrive. If
there are too many connections, the one that has waited longest is closed, so slow clients don't block others.
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
"""Seconds for a TLS handshake, and for a TLS shutdown."""
LINGER = 2.0
"""Seconds during which the rest of an unwanted body is read: a client that is still sending sees no response earlier."""
HEADERS = 64
"""Headers of a request. Each may have 8 KiB, as may the first line."""
BACKLOG = 512
"""Connections that the kernel queues until they are accepted."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of a server."""

    connections: int
    held: int
    """Bytes of incomplete bodies, for all connections together."""
    idle: float
    """Seconds that a connection may be idle, or take to send the head of a request."""


class BoundedListener:
    """The connections of a server."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._waiting: dict[object, Callable[[], None]] = {}
        """For each connection that waits for its client, the longest first: how to close it."""
        self._working: set[object] = set()
        self._held: dict[object, int] = {}
        """Bytes received of a body, by connection."""

    @contextlib.asynccontextmanager
    async def serve(self, app: web.Application, port: int, context: SSLContext | None = None) -> AsyncIterator[None]:
        """Serves while the context is open; without a `context`, without TLS. Open requests are answered before it closes."""
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

    async def read_body(self, http: web.Request, most: int, seconds: float) -> bytes:
        """Reads the body of a request, at most `most` bytes in `seconds` seconds. Raises HTTPRequestEntityTooLarge, TimeoutError."""
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
        """Protects the connection of a complete request from being closed to make room."""
        self._waiting.pop(http.protocol, None)
        self._working.add(http.protocol)
        try:
            yield
        finally:
            self._working.discard(http.protocol)
            self._mark_waiting(http.protocol)

    def _mark_waiting(self, protocol: web.RequestHandler) -> None:
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
                task.add_done_callback(partial(_close_if_cancelled, connection))
                self._waiting[connection] = task.cancel  # type: ignore[assignment]
                self._make_room()

    async def _greet(self, connection: socket.socket, server: Any, context: SSLContext | None) -> None:
        """Performs the handshake, before aiohttp takes over. It fails often and for many reasons."""
        loop = asyncio.get_running_loop()
        protocol = server()  # with TLS, uvloop returns that protocol instead
        limits = {"ssl_handshake_timeout": HANDSHAKE, "ssl_shutdown_timeout": HANDSHAKE} if context else {}
        try:
            await loop.connect_accepted_socket(lambda: protocol, connection, ssl=context, **limits)
        except Exception as error:
            log.debug("a connection failed: %s", error)
            connection.close()
        else:
            self._mark_waiting(protocol)
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
        """Closes the connection with the largest incomplete body while all bodies together exceed the limit."""
        while sum(self._held.values()) > self._bounds.held:
            key = max(self._held, key=lambda item: self._held[item])
            del self._held[key]
            self._waiting.pop(key, None)
            _abort(key)


def _close_if_cancelled(connection: socket.socket, greeting: "asyncio.Task[None]") -> None:
    """Closes the socket of a greeting that was cancelled before it began and so could not close it itself."""
    if greeting.cancelled():
        connection.close()


def _abort(protocol: Any) -> None:
    if protocol.transport is not None:
        protocol.transport.abort()


def _quiet() -> logging.Logger:
    """aiohttp's error log without errors that clients cause, each of which would log a traceback."""

    def ours(record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))

    quiet = logging.getLogger("tradewind.http")
    if not quiet.filters:
        quiet.addFilter(ours)
    return quiet


def _listen(port: int) -> socket.socket:
    """Listens on all interfaces, with IPv6 where available."""
    found = None
    if socket.has_dualstack_ipv6():
        with contextlib.suppress(OSError):
            found = socket.create_server(("", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)
    found = found or socket.create_server(("", port), backlog=BACKLOG)
    found.setblocking(False)
    return found
