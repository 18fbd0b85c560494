"""Connections without sockets: what one end writes, the other reads in the next turn of the loop. They can be cut."""

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection


class _End(asyncio.Transport):
    """One end of a connection."""

    peer: "_End"

    def __init__(
        self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol, context: contextvars.Context
    ) -> None:
        """`context` is that of the process at this end."""
        super().__init__({"peername": ("memory", 0), "sockname": ("memory", 0)})
        self._loop, self._protocol, self._context = loop, protocol, context
        self._closed = self._paused = False
        self._kept: list[bytes] = []

    def write(self, data: Any) -> None:
        if not self._closed:
            self._loop.call_soon(self.peer._read, bytes(data), context=self.peer._context)

    def writelines(self, data: Any) -> None:
        self.write(b"".join(data))

    def close(self) -> None:
        self._end(None)
        if not self._loop.is_closed():
            self._loop.call_soon(self.peer._end, None, context=self.peer._context)

    def abort(self) -> None:
        self._end(None)
        self._loop.call_soon(self.peer._end, ConnectionResetError("reset by peer"), context=self.peer._context)

    def is_closing(self) -> bool:
        return self._closed

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        kept, self._kept = self._kept, []
        for data in kept:
            self._read(data)

    def is_reading(self) -> bool:
        return not self._paused

    def can_write_eof(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def get_protocol(self) -> Any:
        return self._protocol

    def _read(self, data: bytes) -> None:
        if self._closed:
            return
        if self._paused:
            self._kept.append(data)
        else:
            self._protocol.data_received(data)

    def _end(self, error: Exception | None) -> None:
        if not self._closed and not self._loop.is_closed():
            self._closed = True
            self._loop.call_soon(self._protocol.connection_lost, error, context=self._context)


class Network:
    """The route from one process to a server."""

    def __init__(self, accept: Callable[[], Any]) -> None:
        """`accept` makes the server's protocol of a new connection."""
        self._accept = accept
        self._ends: list[_End] = []
        self.up = True

    def connect(self, factory: Callable[[], ResponseHandler]) -> ResponseHandler:
        """A new connection. Raises ConnectionRefusedError while the route is cut."""
        if not self.up:
            raise ConnectionRefusedError("no way to the server")
        loop = asyncio.get_running_loop()
        client, server = factory(), self._accept()
        elsewhere = contextvars.Context()
        here, there = _End(loop, client, contextvars.copy_context()), _End(loop, server, elsewhere)
        here.peer, there.peer = there, here
        self._ends = [end for end in self._ends if not end.is_closing()] + [here]
        elsewhere.run(server.connection_made, there)
        client.connection_made(here)
        return client

    def cut(self) -> None:
        """Breaks all connections. What was written before arrives; answers don't."""
        self.up = False
        for end in self._ends:
            end._end(ConnectionResetError("cut"))
            end._loop.call_soon(end.peer._end, ConnectionResetError("cut"), context=end.peer._context)
        self._ends.clear()

    def fix(self) -> None:
        """New connections can be made again."""
        self.up = True


class WireConnector(aiohttp.BaseConnector):
    """Connections of aiohttp over a network of the test."""

    def __init__(self, network: Network) -> None:
        super().__init__(limit=0, keepalive_timeout=None)
        self._network = network

    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> ResponseHandler:  # noqa: ASYNC109 - aiohttp's own signature
        try:
            return self._network.connect(self._factory)
        except OSError as error:
            raise aiohttp.ClientConnectorError(req.connection_key, error) from error


class WireClient(Client):
    """The operator's own client, on a network of the test."""

    def __init__(self, network: Network) -> None:
        super().__init__(Connection("http://api"))
        self._network = network

    def _connector(self) -> aiohttp.BaseConnector:
        return WireConnector(self._network)
