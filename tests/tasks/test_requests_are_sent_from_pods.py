"""The program of http tasks in pods keeps the rules of the operator's own requests."""

import asyncio
from typing import Any

import pytest
from control.test_requests_of_tenants_never_meet import FRAMING, wire
from tradewind.tasks.http import fetch


def request(url: str, **headers: str) -> dict[str, Any]:
    return {"url": url, "method": "GET", "headers": headers, "body": "", "timeout": 5}


async def test_headers_with_secrets_go_to_their_server_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cret")
    async with wire() as first, wire() as second:
        first.location = f"{second.url}/elsewhere"
        status, _ = await asyncio.to_thread(fetch, request(first.url, Authorization="Bearer $(TOKEN)"))
        assert status == 302 and b"Bearer s3cret" in first.connections[0] and second.connections == []


async def test_other_redirects_are_followed_without_credentials() -> None:
    async with wire() as first, wire() as second:
        first.location = f"{second.url}/elsewhere"
        status, _ = await asyncio.to_thread(
            fetch, request(first.url, Authorization="typed", Cookie="c=1", **{"X-A": "b"})
        )
        assert status == 200 and b"x-a: b" in second.connections[0].lower()
        assert b"typed" not in second.connections[0] and b"c=1" not in second.connections[0]


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
async def test_a_redirect_to_another_protocol_is_an_answer(to: str) -> None:
    async with wire() as first:
        first.location = to
        assert (await asyncio.to_thread(fetch, request(first.url)))[0] == 302


@pytest.mark.parametrize("name", FRAMING)
def test_headers_that_frame_a_message_are_not_sent(name: str) -> None:
    with pytest.raises(ValueError, match=r"set by the sender itself|not the name of a header"):
        fetch(request("http://127.0.0.1:1/", **{name: "x"}))
