"""Requests to the event endpoint, through its real server: the answer is one of 2xx or 4xx, in JSON, with a reason."""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from control.event_endpoint.test_event_answers import TOKEN, Scene, at
from hypothesis import given
from hypothesis import strategies as st
from tradewind.control.event_endpoint.server import Limits

from fuzz.garbage import JSON, MAPS, NEST, tries

NAMES = st.sampled_from(["Content-Type", "Idempotency-Key", "Tradewind-Timestamp", "Tradewind-Signature", "ce-specversion", "ce-id", "ce-source", "ce-type", "ce-time", "ce-subject", "Content-Encoding", "Authorization", "Cookie", "X-Any"])  # fmt: skip
TEXTS = st.sampled_from(["application/cloudevents+json", "application/cloudevents-batch+json", "application/json; charset=x", "1.0", "0.3", "", "gzip", "-1", "9" * 40, "²", "2026-01-31T06:00:00Z", "0000-00-00", "%00%ff%zz", "sha256=", f"Bearer {TOKEN}", "Bearer", "x" * 2_000]) | st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20)  # fmt: skip
HEADERS = st.dictionaries(NAMES, TEXTS, max_size=5)
ATTRIBUTES = ("specversion", "id", "source", "type", "time", "subject", "data", "data_base64")
MEANT = JSON | st.sampled_from(["1.0", "a", "2026-01-31T06:00:00Z", "aGk=", "e30="])
CLOUD = st.fixed_dictionaries({}, optional=dict.fromkeys(ATTRIBUTES, MEANT))
BODIES = st.binary(max_size=100) | NEST | (JSON | MAPS | CLOUD).map(orjson.dumps)
QUERIES = st.sampled_from(["", "?wait=0s", "?wait=x", "?wait=9999h", "?wait=-1s", "?wait=%00", "?wait=1e9s", "?x"])


class Sending:
    """The endpoint, on a loop that lives as long as the examples do."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.open = at(Limits(size=4_096, rate=1_000_000))
        self.scene: Scene = self.runner.run(self.open.__aenter__())
        told = {"dag": "d", "params": {}, "when": "event.body != 7 && size(event.headers) >= 0"}
        signed = {"authentication": {"hmac": {"secretRef": {"name": "sender", "key": "token"}}}, "maxPerSecond": 1_000}
        self.plain = self.runner.run(self.scene.trigger({"maxPerSecond": 1_000, "key": "event.key"}, **told))
        self.signed = self.runner.run(self.scene.trigger(signed, **told))

    def post(self, name: str, body: bytes, headers: dict[str, str], query: str = "") -> tuple[int, Any]:
        async def send() -> tuple[int, Any]:
            url = f"{self.scene.url}/v1/events/default/{name}{query}"
            async with self.scene.session.post(url, data=body, headers=headers) as response:
                return response.status, await response.json()

        return self.runner.run(send())

    def close(self) -> None:
        self.runner.run(self.open.__aexit__(None, None, None))
        self.runner.close()


@pytest.fixture(scope="module")
def sending() -> Iterator[Sending]:
    made = Sending()
    yield made
    made.close()


def right(code: int, answer: Any) -> None:
    assert 200 <= code < 500, answer
    if code >= 400:
        assert answer["result"] == "refused" and answer["reason"] and answer["message"]
    else:
        assert answer["result"] in ("created", "duplicate", "filtered")


@tries(200)
@given(body=BODIES, headers=HEADERS, query=QUERIES)
def test_any_event_is_answered(sending: Sending, body: bytes, headers: dict[str, str], query: str) -> None:
    right(*sending.post(sending.plain, body, {"Authorization": f"Bearer {TOKEN}", **headers}, query))


@tries(100)
@given(body=BODIES, headers=HEADERS, stamp=TEXTS | st.integers(-400, 400))
def test_any_signed_event_is_answered(sending: Sending, body: bytes, headers: dict[str, str], stamp: str | int) -> None:
    at = str(int(time.time()) + stamp) if isinstance(stamp, int) else stamp
    key = headers.get("Idempotency-Key", "")
    covered = b"\n".join([at.strip(" \t").encode(), key.strip(" \t").encode(), body])
    sign = hmac.new(TOKEN.encode(), covered, hashlib.sha256).hexdigest()
    more = {"Tradewind-Timestamp": at, "Tradewind-Signature": f"sha256={sign}"}
    right(*sending.post(sending.signed, body, {**headers, **more}))


@tries(60)
@given(rubbish=st.binary(max_size=200))
def test_bytes_that_are_no_request_end_with_an_answer_or_the_connection(sending: Sending, rubbish: bytes) -> None:
    async def send() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(sending.scene.url.rpartition(":")[2]))
        writer.write(rubbish + b"\r\n\r\n")
        writer.write_eof()
        try:
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    answer = sending.runner.run(send())
    assert not answer or answer.split(b" ")[1][:1] == b"4", answer
    right(*sending.post(sending.plain, b"", {"Authorization": f"Bearer {TOKEN}"}))
