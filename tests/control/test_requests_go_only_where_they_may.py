"""Where the operator sends requests of http tasks, and where it does not."""

from ipaddress import ip_network

import pytest
from aiohttp import web
from tradewind.control.http import Failed, Request, Sender
from tradewind.control.light import Light
from yarl import URL


def request(url: str) -> Request:
    return Request(url, "GET", {}, "", (), 5.0)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://holidays:8080/v1?a=b", "holidays.team-a.svc"),
        ("http://holidays.other.svc/", "holidays.other.svc"),
        ("http://localhost:1/", "localhost"),
        ("http://10.0.0.1/", "10.0.0.1"),
        ("http://[::1]:8/", "::1"),
    ],
)
def test_a_name_without_dots_is_a_service_of_the_runs_namespace(url: str, host: str) -> None:
    assert Sender(Light())._address(url, "team-a").host == host
    assert Sender(Light(services=False))._address(url, "team-a").host == URL(url).host


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "0.0.0.0",
        "169.254.169.254",
        "[::1]",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "100.100.100.200",
        "localhost",
    ],
)
async def test_the_operators_own_host_the_link_and_metadata_services_are_refused(host: str) -> None:
    sender = Sender(Light())
    with pytest.raises(Failed, match="the operator does not send requests there"):
        await sender.send(request(f"http://{host}:9/"), {}, "ns")
    await sender.close()


@pytest.mark.parametrize("url", ["ftp://x/", "file:///etc/passwd", "no url"])
async def test_only_http_is_spoken(url: str) -> None:
    with pytest.raises(Failed, match="not an http:// or https:// address"):
        await Sender(Light()).send(request(url), {}, "ns")


async def test_what_is_allowed_is_asked_and_secrets_in_an_address_are_not_told() -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=418, text="short and stout")

    app = web.Application()
    app.router.add_get("/pot", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sender = Sender(Light(allowed=(ip_network("127.0.0.0/8"),)))
    try:
        with pytest.raises(Failed) as refused:
            await sender.send(request(f"http://ada:s3cret@127.0.0.1:{runner.addresses[0][1]}/pot?key=s3cret"), {}, "ns")
    finally:
        await sender.close()
        await runner.cleanup()
    assert "answered 418, wanted 2xx: short and stout" in str(refused.value) and "s3cret" not in str(refused.value)
