"""Requests of tasks: as many at once as there are seats, shared by namespaces; waiting ones say so."""

import asyncio
from collections import Counter
from ipaddress import ip_network
from typing import Any

import pytest
from plan.game import defined
from tradewind.control.egress.client import (
    MAX_PARALLEL_REQUESTS,
    SHARE,
    Answer,
    Failed,
    HttpClient,
    Request,
    content,
    server,
)
from tradewind.control.egress.policy import EgressPolicy
from tradewind.model.bounded import OutOfBounds
from tradewind.plan.documents.problem import Invalid

from control.egress.test_isolation_of_requests import request

EGRESS = EgressPolicy(allowed=(ip_network("127.0.0.0/8"),))


class Tarpit(HttpClient):
    """Answers nothing until the test releases it."""

    def __init__(self) -> None:
        super().__init__(EGRESS)
        self.now: Counter[str] = Counter()
        self.let = asyncio.Event()

    async def _ask(self, request: Request, headers: Any, namespace: str, limit: int) -> Answer:
        self.now[namespace] += 1
        await self.let.wait()
        self.now[namespace] -= 1
        return Answer(200, b"{}", "")


async def until(check: Any) -> None:
    async with asyncio.timeout(100):
        while not check():
            await asyncio.sleep(0.001)


async def test_one_tenants_slow_requests_leave_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tradewind.control.evaluation.seats.SEAT_WAIT_SECONDS", 0.01)
    sender, said = Tarpit(), list[str]()
    loud = [asyncio.create_task(sender.send(request("http://x/"), {}, "loud", said.append)) for _ in range(100)]
    await until(lambda: sender.now["loud"] == SHARE and len(said) == 100 - SHARE)
    assert said[0] == f"waits for its turn: namespace loud has {SHARE} requests in progress, the limit"
    quiet = asyncio.create_task(sender.send(request("http://x/"), {}, "quiet"))
    await until(lambda: sender.now["quiet"] == 1)
    sender.let.set()
    await asyncio.gather(*loud, quiet)
    assert said.count("") == 100 - SHARE, "each says that it waits no more"


async def test_there_are_so_many_seats_and_those_who_leave_give_theirs_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tradewind.control.evaluation.seats.SEAT_WAIT_SECONDS", 0.01)
    sender, said = Tarpit(), list[str]()
    tasks = [
        asyncio.create_task(sender.send(request("http://x/"), {}, f"t{n % 8}")) for n in range(MAX_PARALLEL_REQUESTS)
    ]
    await until(lambda: sender.now.total() == MAX_PARALLEL_REQUESTS)
    late = asyncio.create_task(sender.send(request("http://x/"), {}, "late", said.append))
    gone = asyncio.create_task(sender.send(request("http://x/"), {}, "gone"))
    await until(lambda: said)
    assert said == [f"waits for its turn: the operator has {MAX_PARALLEL_REQUESTS} requests in progress, the limit"]
    gone.cancel()
    tasks[0].cancel()
    await until(lambda: sender.now["late"] == 1)
    sender.let.set()
    await asyncio.gather(*tasks, late, gone, return_exceptions=True)
    assert not sender._turns._seats.held


async def test_no_request_takes_longer_than_the_operator_waits() -> None:
    sender = Tarpit()
    sender._egress = EgressPolicy(longest=0.01)
    with pytest.raises(Failed, match=r"no answer within 0.01 s \(the longest that the operator waits for any server\)"):
        await sender.send(request("http://x/"), {}, "a")


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ({"http": {"url": "http://x/", "timeout": "24h"}}, "http.timeout: 24h is longer than the 5m .*; set http.pod"),
        ({"sensor": {"http": {"url": "http://x/", "timeout": "6m"}}}, "sensor.http.timeout: 6m is longer than the 5m"),
    ],
)
def test_a_longer_timeout_is_refused_at_apply(task: Any, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        defined({"a": task})
    defined({"a": {"http": {"url": "http://x/", "timeout": "24h", "pod": True}}})


@pytest.mark.parametrize(
    "url",
    [
        "http://Shared/",
        "http://shared.a.svc/x",
        "http://shared.a.svc.:80/",
        "http://u:p@SHARED:80",
        "http://shared?x",
        "http://shared#x",
    ],
)
def test_a_host_is_the_same_however_it_is_spelled(url: str) -> None:
    assert (
        server(url, "a", EgressPolicy())
        == "shared.a.svc:80"
        != server(url.replace("shared.a.svc", "shared"), "b", EgressPolicy())
    )


def test_addresses_have_one_spelling() -> None:
    spelled = [
        "2130706433",
        "0x7f000001",
        "127.1",
        "[::ffff:127.0.0.1]",
        "127.0.0.1",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
    ]
    assert {server(f"http://{host}:8080/", "a", EgressPolicy(services=False)) for host in spelled} == {"127.0.0.1:8080"}
    assert server("http://[::1", "a", EgressPolicy()) == ""


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", None),
        (b'{"n": [1, 2.5, null]}', {"n": [1, 2.5, None]}),
        (b"no json", "no json"),
        (b"\xff", "\ufffd"),
        (b"[" * 63 + b"]" * 63, "nested"),
        (b"NaN", "NaN"),
        (b'{"s": "\\ud800"}', '{"s": "\\ud800"}'),
    ],
)
def test_a_body_is_what_can_be_an_output(body: bytes, found: Any) -> None:
    got = content(Answer(200, body, ""))
    assert got["status"] == 200 and (got["body"] == found or found == "nested")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[" * 300 + b"]" * 300, "body"),
        (b"[" * 60_000, "body"),
        (b'{"items": [{"n": 100000000000000000000}]}', r"body.items\[0\].n is an integer beyond 64 bits"),
    ],
)
def test_a_body_that_no_output_can_be_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(OutOfBounds, match=words):
        content(Answer(200, body, ""))
