"""Requests of tenants through a proxy, and to servers whose certificates a private authority has signed."""

import ssl
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp import web
from tradewind.control.http import Failed, Sender
from tradewind.control.light import Light
from tradewind.control.proxy import goes_direct

from control import certificates
from control.test_requests_of_tenants_never_meet import request, wire


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
        sender = Sender(Light(proxy=proxy.url, direct=(".svc",)))
        found = await sender.send(request("http://no-such-host.example/a?b=c"), {}, "team-a")
        await sender.close()
        assert found == {"status": 200, "body": {}}
        assert proxy.connections[0].startswith(b"GET http://no-such-host.example/a?b=c HTTP/1.1\r\n")


async def test_a_redirect_goes_through_it_too() -> None:
    async with wire() as proxy:
        proxy.location, proxy.once = "http://elsewhere.example/", True
        sender = Sender(Light(proxy=proxy.url))
        await sender.send(request("http://somewhere.example/"), {}, "team-a")
        await sender.close()
        assert [line.split(b" ")[1] for line in proxy.connections] == [
            b"http://somewhere.example/",
            b"http://elsewhere.example/",
        ]


@pytest.mark.parametrize("host", ["169.254.169.254", "127.0.0.1", "[::1]", "2130706433", "192.0.2.9"])
async def test_an_address_where_nothing_is_sent_is_refused_all_the_same(host: str) -> None:
    async with wire() as proxy:
        sender = Sender(Light(services=False, proxy=proxy.url, denied=(ip_network("192.0.2.0/24"),)))
        with pytest.raises(Failed, match=r"does not send requests there|denied|not a canonical IPv4 address"):
            await sender.send(request(f"http://{host}/"), {}, "team-a")
        await sender.close()
        assert not proxy.connections


async def test_what_is_asked_without_it_is_checked_as_ever() -> None:
    async with wire() as proxy, wire() as server:
        light = Light(proxy=proxy.url, direct=("127.0.0.0/8",))
        for allowed in ((), (ip_network("127.0.0.0/8"),)):
            sender = Sender(Light(proxy=light.proxy, direct=light.direct, allowed=allowed))
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

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({})

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "localhost", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    allowed = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
    try:
        for authorities in (None, cert):
            sender = Sender(Light(allowed=allowed, authorities=authorities, services=False))
            if authorities:
                assert (await sender.send(request(f"https://localhost:{port}/"), {}, "team-a"))["status"] == 200
            else:
                with pytest.raises(Failed, match="certificate"):
                    await sender.send(request(f"https://localhost:{port}/"), {}, "team-a")
            await sender.close()
    finally:
        await runner.cleanup()
