"""Nothing of one tenant's request affects another request, and its secrets go to its own server only."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network

import pytest
from plan.game import defined
from tradewind.control.egress import client
from tradewind.control.egress.client import Failed, HttpClient, Request
from tradewind.control.egress.policy import EgressPolicy
from tradewind.plan.documents.problem import Invalid
from yarl import URL

EGRESS = EgressPolicy(allowed=(ip_network("127.0.0.0/8"), ip_network("::1/128")))


@dataclass
class Wire:
    """A server that keeps connections open, and shows what came over each."""

    url: str = ""
    location: str = ""
    """The address to which it redirects all others."""
    status: str = "302 Found"
    """The status of the redirect."""
    once: bool = False
    """Whether it answers after that."""
    connections: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def wire() -> AsyncIterator[Wire]:
    there = Wire()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = len(there.connections)
        there.connections.append(b"")
        while data := await reader.read(65_536):
            there.connections[place] += data
            if b"\r\n\r\n" in data:
                more = f"Location: {there.location}\r\n" if there.location else ""
                status = there.status if there.location else "200 OK"
                if there.once:
                    there.location = ""
                writer.write(f"HTTP/1.1 {status}\r\n{more}Content-Length: 2\r\n\r\n{{}}".encode())
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    there.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield there
    finally:
        server.close()


def request(url: str, body: str = "", **headers: str) -> Request:
    return Request(url, "POST" if body else "GET", headers, body, (), 5.0)


@asynccontextmanager
async def sending() -> AsyncIterator[HttpClient]:
    sender = HttpClient(EGRESS)
    try:
        yield sender
    finally:
        await sender.close()


async def test_a_connection_serves_one_request() -> None:
    async with wire() as server, sending() as sender:
        for namespace in ("team-a", "team-b", "team-b"):
            await sender.send(request(server.url), {"X-Of": namespace}, namespace)
    assert [data.count(b"HTTP/1.1") for data in server.connections] == [1, 1, 1]


FRAMING = [
    "Transfer-Encoding", "content-length", "Connection", "HOST", "TE", "Trailer", "Upgrade", "Expect", "Keep-Alive",
    "Proxy-Authorization", "proxy-connection", "HTTP2-Settings", "X A", "X:A", "X\r\nY", "", "Ä",
]  # fmt: skip


@pytest.mark.parametrize("name", FRAMING)
async def test_headers_that_frame_a_message_are_not_sent(name: str) -> None:
    """With them a body could become the beginning of the next request."""
    body = "0\r\n\r\nPOST /mailbox HTTP/1.1\r\nX-Swallow: "
    async with wire() as server, sending() as sender:
        with pytest.raises(Failed, match=r"http.headers: .*(set by the sender itself|not the name of a header)"):
            await sender.send(request(server.url, body), {name: "chunked"}, "team-a")
    assert server.connections == []


@pytest.mark.parametrize("name", FRAMING)
def test_headers_that_frame_a_message_are_refused_at_apply(name: str) -> None:
    for task in (
        {"http": {"url": "http://x/", "headers": {name: "chunked"}}},
        {"sensor": {"http": {"url": "http://x/", "headers": {name: "chunked"}}}},
    ):
        with pytest.raises(Invalid, match=r"(?s)http.headers.*: .*(set by the sender itself|not the name of a header)"):
            defined({"a": task})


@pytest.mark.parametrize("value", ["a\r\nX-B: c", "a\nb", "a\0b"])
async def test_a_line_break_in_a_header_is_not_sent(value: str) -> None:
    async with wire() as server, sending() as sender:
        with pytest.raises(Failed):
            await sender.send(request(server.url), {"X-A": value}, "team-a")
    assert b"".join(server.connections) == b""


@pytest.mark.parametrize("path", ["/a\r\nX-B: c", "/a%0d%0aX-B:%20c"])
async def test_a_line_break_in_an_address_is_no_header(path: str) -> None:
    async with wire() as server, sending() as sender:
        try:
            await sender.send(request(server.url + path), {}, "team-a")
        except Failed:
            return
    assert b"\r\nX-B" not in server.connections[0]


async def test_headers_with_secrets_go_to_their_server_alone() -> None:
    async with wire() as first, wire() as second, sending() as sender:
        first.location = f"{second.url}/elsewhere"
        with pytest.raises(
            Failed, match=r"answered 302, wanted 2xx \(a redirect is not followed by a request whose headers hold"
        ):
            await sender.send(request(first.url, **{"X-Api-Key": "$(TOKEN)"}), {"X-Api-Key": "s3cret"}, "team-a")
        answer = await sender.answer(request(first.url, **{"X-Api-Key": "$(TOKEN)"}), {"X-Api-Key": "s3cret"}, "team-a")
        assert answer.status == 302 and second.connections == []


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_another_server_gets_no_header_and_no_body_by_a_redirect(status: str) -> None:
    headers = {"X-Api-Key": "k3y", "Authorization": "typed"}
    async with wire() as first, wire() as second, sending() as sender:
        first.location, first.status = f"{second.url}/elsewhere", status
        assert (await sender.send(request(first.url, **headers), headers, "team-a"))["status"] == 200
        assert b"k3y" in first.connections[-1] and b"GET /elsewhere" in second.connections[-1]
        if status[:3] in ("307", "308"):
            with pytest.raises(Failed, match=rf"answered {status[:3]}, .*\(a body is not sent on to another server"):
                await sender.send(request(first.url, "b0dy", **headers), headers, "team-a")
        else:
            await sender.send(request(first.url, "b0dy", **headers), headers, "team-a")
        for text in (b"k3y", b"typed", b"b0dy"):
            assert text not in b"".join(second.connections)


@pytest.mark.parametrize(("status", "method"), [("302 Found", b"GET"), ("307 Temporary", b"POST")])
async def test_the_same_server_gets_all_of_it_by_a_redirect(status: str, method: bytes) -> None:
    headers = {"X-Api-Key": "k3y"}
    async with wire() as first, sending() as sender:
        first.location, first.status, first.once = "/elsewhere", status, True
        await sender.send(request(first.url, "b0dy", **headers), headers, "team-a")
        assert b"k3y" in first.connections[-1] and first.connections[-1].startswith(method + b" /elsewhere")
        assert (b"b0dy" in first.connections[-1]) is (method == b"POST")


def test_a_redirect_from_https_to_http_is_not_followed() -> None:
    class Response:
        status, headers = 302, {"Location": "http://plain.example/"}

    for url, followed in (("https://safe.example/", False), ("http://plain.example/", True)):
        after = client._Hop(URL(url), "GET", {}, "").after(Response())  # type: ignore[arg-type]
        assert (after is not None) is followed


async def test_a_redirect_without_end_is_not_followed_for_ever() -> None:
    async with wire() as first, sending() as sender:
        first.location = "/again"
        with pytest.raises(Failed, match="more than 5 redirects"):
            await sender.send(request(first.url), {}, "team-a")
        assert len(first.connections) == 6


@pytest.mark.parametrize(
    "to", ["http://127.0.0.1:1/", "http://[::1]:1/", "file:///etc/passwd", "http+unix://%2ftmp%2fs/"]
)
async def test_a_redirect_leads_to_nowhere_that_is_refused(to: str) -> None:
    async with wire() as server:
        server.location = to
        sender = HttpClient(
            EgressPolicy(allowed=(ip_network("127.0.0.1/32"),) if "::1" in to or "127" not in to else ())
        )
        with pytest.raises(Failed):
            await sender.send(request(server.url), {}, "team-a")
        await sender.close()


async def test_the_environments_proxy_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with wire() as server, wire() as proxy, sending() as sender:
        monkeypatch.setenv("http_proxy", proxy.url)
        await sender.send(request(server.url), {}, "team-a")
        assert len(server.connections) == 1 and not proxy.connections


async def test_a_body_is_read_no_further_than_it_may_be_kept() -> None:
    """It is small on the wire."""
    bomb = gzip.compress(b"0" * 64 * 2**20)
    sent = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            for at in range(0, len(bomb), 1_024):
                piece = bomb[at : at + 1_024]
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await writer.drain()
                sent += 1
                await asyncio.sleep(0.002)
        except ConnectionError:
            pass

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with sending() as sender:
        with pytest.raises(Failed, match="the response has more than 64 KiB"):
            await sender.send(request(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"), {}, "team-a")
    server.close()
    assert sent < len(bomb) // 1_024, "the connection was closed before"


async def test_an_answer_that_drips_is_ended_by_the_timeout() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.01)

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with sending() as sender:
        with pytest.raises(Failed, match=r"no answer within 0.2 s \(http.timeout\)"):
            await sender.send(Request(url, "GET", {}, "", (), 0.2), {}, "team-a")
    server.close()
