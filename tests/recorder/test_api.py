"""The read API: rows for who may list DAGRuns in their namespace, and nothing for anyone else."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tradewind.recorder import answers
from tradewind.recorder.api import TOKEN
from tradewind.recorder.logs.pieces import Cutter
from tradewind.recorder.logs.shelf import Attempt, Kept, Shelf
from tradewind.recorder.record import record_of
from tradewind.recorder.store.database import Database
from tradewind.recorder.store.queries import Wanted, every
from tradewind.recorder.store.writing import Batch, Place, write

from recorder.bodies import raw
from recorder.fakecluster import Fake, cluster

ROWS = [("a", "shop", "shop-1"), ("b", "shop", "shop-2"), ("c", "till", "till-1"), ("d", "gone", "gone-1")]
"""Name, namespace, and the namespace's uid: `a` is of a former one, and so is `d`."""


def fill(database: Database) -> None:
    runs = [
        (Place("cluster", uid, 0), record_of(raw(name, metadata={"namespace": namespace})))
        for name, namespace, uid in ROWS
    ]
    write(database, Batch(runs))


class Caller:
    def __init__(self, session: aiohttp.ClientSession, fake: Fake) -> None:
        self._session, self.fake = session, fake

    async def get(self, token: str | None, path: str = "/v1/runs", **query: str) -> tuple[int, Any]:
        return await self._call("GET", token, path, params=query)

    async def post(self, token: str | None, **body: Any) -> tuple[int, Any]:
        return await self._call("POST", token, "/v1/purge", json=body)

    async def _call(self, method: str, token: str | None, path: str, **more: Any) -> tuple[int, Any]:
        headers = {} if token is None else {TOKEN: f"Bearer {token}"}
        url = f"https://127.0.0.1:{self.fake.api_port}{path}"
        async with self._session.request(method, url, headers=headers, ssl=False, **more) as answer:
            return answer.status, await answer.json()


@asynccontextmanager
async def calling(database: Database, **more: Any) -> AsyncIterator[Caller]:
    fill(database)
    async with cluster(database, **more) as fake, aiohttp.ClientSession() as session:
        yield Caller(session, fake)


def names(answer: tuple[int, Any]) -> list[str]:
    assert answer[0] == 200, answer
    return sorted(run["name"] for run in answer[1]["runs"])


async def test_each_sees_what_the_api_server_lets_them_list(database: Database) -> None:
    async with calling(database) as call:
        assert names(await call.get("ada", namespace="shop")) == ["b"], "not the former namespace's"
        assert names(await call.get("bob", namespace="till")) == ["c"]
        assert names(await call.get("root")) == ["a", "b", "c", "d"]
        assert names(await call.get("root", namespace="shop")) == ["a", "b"]
        assert names(await call.get("root", namespace="gone")) == ["d"]


@pytest.mark.parametrize("query", [{}, {"uid": "uid-b"}, {"name": "b"}, {"dag": "etl"}, {"parts": "object"}])
async def test_another_namespace_is_refused_in_the_same_words_whether_it_has_rows_or_not(
    database: Database, query: dict[str, str]
) -> None:
    async with calling(database) as call:
        for token in ("bob", "eve"):
            found = [await call.get(token, namespace=name, **query) for name in ("shop", "nope")]
            assert [status for status, _ in found] == [403, 403]
            assert found[0][1]["message"].replace("shop", "nope") == found[1][1]["message"]
            assert (await call.get(token, **query))[0] == 403
            assert (await call.post(token, namespace="shop", **{k: v for k, v in query.items() if k != "parts"}))[
                0
            ] == 403
    assert len(list(every(database, Wanted()))) == 4


async def test_a_right_to_a_namespace_that_is_gone_or_new_shows_no_former_rows(database: Database) -> None:
    async with calling(database) as call:
        call.fake.listing["ada"] |= {"gone"}
        assert names(await call.get("ada", namespace="gone")) == []
        call.fake.uids["gone"] = "gone-2"
        assert names(await call.get("ada", namespace="gone")) == []
        write(database, Batch([(Place("c", "", 0), record_of(raw("e", metadata={"namespace": "gone"})))]))
        assert names(await call.get("ada", namespace="gone")) == [], "nobody's"


@pytest.mark.parametrize("token", [None, "", "nobody", "of-the-recorder", "ada\x00", "ä", "a b", "x" * 7_000])
async def test_without_a_token_that_the_api_server_knows_nothing_is_answered(
    database: Database, token: str | None
) -> None:
    async with calling(database) as call:
        try:
            status, body = await call.get(token, namespace="shop")
        except (ValueError, aiohttp.ClientError):
            return  # It can't even be sent.
        assert status == 401 and "runs" not in body


async def test_a_token_is_asked_about_once_a_minute(database: Database) -> None:
    async with calling(database) as call:
        for _ in range(5):
            await call.get("ada", namespace="shop")
        assert call.fake.asked["ada"] == 2, "everywhere, and in the namespace"


async def test_a_flood_of_invented_tokens_does_not_reach_the_api_server(database: Database) -> None:
    now = [0.0]
    async with calling(database, clock=lambda: now[0]) as call:
        found = [(await call.get(f"t-{n}", namespace="shop"))[0] for n in range(200)]
        assert found == [401] * 100 + [503] * 100 and call.fake.asked.total() == 100
        now[0] += 1.0
        assert names(await call.get("ada", namespace="shop")) == ["b"]


