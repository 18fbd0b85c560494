"""DNS lookups of names that users wrote: bounded per namespace, abandoned in time, and never repeated for one
connection."""

import asyncio
import socket
from collections.abc import Iterator
from ipaddress import ip_network
from threading import Event, Lock
from typing import Any

import pytest
from tradewind.control.egress import dns_lookups
from tradewind.control.egress.client import Failed, HttpClient
from tradewind.control.egress.dns_lookups import NAME_SHARE, SHARE, Lookups
from tradewind.control.egress.policy import EgressPolicy
from tradewind.control.sensors.bucket_probe import ProbeFailedError
from tradewind.control.sensors.sql_probe import SqlProbe
from tradewind.model.sensor import SqlPoll
from worlds.webserver import web_server

from control.egress.test_isolation_of_requests import request
from control.egress.test_turns import until

EGRESS = EgressPolicy(services=False, allowed=(ip_network("127.0.0.0/8"),))


class Servers:
    """Name servers: names that begin with `slow` get no answer until the test releases it."""

    def __init__(self) -> None:
        self.let, self._lock = Event(), Lock()
        self.asked, self.hang = list[str](), 0

    def getaddrinfo(self, host: str, port: int, *_: Any, flags: int = 0) -> list[Any]:
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror("a name")
        self.asked.append(host)
        if host.startswith("slow"):
            with self._lock:
                self.hang += 1
            self.let.wait(60)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Servers]:
    there = Servers()
    monkeypatch.setattr(socket, "getaddrinfo", there.getaddrinfo)
    yield there
    there.let.set()


async def test_another_namespaces_request_goes_through_meanwhile(servers: Servers) -> None:
    """Even one to a name that the others wait for."""
    sender = HttpClient(EGRESS)
    async with web_server({"/": (200, {})}) as server:
        urls = [f"http://slow{n}.example:{server.port}/" for n in range(4 * SHARE)] + [
            f"http://quick.example:{server.port}/"
        ]
        loud = [asyncio.create_task(sender.answer(request(url), {}, "loud")) for url in urls]
        await until(lambda: servers.hang == SHARE)
        answer = await sender.answer(request(f"http://quick.example:{server.port}/"), {}, "quiet")
        assert answer.status == 200 and not any(task.done() for task in loud)
        servers.let.set()
        assert {(await task).status for task in loud} == {200}
    await sender.close()


async def test_one_slow_name_leaves_room_for_others_of_its_namespace(servers: Servers) -> None:
    found = Lookups()
    slow = [asyncio.create_task(found.addresses("slow.example", 80, "ns")) for _ in range(3 * SHARE)]
    await until(lambda: servers.hang == NAME_SHARE)
    assert await found.addresses("quick.example", 80, "ns")
    servers.let.set()
    await asyncio.gather(*slow)


async def test_what_is_failed_as_holds_its_share_until_it_ends(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So there are never more threads than seats."""
    monkeypatch.setattr(dns_lookups, "DEADLINE", 0.01)
    found = Lookups()
    slow = [found.addresses(f"slow{n}.example", 80, "ns") for n in range(2 * SHARE)]
    errors = await asyncio.gather(*slow, return_exceptions=True)
    words = "within 0.01 s (namespace ns has 4 look-ups in progress, the limit)"
    assert [str(error) for error in errors] == [f"no address was found {words}"] * 2 * SHARE
    assert len(servers.asked) == SHARE
    monkeypatch.setattr(dns_lookups, "DEADLINE", 60)
    late = asyncio.create_task(found.addresses("quick.example", 80, "ns"))
    servers.let.set()
    assert await late
    assert len(servers.asked) == SHARE + 1, "nobody is asked for those who have gone"
    while found._seats.held:  # abandoned threads end by themselves
        await asyncio.sleep(0.01)


async def test_requests_and_queries_say_that_no_address_was_found(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dns_lookups, "DEADLINE", 0.01)
    sender = HttpClient(EGRESS)
    with pytest.raises(Failed, match=r"^GET http://slow.example/: slow.example: no address was found within"):
        await sender.answer(request("http://slow.example/"), {}, "ns")
    await sender.close()
    poll = SqlPoll(secret_name="s", query="SELECT 1", host="slow.example", database="d")

    async def login() -> Any:
        return None

    with pytest.raises(ProbeFailedError, match=r"^slow.example: no address was found within"):
        await SqlProbe(EGRESS, sender.lookups, poll, "ns", [], login).ask()


async def test_a_request_goes_to_the_address_that_was_checked(servers: Servers) -> None:
    sender = HttpClient(EGRESS)
    async with web_server({"/": (200, {})}) as server:
        await sender.answer(request(f"http://quick.example:{server.port}/"), {}, "ns")
    await sender.close()
    assert servers.asked == ["quick.example"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "2130706433"])
async def test_an_address_is_looked_up_by_nobody(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_lookups, "Thread", None)
    assert await Lookups().addresses(host, 80, "ns")


async def test_what_can_be_no_name_is_refused() -> None:
    with pytest.raises(dns_lookups.Unresolved, match="not the name of a host"):
        await Lookups().addresses("a..b", 80, "ns")
