"""A server that answers lists and watches with the bytes of a test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import orjson
from tradewind.kube.labels import RUN_UID

Writer = asyncio.StreamWriter
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%sTransfer-Encoding: chunked\r\n\r\n"
PLAIN = b""
GZIPPED = b"Content-Encoding: gzip\r\n"


def pod(name: str, version: int) -> dict[str, object]:
    meta = {
        "name": name,
        "namespace": "default",
        "uid": name,
        "resourceVersion": str(version),
        "labels": {RUN_UID: "u"},
    }
    return {"kind": "Pod", "metadata": meta, "spec": {}, "status": {}}


def event(kind: str, body: object) -> bytes:
    return orjson.dumps({"type": kind, "object": body}) + b"\n"


def page(version: object, *items: object, more: object = "") -> bytes:
    return orjson.dumps({"metadata": {"resourceVersion": version, "continue": more}, "items": items})


async def send(writer: Writer, data: bytes, how: bytes = PLAIN) -> None:
    """One chunk of an answer, without its end."""
    writer.write(HEAD % how + b"%x\r\n%s\r\n" % (len(data), data))
    await writer.drain()


async def end(writer: Writer) -> None:
    writer.write(b"0\r\n\r\n")
    await writer.drain()


@dataclass
class Stream:
    """`lists` are answered in order, then `rest`; `watches` likewise."""

    rest: bytes
    watches: list[Callable[[Writer], AsyncIterator[None] | object]]
    lists: list[bytes] = field(default_factory=list)
    listed: int = 0
    asked: list[str] = field(default_factory=list)
    """The resource versions from which watches started."""
    port: int = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                asked = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
                if "/pods/" in asked and "/log" not in asked:  # no object exists that is requested by name
                    writer.write(
                        b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
                    )
                    await writer.drain()
                    continue
                if "watch=true" not in asked:
                    self.listed += 1
                    await send(writer, self.lists.pop(0) if self.lists else self.rest)
                    await end(writer)
                    continue
                self.asked.append(asked.partition("resourceVersion=")[2].partition("&")[0])
                watch = self.watches.pop(0) if len(self.watches) > 1 else self.watches[0]
                await watch(writer)  # type: ignore[misc]
                break
        writer.close()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Stream"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