async def test_pages_and_parts(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async with calling(database) as call:
        seen: list[str] = []
        after = ""
        while True:
            status, page = await call.get("root", limit="3", parts="tasks,edits,object", after=after)
            assert status == 200 and page["runs"][0]["object"]["kind"] == "DAGRun" and page["runs"][0]["tasks"]
            seen += [run["name"] for run in page["runs"]]
            after = page["more"]
            if not after:
                break
            monkeypatch.setattr(answers, "LARGE_BYTES", 1)  # From here on, each object ends a page.
        assert sorted(seen) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"since": "yesterday"}, "since"),
        ({"parts": "logs"}, "parts: logs"),
        ({"phases": "Odd"}, "phases"),
        ({"after": "x"}, "after"),
        ({"namespace": "../x"}, "namespace"),
        ({"nonsense": "1"}, "nonsense"),
        ({"since": str(2**70)}, "since"),
    ],
)
async def test_what_can_t_be_asked_is_told(database: Database, query: dict[str, str], words: str) -> None:
    async with calling(database) as call:
        status, body = await call.get("root", **query)
        assert status == 400 and words in body["message"]


async def test_purging_needs_the_right_to_delete_and_leaves_an_audit_line(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with calling(database) as call:
        call.fake.listing["bob"] |= {"shop"}
        assert (await call.post("bob", namespace="shop"))[0] == 403
        with caplog.at_level(logging.INFO, "tradewind.audit"):
            assert await call.post("ada", namespace="shop", dag="etl") == (200, {"purged": 1})
        [record] = [record for record in caplog.records if record.name == "tradewind.audit"]
        assert '"user":"user-ada","purged":1,"namespace":"shop","dag":"etl"' in record.getMessage()
        assert names(await call.get("root")) == ["a", "c", "d"]


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"x": 1}', b'{"since": "x"}', b"9" * 100_000])
async def test_a_body_that_can_t_be_read_purges_nothing(database: Database, body: bytes) -> None:
    async with calling(database) as call, aiohttp.ClientSession() as session:
        url = f"https://127.0.0.1:{call.fake.api_port}/v1/purge"
        async with session.post(url, data=body, headers={TOKEN: "Bearer root"}, ssl=False) as answer:
            assert answer.status in (400, 413)
    assert len(list(every(database, Wanted()))) == 4


def put_log(database: Database, folder: Path, pod: str, namespace: str, uid: str, text: bytes) -> None:
    kept, cutter = Kept(), Cutter()
    shelf = Shelf(folder, database)
    for piece in [*cutter.feed(text), *cutter.end()]:
        shelf.add(kept, piece)
    run = {"shop-1": "uid-a", "shop-2": "uid-b", "till-1": "uid-c"}[uid]
    shelf.commit(Attempt(pod, run, namespace, uid, "r", "load", 1, pod, 1, 2), kept, "", 3)


async def test_logs_are_for_who_may_read_logs_of_pods_there(database: Database, tmp_path: Path) -> None:
    text = b"\xff\0line\n" * 200_000
    put_log(database, tmp_path, "p-a", "shop", "shop-1", b"former\n")
    put_log(database, tmp_path, "p-b", "shop", "shop-2", text)
    put_log(database, tmp_path, "p-c", "till", "till-1", b"of till\n")
    async with calling(database, folder=tmp_path) as call:
        status, found = await call.get("ada", "/v1/logs", namespace="shop", name="b")
        [log] = found["logs"]
        assert (status, log["bytes"], log["complete"]) == (200, len(text), True)
        read, first, parts = b"", 0, 0
        while first is not None:
            _, part = await call.get("ada", "/v1/log", namespace="shop", id=str(log["id"]), first=str(first))
            read, first, parts = read + part["text"].encode("latin-1"), part["next"], parts + 1
        assert read == text and parts > 1
        assert (await call.get("ada", "/v1/logs", namespace="shop", name="a"))[1] == {"logs": []}, (
            "a former namespace's"
        )
        for number in range(1, 6):
            status, body = await call.get("ada", "/v1/log", namespace="shop", id=str(number))
            assert (status == 200) is (number == log["id"]), body
            assert (await call.get("bob", "/v1/log", namespace="till", id=str(number)))[0] == 403, "may list, not read"
            assert (await call.get("eve", "/v1/log", namespace="shop", id=str(number)))[0] == 403
        assert (await call.get("bob", "/v1/logs", namespace="till", name="c"))[0] == 403
        assert (await call.get("root", "/v1/log", id="1"))[1]["text"] == "former\n"


async def test_a_log_that_is_damaged_or_gone_is_told(database: Database, tmp_path: Path) -> None:
    put_log(database, tmp_path, "p-b", "shop", "shop-2", b"x\n")
    async with calling(database, folder=tmp_path) as call:
        [path] = (tmp_path / "logs").glob("*.seg")
        path.write_bytes(b"damaged")
        assert (await call.get("ada", "/v1/log", namespace="shop", id="1"))[0] == 500
        path.unlink()
        assert (await call.get("ada", "/v1/log", namespace="shop", id="1"))[0] == 503
