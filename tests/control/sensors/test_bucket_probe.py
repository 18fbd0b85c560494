"""The requests and answers of a bucket's listing, and what a trigger makes of them. (A real server has its own tests.)"""

import contextlib
import threading
from typing import Any

import pytest
from tradewind.control.egress.client import Answer
from tradewind.control.sensors import bucket_probe
from tradewind.control.sensors.bucket_probe import BucketProbe, ProbeFailedError
from tradewind.control.triggers.sources.bucket_cursor import new_objects
from tradewind.model.duration import stamp
from tradewind.model.trigger_sensor import BucketWatch

NOW = 1_780_000_000
WHERE: dict[str, Any] = {"endpoint": "https://s3.example.com", "bucket": "b", "secretName": "s"}


def item(key: str, modified: int) -> str:
    return (
        f"<Contents><Key>{key}</Key><LastModified>{stamp(modified)}</LastModified>"
        "<ETag>&quot;e&quot;</ETag><Size>3</Size></Contents>"
    )


def page(*items: str, token: str = "") -> str:
    more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    return f"<ListBucketResult>{more}{''.join(items)}</ListBucketResult>"


class Answers:
    """A server that gives these answers in order, and the last one repeatedly."""

    def __init__(self, *bodies: str, status: int = 200) -> None:
        self.bodies, self.status = list(bodies), status
        self.urls: list[str] = []

    async def answer(self, request: Any, headers: Any, namespace: str, limit: int) -> Answer:
        self.urls.append(request.url)
        body = self.bodies.pop(0) if len(self.bodies) > 1 else self.bodies[0]
        return Answer(self.status, body.encode(), "")


def probe(server: Any, prefix: str = "in/", key: str = "") -> BucketProbe:
    async def keys() -> tuple[str, str]:
        return "access", "secret"

    return BucketProbe(server, BucketWatch(**WHERE), "ns", prefix, key, keys)


async def test_a_key_is_an_object_of_exactly_that_name() -> None:
    found = await probe(Answers(page(item("in/a", 1), item("in/ab", 1))), key="in/a").ask()
    assert found["count"] == 1 and found["objects"][0] == {
        "key": "in/a",
        "size": 3,
        "etag": "e",
        "lastModified": stamp(1),
    }


async def test_all_pages_are_read_up_to_a_bound_that_is_told() -> None:
    server = Answers(page(item("in/a", 1), token="t/1"), page(item("in/&amp;b", 2)))
    found, _ = await probe(server).all()
    assert [item.key for item in found] == ["in/a", "in/&b"]
    assert "continuation-token=t%2F1" in server.urls[1] and "prefix=in%2F" in server.urls[1]
    with pytest.raises(ProbeFailedError, match="more than 10000 objects: take away what is done, set ordered"):
        await probe(Answers(page(item("in/a", 1), token="t"))).all()


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, "<html>Please log in</html>", "is not a list of objects"),
        (200, page("<Contents><Key>k</Key><LastModified>soon</LastModified></Contents>"), "is not a list of objects"),
        (403, "<Error><Code>AccessDenied</Code><Message>No.</Message></Error>", "answers 403 AccessDenied: No."),
        (500, "", "s3.example.com answers 500"),
    ],
)
async def test_what_is_no_listing_is_said(status: int, body: str, words: str) -> None:
    with pytest.raises(ProbeFailedError, match=words):
        await probe(Answers(body, status=status)).ask()


async def test_in_order_only_what_comes_after_the_last_one_is_asked_for() -> None:
    bucket = BucketWatch(**WHERE, ordered=True)
    server = Answers(page(*(item(f"in/{n:03}", NOW - 100) for n in range(150))))
    found = await new_objects(bucket, probe(server), "", (), 0.0, {})
    assert len(found.found) == 100 and found.cursor == "in/099" and found.more
    await new_objects(bucket, probe(server), found.cursor, (), 0.0, {})
    assert "start-after=in%2F099" in server.urls[-1] and "start-after" not in server.urls[0]
    await new_objects(bucket, probe(server), "elsewhere/099", (), 0.0, {})
    assert "start-after" not in server.urls[-1], "the prefix is another one than it was"


async def test_in_order_one_that_has_just_come_holds_those_after_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket, young = BucketWatch(**WHERE, ordered=True), 1 << 33
    server = Answers(page(item("in/a", 5), item("in/b", 20), item("in/c", young), item("in/d", 20)))
    found = await new_objects(bucket, probe(server), "", (), 10.0, {})
    assert [values["object.key"] for values in found.found] == ["in/b"], "in/a was there before"
    assert found.cursor == "in/b" and not found.more


@pytest.mark.parametrize("status", [200, 403])
async def test_the_event_loop_reads_no_listing(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    readers = set()

    def noting(read: Any) -> Any:
        def noted(answer: bytes) -> Any:
            readers.add(threading.current_thread())
            return read(answer)

        return noted

    for name in ("listed", "told"):
        monkeypatch.setattr(bucket_probe, name, noting(getattr(bucket_probe, name)))
    with contextlib.suppress(ProbeFailedError):
        await probe(Answers(page(item("in/a", 1)), status=status)).ask()
    assert readers and threading.current_thread() not in readers
