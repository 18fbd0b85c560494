"""The program of http tasks in pods follows the rules of the operator's own requests."""

import asyncio
from typing import Any

import pytest
from control.egress.test_isolation_of_requests import FRAMING, wire
from tradewind.tasks.http import fetch


def request(url: str, **headers: str) -> dict[str, Any]:
    return {"url": url, "method": "GET", "headers": headers, "body": "", "timeout": 5}


async def test_headers_with_secrets_go_to_their_server_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cret")
    async with wire() as first, wire() as second:
        first.location = f"{second.url}/elsewhere"
        status, _ = await asyncio.to_thread(fetch, request(first.url, Authorization="Bearer $(TOKEN)"))
        assert status == 302 and b"Bearer s3cret" in first.connections[0] and second.connections == []


async def test_another_server_gets_no_header_and_no_body_by_a_redirect() -> None:
    async with wire() as first, wire() as second:
        first.location = f"{second.url}/elsewhere"
        headers = {"Authorization": "typed", "Cookie": "c=1", "X-Api-Key": "k3y"}
        sent = {**request(first.url, **headers), "body": "b0dy"}
        status, _ = await asyncio.to_thread(fetch, sent)
        assert status == 200 and b"k3y" in first.connections[0].lower()
        for text in (b"typed", b"c=1", b"k3y", b"b0dy"):
            assert text not in second.connections[0]
        first.status = "307 Temporary Redirect"
        assert (await asyncio.to_thread(fetch, {**sent, "method": "POST"}))[0] == 307
        assert len(second.connections) == 1


async def test_the_same_server_gets_the_headers_by_a_redirect() -> None:
    async with wire() as first:
        first.location, first.once = "/elsewhere", True
        assert (await asyncio.to_thread(fetch, request(first.url, **{"X-Api-Key": "k3y"})))[0] == 200
        assert b"k3y" in first.connections[-1] and b"/elsewhere" in first.connections[-1]


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
async def test_a_redirect_to_another_protocol_is_an_answer(to: str) -> None:
    async with wire() as first:
        first.location = to
        assert (await asyncio.to_thread(fetch, request(first.url)))[0] == 302


@pytest.mark.parametrize("name", FRAMING)
def test_headers_that_frame_a_message_are_not_sent(name: str) -> None:
    with pytest.raises(ValueError, match=r"set by the sender itself|not the name of a header"):
        fetch(request("http://127.0.0.1:1/", **{name: "x"}))
