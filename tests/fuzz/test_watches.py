"""Invalid answers to a list and a watch: they are logged, and valid ones after them are processed."""

import asyncio
import contextlib
import gzip
import logging
import tracemalloc
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.kube import client as kube
from tradewind.kube import reflector
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.errors import Garbled
from tradewind.kube.pod_informer import PodInformer
from tradewind.kube.resources import PODS
from worlds.world import eventually

from fuzz.garbage import JSON, MAPS, NEST, tries
from fuzz.streams import GZIPPED, PLAIN, Stream, Writer, end, event, page, pod, send
from fuzz.targets import told


def says(data: bytes, how: bytes = PLAIN, ends: bool = True) -> Callable[[Writer], Any]:
    async def watch(writer: Writer) -> None:
        await send(writer, data, how)
        if ends:
            await end(writer)

    return watch


async def stays(writer: Writer) -> None:
    """Valid again: a new pod, and then nothing."""
    await send(writer, event("ADDED", pod("good", 99)))
    await asyncio.Event().wait()


async def endless(writer: Writer) -> None:
    """A line that has no end."""
    await send(writer, b'{"type": "ADDED", "object": {"metadata": {"name": "')
    while not writer.is_closing():
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await writer.drain()


GARBAGE = {
    "no JSON": says(b"<html>502</html>\n"),
    "half a line": says(event("ADDED", pod("half", 11))[:-30]),
    "half a line, and cut off": says(event("ADDED", pod("half", 11))[:-30], ends=False),
    "nothing": says(b""),
    "no object": says(b"7\n[]\nnull\n"),
    "wrong types": says(event("ADDED", {**pod("x", 11), "metadata": [1]}) + event(7, {})),  # type: ignore[arg-type]
    "deep": says(b'{"type": "ADDED", "object": ' + b"[" * 100_000 + b"\n"),
    "no UTF-8": says(
        b'{"type": "ADDED", "object": {"metadata": {"name": "\xff", "resourceVersion": "11", "labels": {}}}}\n'
    ),
    "gzip that is none": says(b"xxxxxxxxxx\n", GZIPPED),
    "gzip that is cut off": says(gzip.compress(event("ADDED", pod("x", 11)) * 100)[:-9], GZIPPED),
    "an error of no kind": says(event("ERROR", [])),
    "an error without sense": says(event("ERROR", {"code": "abc", "reason": 7, "details": 8})),
    "gone, again and again": says(event("ERROR", {"code": 410, "reason": "Expired"})),
    "no HTTP": lambda writer: writer.drain(),
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are counted, not waited for, and nothing is listed besides the watch."""
    monkeypatch.setattr(reflector.Reflector, "lists_again", False)
    sleep = asyncio.sleep

    async def short(_: float, *rest: Any) -> None:
        await sleep(0, *rest)

    monkeypatch.setattr(reflector.asyncio, "sleep", short)


@contextlib.asynccontextmanager
async def informed(stream: Stream) -> Any:
    async with stream.running(), Client(Connection(f"http://127.0.0.1:{stream.port}")) as client:
        informer = PodInformer(client, [None], lambda _: None, lambda _: True)
        task = asyncio.create_task(informer.run())
        try:
            yield informer
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def known(informer: PodInformer, *names: str) -> Callable[[], Any]:
    async def check() -> bool:
        return set(names) <= {name for name, found in informer.of("default", "u").items() if not found.gone}

    return check


@pytest.mark.parametrize("what", GARBAGE)
async def test_a_watch_that_says_garbage_is_asked_again(what: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    stream = Stream(page("10", pod("a", 9)), [GARBAGE[what]] * 5 + [stays])
    async with informed(stream) as informer:
        await eventually(known(informer, "a", "good"))
    assert len(stream.asked) >= 6 or stream.listed > 1
    assert caplog.text or "cut off" in what, "what was wrong is said; lines that came before an end were right"


async def test_what_stays_garbled_is_listed_anew() -> None:
    stream = Stream(page("20", pod("a", 9)), [GARBAGE["no JSON"]] * 4 + [stays], lists=[page("10")])
    async with informed(stream) as informer:
        await eventually(known(informer, "a", "good"))
    assert stream.listed == 2 and stream.asked == ["10"] * 3 + ["20"] * 2


async def test_a_line_without_end_is_ended_at_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kube, "LINE", 2**20)
    tracemalloc.start()
    try:
        async with informed(Stream(page("10"), [endless, stays])) as informer:
            await eventually(known(informer, "good"))
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    finally:
        tracemalloc.stop()


async def test_an_answer_without_end_is_ended_at_a_limit() -> None:
    stream = Stream(b"x" * 2**21, [stays])
    async with stream.running(), Client(Connection(f"http://127.0.0.1:{stream.port}")) as client:
        with pytest.raises(Garbled, match="an answer of more than 1 MiB"):
            await client.list_raw(PODS, None, most=2**20)


async def test_a_line_of_a_log_without_end_comes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kube, "PIECE", 2**16)
    stream = Stream(b"x" * 2**20 + b"\nend", [stays])
    async with stream.running(), Client(Connection(f"http://127.0.0.1:{stream.port}")) as client:
        pieces = [piece async for piece in client.logs("default", "p")]
    assert sum(map(len, pieces)) == 2**20 + 3 and len(pieces) > 1 and pieces[-1].endswith(b"end")


@pytest.mark.parametrize(
    "answer",
    [b"", b"<html>", b"[]", b'{"items": 7}', page(""), page("soon"), page(7), page("10", more=8), b"[" * 9_999],
    ids=range(9),
)
async def test_a_list_that_is_none_is_asked_for_again(answer: bytes) -> None:
    async with informed(Stream(page("10", pod("a", 9)), [stays], lists=[answer] * 3)) as informer:
        await eventually(known(informer, "a", "good"))


async def test_a_list_that_never_ends_is_asked_for_again() -> None:
    again = page("10", more="next")
    async with informed(Stream(page("10", pod("a", 9)), [stays], lists=[again] * 3)) as informer:
        await eventually(known(informer, "a"))


async def test_a_pod_that_can_not_be_read_stops_no_other_and_is_not_taken_for_gone() -> None:
    bad = {**pod("a", 12), "status": {"containerStatuses": "none"}}
    words = event("MODIFIED", bad) + event("ADDED", pod("b", 13))
    anew = says(words + event("ERROR", {"code": 410}))
    stream = Stream(page("20", bad, pod("c", 15)), [anew, stays], lists=[page("10", pod("a", 9))])
    async with informed(stream) as informer:
        await eventually(known(informer, "a", "c", "good"))

        async def gone() -> bool:
            return informer.of("default", "u")["b"].gone

        await eventually(gone)


async def test_what_is_no_pod_and_what_has_no_version_moves_nothing() -> None:
    words = b"".join(
        [
            event("BOOKMARK", {"kind": "Pod", "metadata": {}}),
            event("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": "0"}}),
            event("GREETING", pod("x", 60)),
            event("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": "11"}}),
            event("ADDED", {"kind": "ConfigMap", "metadata": {"name": "a", "resourceVersion": "50"}}),
        ]
    )
    stream = Stream(page("10"), [says(words), stays])
    async with informed(stream) as informer:
        await eventually(known(informer, "good"))
        assert "x" not in informer.of("default", "u")
    assert stream.asked == ["10", "11"]


@tries(150)
@given(st.binary(max_size=300) | NEST)
def test_any_line_is_taken_or_refused(line: bytes) -> None:
    told(line)


@tries(150)
@given(
    kind=st.sampled_from(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR", "X"]) | JSON, body=JSON | MAPS, meta=MAPS
)
def test_any_event_is_taken_or_refused(kind: Any, body: Any, meta: Any) -> None:
    told(orjson.dumps({"type": kind, "object": body}))
    told(
        orjson.dumps(
            {"type": kind, "object": {"metadata": {"name": "n", "resourceVersion": "7", **meta}, "spec": body}}
        )
    )
