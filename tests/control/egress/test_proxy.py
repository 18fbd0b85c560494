"""Requests of tenants through a proxy, and to servers whose certificates a private authority has signed."""

import asyncio
import ssl
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from click.testing import CliRunner
from tradewind.cli.operator import command
from tradewind.control.egress.client import Failed, HttpClient
from tradewind.control.egress.policy import EgressPolicy
from tradewind.control.egress.proxy import goes_direct
from worlds.webserver import web_server

from control import certificates
from control.egress.test_isolation_of_requests import request, wire


@pytest.mark.parametrize(
    ("host", "direct"),
    [
        ("db.shop.svc", True),
        ("db.shop.svc.cluster.local", True),
        ("svc", False),
        ("example.com", True),
        ("WWW.Example.com.", True),
        ("notexample.com", False),
        ("10.1.2.3", True),
        ("0x0a010203", True),
        ("11.1.2.3", False),
        ("10.example.org", False),
        ("[fd00::1]", True),
    ],
)
def test_hosts_domains_and_networks_are_asked_without_it(host: str, direct: bool) -> None:
    rules = (".svc", ".cluster.local", "example.com", "10.0.0.0/8", "fd00::/8")
    assert goes_direct(host, rules) is direct


async def test_the_proxy_is_told_the_whole_address_and_looks_the_name_up_itself() -> None:
    async with wire() as proxy:
        sender = HttpClient(EgressPolicy(proxy=proxy.url, direct=(".svc",)))
        found = await sender.send(request("http://no-such-host.example/a?b=c"), {}, "team-a")
        await sender.close()
        assert found == {"status": 200, "body": {}}
        assert proxy.connections[0].startswith(b"GET http://no-such-host.example/a?b=c HTTP/1.1\r\n")


async def test_a_redirect_goes_through_it_too() -> None:
    async with wire() as proxy:
        proxy.location, proxy.once = "http://elsewhere.example/", True
        sender = HttpClient(EgressPolicy(proxy=proxy.url))
        await sender.send(request("http://somewhere.example/"), {}, "team-a")
        await sender.close()
        assert [line.split(b" ")[1] for line in proxy.connections] == [
            b"http://somewhere.example/",
            b"http://elsewhere.example/",
        ]


NOWHERE = """169.254.169.254 127.0.0.1 127.0.0.1. [::1] 2130706433 2852039166. 0x7f.1. 192.0.2.9 192.0.2.9.
    localhost LOCALHOST. x.localhost a.b.localhost."""


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", NOWHERE.split())
async def test_an_address_where_nothing_is_sent_is_refused_all_the_same(host: str, scheme: str) -> None:
    async with wire() as proxy:
        sender = HttpClient(EgressPolicy(services=False, proxy=proxy.url, denied=(ip_network("192.0.2.0/24"),)))
        with pytest.raises(Failed, match=r"does not send requests there|denied"):
            await sender.send(request(f"{scheme}://{host}/"), {}, "team-a")
        await sender.close()
        assert not proxy.connections


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 407 Nope\r\nContent-Length: 0\r\n\r\n", "the proxy answered 407"),
        (b"HTTP/1.1 200 OK\r\n\r\nno TLS at all", "example.com: "),
        (b"no HTTP at all\r\n\r\n", "the answer is not valid HTTP, or not complete"),
        (b"", "the server closed the connection without an answer"),
        (None, "the proxy can't be reached: "),
    ],
)
async def test_the_password_of_the_proxy_is_told_nobody(answer: bytes | None, said: str) -> None:
    """Whatever it answers, or if nothing listens."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer or b"")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    address = f"ada:s3cret@127.0.0.1:{server.sockets[0].getsockname()[1]}"
    if answer is None:
        server.close()
        await server.wait_closed()
    egress = EgressPolicy(proxy=f"http://{address}")
    sender = HttpClient(egress)
    try:
        with pytest.raises(Failed) as failed:
            await sender.send(request("https://example.com/"), {}, "team-a")
    finally:
        await sender.close()
        server.close()
    assert str(failed.value).startswith(f"GET https://example.com/: {said}")
    assert "s3cret" not in f"{failed.value} {egress}"


@pytest.mark.parametrize("url", ["ada:s3cret@proxy:3128", "socks5://ada:s3cret@proxy", "http://ada:s3cret@proxy:x"])
def test_a_proxy_that_is_none_is_refused_at_the_start(url: str) -> None:
    done = CliRunner().invoke(command, env={"TRADEWIND_HTTP_PROXY": url})
    assert done.exit_code == 2 and "write http://HOST:PORT" in done.output and "s3cret" not in done.output


@pytest.mark.parametrize("url", ["http://ada:s3cret/", "http://ada:s3cret@[::1/", "http://ada:s3cret@0177.1/?k=s3cret"])
async def test_an_address_that_is_none_is_not_repeated(url: str) -> None:
    sender = HttpClient(EgressPolicy(services=False))
    with pytest.raises(Failed, match=r"not an address that a request can be sent to$") as failed:
        await sender.send(request(url), {}, "team-a")
    await sender.close()
    assert "s3cret" not in str(failed.value).rpartition(": ")[2]


async def test_what_is_asked_without_it_is_checked_as_ever() -> None:
    async with wire() as proxy, wire() as server:
        egress = EgressPolicy(proxy=proxy.url, direct=("127.0.0.0/8",))
        for allowed in ((), (ip_network("127.0.0.0/8"),)):
            sender = HttpClient(EgressPolicy(proxy=egress.proxy, direct=egress.direct, allowed=allowed))
            if allowed:
                await sender.send(request(server.url), {}, "team-a")
            else:
                with pytest.raises(Failed, match="does not send requests there"):
                    await sender.send(request(server.url), {}, "team-a")
            await sender.close()
        assert not proxy.connections and len(server.connections) == 1


async def test_a_private_authority_is_trusted_when_it_is_named(tmp_path: Path) -> None:
    cert, key = certificates.write(tmp_path / "server", timedelta(days=1), "localhost")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    allowed = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
    async with web_server({"/": (200, {})}, "localhost", context) as server:
        for authorities in (None, cert):
            sender = HttpClient(EgressPolicy(allowed=allowed, authorities=authorities, services=False))
            if authorities:
                assert (await sender.send(request(f"{server.url}/"), {}, "team-a"))["status"] == 200
            else:
                with pytest.raises(Failed, match="certificate"):
                    await sender.send(request(f"{server.url}/"), {}, "team-a")
            await sender.close()
