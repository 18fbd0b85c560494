"""Where the operator sends requests of http tasks, and where it does not."""

from ipaddress import ip_network

import pytest
from aiohttp import web
from tradewind.control.egress.client import Failed, HttpClient, Request, refusal
from tradewind.control.egress.policy import EgressPolicy
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
    assert HttpClient(EgressPolicy())._address(url, "team-a").host == host
    assert HttpClient(EgressPolicy(services=False))._address(url, "team-a").host == URL(url).host


OWN = """127.0.0.1 127.1 2130706433 0x7f000001 0177.0.0.1 0 0.0.0.0 169.254.169.254 100.100.100.200 168.63.129.16 192.0.0.192
    255.255.255.255 240.0.0.1 localhost LOCALHOST user:pw@127.0.0.1 example.com@127.0.0.1
    \uff11\uff12\uff17.0.0.1 127\u30020\u30020\u30021 \u2460\u2461\u2466.0.0.1
    [::] [::1] [fe80::1] [ff02::1] [::ffff:127.0.0.1] [::ffff:7f00:1] [::ffff:169.254.169.254] [::a9fe:a9fe] [::7f00:1]
    [64:ff9b::a9fe:a9fe] [64:ff9b::127.0.0.1] [64:ff9b:1::a9fe:a9fe] [64:ff9b:1:a9fe:a9:fe00::] [2002:a9fe:a9fe::1] [2002:7f00:1::]
    [2001:0:a9fe:a9fe::] [2001:0:5db8:d822:0:0:5601:5601] [fd20:ce::254] [fd00:ec2::254] [fd00:ec2::23] [fd00:42::42]
    [fd00:c1::a9fe:a9fe] 10.9.8.7 [fd12::7] [::ffff:10.9.8.7] [::ffff:0:a9fe:a9fe] [::ffff:0:127.0.0.1] [::ffff:0:10.9.8.7]"""
"""The operator's host, the link and metadata services, in all spellings; 10.9.8.7 and fd12::7 are its pod's and node's."""


@pytest.mark.parametrize("host", OWN.split())
async def test_the_operators_own_host_the_link_and_metadata_services_are_refused(host: str) -> None:
    """However an address is written, and whatever translates it on the way."""
    sender = HttpClient(EgressPolicy(services=False, own=(ip_network("10.9.8.7"), ip_network("fd12::7"))))
    with pytest.raises(
        Failed, match=r"the operator does not send requests there|not an address that a request can be sent to"
    ):
        await sender.send(request(f"http://{host}:9/"), {}, "ns")
    await sender.close()


@pytest.mark.parametrize(
    ("address", "refused"),
    [
        ("10.0.0.1", ""),
        ("2606:4700::1111", ""),
        ("64:ff9b::808:808", ""),
        ("127.0.0.2", ""),
        ("::ffff:127.0.0.2", ""),
        ("127.0.0.1", "does not send requests there"),
        ("2001:0:7f00:2:0:0:5601:5601", "does not send requests there"),
        ("192.168.0.9", "denied"),
        ("127.0.0.9", "denied"),
        ("::ffff:192.168.0.9", "denied"),
        ("64:ff9b::192.168.0.9", "denied"),
        ("::ffff:0:192.168.0.9", "denied"),
        ("::ffff:0:808:808", ""),
        ("2002:c0a8:9::", "denied"),
    ],
)
def test_what_is_allowed_is_asked_and_what_is_denied_never(address: str, refused: str) -> None:
    """Both apply to a translated address and to its target. The Teredo address belongs to a client at 169.254.169.254
    behind an allowed server."""
    egress = EgressPolicy(
        allowed=(ip_network("127.0.0.2/32"), ip_network("127.0.0.9/32")),
        denied=(ip_network("192.168.0.0/16"), ip_network("127.0.0.9/32")),
    )
    words = refusal(address, egress)
    assert refused in words and bool(words) == bool(refused)


@pytest.mark.parametrize(
    "url", ["ftp://x/", "file:///etc/passwd", "no url", "http+unix://%2ftmp%2fs/", "http:/host", "http:\\\\host"]
)
async def test_only_http_is_spoken(url: str) -> None:
    with pytest.raises(Failed, match="not an http:// or https:// address"):
        await HttpClient(EgressPolicy()).send(request(url), {}, "ns")


async def test_what_is_allowed_is_asked_and_secrets_in_an_address_are_not_told() -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=418, text="short and stout")

    app = web.Application()
    app.router.add_get("/pot", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sender = HttpClient(EgressPolicy(allowed=(ip_network("127.0.0.0/8"),)))
    try:
        with pytest.raises(Failed) as refused:
            await sender.send(request(f"http://ada:s3cret@127.0.0.1:{runner.addresses[0][1]}/pot?key=s3cret"), {}, "ns")
    finally:
        await sender.close()
        await runner.cleanup()
    assert "answered 418, wanted 2xx: short and stout" in str(refused.value) and "s3cret" not in str(refused.value)
