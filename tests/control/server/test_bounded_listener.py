"""Connections that are silent, slow or too many, through real sockets: each ends within a limit, and others are
answered meanwhile."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from tradewind.control.server import bounded_listener as doors
from tradewind.control.server.bounded_listener import BoundedListener, Bounds
from worlds.endpoint import free_port

from control.certificates import write

pytestmark = pytest.mark.both_loops
SHORT = Bounds(connections=20, held=2**20, idle=0.2)
PATIENT = replace(SHORT, idle=600.0)


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
ASK = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"


class Served:
    """A server that echoes the body, or holds its request until it is released."""

    def __init__(self, bounds: Bounds, seconds: float) -> None:
        self.door, self.port, self.seconds = BoundedListener(bounds), free_port(), seconds
        self.go_on, self.busy = asyncio.Event(), 0
        self.client: ssl.SSLContext | None = None

    async def echo(self, http: web.Request) -> web.Response:
        try:
            body = await self.door.read_body(http, 2**19, self.seconds)
        except TimeoutError:
            return web.Response(status=408)
        with self.door.working(http):
            self.busy += 1
            if body == b"!!":
                await self.go_on.wait()
            return web.Response(body=body)

    async def connect(self) -> Stream:
        return await asyncio.open_connection("localhost", self.port, ssl=self.client)

    async def plain(self) -> Stream:
        return await asyncio.open_connection("localhost", self.port)

    async def answered(self) -> bool:
        """Whether a new client gets an answer."""
        reader, writer = await self.connect()
        with contextlib.closing(writer):
            writer.write(ASK)
            return (await reader.readuntil(b"hi")).startswith(b"HTTP/1.1 200")


@contextlib.asynccontextmanager
async def serving(bounds: Bounds, folder: Path | None = None, seconds: float = 600.0) -> AsyncIterator[Served]:
    served, context = Served(bounds, seconds), None
    if folder:
        cert, key = write(folder / "tls", timedelta(days=1))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(cert, key)
        served.client = ssl.create_default_context(cafile=str(cert))
    app = web.Application()
    app.add_routes([web.post("/", served.echo)])
    async with served.door.serve(app, served.port, context):
        yield served


async def closed(stream: Stream) -> bytes:
    """What is received until the server closes the connection."""
    try:
        return await stream[0].read()
    except ConnectionError:
        return b""
    finally:
        stream[1].close()


@pytest.mark.parametrize("sent", [b"", b"P", b"POST / HTTP/1.1\r\nHost:"])
async def test_a_head_that_does_not_come_ends_the_connection(sent: bytes) -> None:
    async with serving(SHORT) as served:
        stream = await served.connect()
        stream[1].write(sent)
        assert await closed(stream) == b""


async def test_a_head_that_comes_byte_by_byte_ends_the_connection() -> None:
    async with serving(SHORT) as served:
        stream = await served.connect()

        async def drip() -> None:
            with contextlib.suppress(ConnectionError):
                for byte in b"POST / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000:
                    stream[1].write(bytes([byte]))
                    await stream[1].drain()
                    await asyncio.sleep(0.01)

        dripping = asyncio.create_task(drip())
        assert await closed(stream) == b""
        dripping.cancel()


async def test_a_connection_that_had_an_answer_is_not_kept_for_ever() -> None:
    async with serving(SHORT) as served:
        stream = await served.connect()
        stream[1].write(ASK)
        assert (await closed(stream)).endswith(b"hi")


async def test_a_body_that_does_not_come_is_told_so_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "LINGER", 0.1)
    async with serving(PATIENT, seconds=0.1) as served:
        stream = await served.connect()
        stream[1].write(ASK[:-1])
        assert (await closed(stream)).startswith(b"HTTP/1.1 408")


async def test_a_handshake_that_does_not_come_ends_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "HANDSHAKE", 0.2)
    async with serving(PATIENT, tmp_path) as served:
        silent, rubbish = await served.plain(), await served.plain()
        rubbish[1].write(b"GET / HTTP/1.1\r\n\r\n")
        assert b"HTTP" not in await closed(silent) + await closed(rubbish)
        assert await served.answered()


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("sent", [b"", b"POST / HTTP/1.1\r\n", ASK[:-1]], ids=["silence", "head", "body"])
async def test_whoever_has_kept_it_waiting_longest_makes_room(tmp_path: Path, tls: bool, sent: bytes) -> None:
    async with serving(PATIENT, tmp_path if tls else None) as served:
        streams = [await served.connect() for _ in range(SHORT.connections)]
        for stream in streams:
            stream[1].write(sent)
        assert await served.answered()
        assert await closed(streams[0]) == b""
        for _ in range(3):
            assert await served.answered()
        for stream in streams:
            stream[1].close()


async def test_handshakes_that_do_not_come_make_room_too(tmp_path: Path) -> None:
    async with serving(PATIENT, tmp_path) as served:
        streams = [await served.plain() for _ in range(3 * SHORT.connections)]
        assert await served.answered()
        assert await closed(streams[0]) == b""


async def test_requests_in_work_make_no_room() -> None:
    async with serving(PATIENT) as served:
        streams = [await served.connect() for _ in range(SHORT.connections)]
        for stream in streams:
            stream[1].write(ASK.replace(b"hi", b"!!"))
        while served.busy < len(streams):
            await asyncio.sleep(0)
        assert await closed(await served.connect()) == b""
        served.go_on.set()
        for stream in streams:
            assert (await stream[0].readuntil(b"!!")).startswith(b"HTTP/1.1 200")
            stream[1].close()
        assert await served.answered()


async def test_bodies_that_are_held_take_no_more_than_their_share() -> None:
    async with serving(PATIENT) as served:
        streams = [await served.connect() for _ in range(6)]
        for stream in streams:
            stream[1].write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 400000\r\n\r\n" + b"x" * 399_000)
        ended = [asyncio.create_task(closed(stream)) for stream in streams]
        await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
        assert sum(served.door._held.values()) <= SHORT.held
        assert await served.answered()
        for task in ended:
            task.cancel()
        await asyncio.gather(*ended, return_exceptions=True)


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (b"POST /" + b"x" * 9_000 + b" HTTP/1.1\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nX: " + b"y" * 9_000 + b"\r\n", b"400"),
        (b"POST / HTTP/1.1\r\n" + b"X: y\r\n" * 100, b"400"),
        (b"\x16\x03\x01\x02\x00\r\n", b"400"),
        (b"POST / HTTP/9.9\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 9999999\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n", b"405"),
    ],
    ids=range(9),
)
async def test_heads_that_are_wrong_or_too_large_are_told_so(
    head: bytes, code: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(doors, "LINGER", 0.1)
    async with serving(SHORT) as served:
        stream = await served.connect()
        stream[1].write(head + b"Host: x\r\n\r\n")
        assert (await closed(stream)).split(b" ")[1] == code
    assert not caplog.records, "nobody fills the log"
