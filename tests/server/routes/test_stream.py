"""The stream of changes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from tradewind.kube.client import Client
from tradewind.kube.resources import APPROVALS, DAGS, PODS, RUNS

from server.borders import Borders
from server.guest import Guest
from server.world import ADMIN, begun, revision


class Stream:
    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def event(self) -> tuple[str, Any]:
        """The next event and its data."""
        kind, data = "", None
        async with asyncio.timeout(60):
            while line := (await self._answer.content.readline()).decode():
                if line == "\n" and data is not None:
                    return kind, data
                name, _, text = line.rstrip("\n").partition(": ")
                if name == "event":
                    kind = text
                elif name == "data":
                    data = json.loads(text)
        return "end", None

    async def topics(self, wanted: set[str]) -> None:
        """Waits until all these topics have changed."""
        left = set(wanted)
        while left:
            kind, data = await self.event()
            assert kind == "topic", (kind, data)
            left.discard(data["topic"])


@asynccontextmanager
async def stream(there: Guest, *topics: str, **headers: str) -> AsyncIterator[Stream]:
    query = "&".join(f"topic={topic}" for topic in topics)
    async with there.http.get(f"{there.api}stream?{query}", headers=headers) as answer:
        assert answer.status == 200 and answer.content_type == "text/event-stream", await answer.text()
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        yield Stream(answer)


async def test_a_change_of_a_run_reaches_its_topics_and_no_others(there: Guest, client: Client) -> None:
    own = ("overview", "runs:a", "runs:", "run:a/etl-1", "dag:a/etl")
    others = ("runs:b", "run:b/secretive-1", "run:a/other", "approvals")
    await there.get("runs")
    async with stream(there, *own, *others) as found:
        await client.patch(RUNS, "a", "etl-1", {"spec": {"desiredState": "Suspended"}})
        left = set(own)
        while left:
            kind, data = await found.event()
            assert kind == "topic" and data["topic"] in own and data["version"] > 0
            left.discard(data["topic"])
    assert (await there.get("runs/a/etl-1"))["run"]["suspended"]


async def test_pods_of_a_run_that_is_looked_at_are_followed(there: Guest, client: Client) -> None:
    await there.get("runs/a/etl-1/tasks")
    async with stream(there, "run:a/etl-1") as found:
        await client.delete(PODS, "a", "etl-1-work-1", gracePeriodSeconds=0)
        await found.topics({"run:a/etl-1"})


async def test_other_kinds_have_topics_too(there: Guest, client: Client) -> None:
    await there.get("approvals")
    async with stream(there, "approvals", "dag:a/etl", "overview") as found:
        await client.patch(DAGS, "a", "etl", {"spec": {"suspend": True}})
        await found.topics({"dag:a/etl", "overview"})
        await client.patch(APPROVALS, "a", "etl-1-ask", {"spec": {"decision": "Approved", "by": "me"}})
        await found.topics({"approvals"})


async def test_what_begins_to_wait_is_told_though_somebody_has_just_asked(there: Guest, client: Client) -> None:
    tasks = {"timer": {"wait": {"duration": "1h"}}, "ask": {"approval": {"message": "go on?"}}}
    revised = await revision(client, "a", "odd", {"tasks": tasks})
    until = {"task": "timer", "reason": "Wait", "message": "waits until 2099-01-01T00:00:00Z"}
    asked = {"task": "ask", "reason": "Approval", "message": "waits for approval odd-ask: go on?"}
    async with stream(there, "overview") as heard:
        before = {share["cause"]: share["tasks"] for share in (await there.get("overview?namespace=a"))["waiting"]}
        await begun(client, "a", "odd", "odd", revised, {"waiting": [until, asked]})
        found: dict[str, int] = {}
        while "timer" not in found:
            await heard.topics({"overview"})
            found = {share["cause"]: share["tasks"] for share in (await there.get("overview?namespace=a"))["waiting"]}
    assert "timer" not in before and found["timer"] == 1 and found["person"] == before["person"] + 1


async def test_many_changes_are_few_events(there: Guest, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    await there.get("runs")
    async with stream(there, "runs:a") as found:
        for number in range(30):
            await client.patch(RUNS, "a", "etl-1", {"metadata": {"labels": {"n": str(number)}}})
        await client.patch(RUNS, "a", "etl-1", {"spec": {"desiredState": "Cancelled"}})
        seen = 0
        async with asyncio.timeout(60):
            while True:
                await found.event()
                seen += 1
                if (await there.get("runs?namespace=a"))["runs"][0]["stopping"]:
                    break
        assert seen < 20


async def test_a_stream_that_comes_back_reads_everything_again(there: Guest) -> None:
    async with stream(there, "overview", **{"Last-Event-ID": "old-7"}) as found:
        assert await found.event() == ("reset", {})


async def test_a_quiet_stream_shows_that_it_lives(there: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tradewind.server.routes.stream.HEARTBEAT", 0.05)
    monkeypatch.setattr("tradewind.server.routes.stream.LOOK", 0.05)
    async with there.http.get(f"{there.api}stream?topic=pools") as answer:
        async with asyncio.timeout(60):
            while await answer.content.readline() != b": \n":
                pass


async def test_a_stream_ends_when_the_right_does(
    there: Guest, cluster: Borders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tradewind.server.routes.stream.HEARTBEAT", 0.05)
    monkeypatch.setattr("tradewind.server.routes.stream.LOOK", 0.05)
    monkeypatch.setattr("tradewind.server.routes.stream.RECHECK", 0.0)
    monkeypatch.setattr("tradewind.server.access.LASTS", 0.0)
    await there.get("runs")
    cluster.users = dict(cluster.users)
    async with stream(there, "run:a/etl-1") as found:
        cluster.users[ADMIN] = []
        kind, data = await found.event()
        assert kind == "closed" and "you may not list dagruns" in data["detail"]
        assert (await found.event())[0] == "end"


async def test_too_many_streams_are_refused(there: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tradewind.server.web.events.STREAMS", 1)
    async with stream(there, "overview"):
        status, answer = await there.ask("GET", "stream?topic=overview")
        assert status == 429 and "close some tabs" in answer["detail"]
    async with asyncio.timeout(60):
        while there.service.hub.streams.total():
            await asyncio.sleep(0.01)


async def test_an_api_server_that_does_not_answer_is_told(
    there: Guest, cluster: Borders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tradewind.server.routes.stream.LOOK", 0.05)
    monkeypatch.setattr("tradewind.server.cache.follow.GRACE", 0.0)
    await there.get("me")
    async with stream(there, "overview") as found:
        cluster.away = True
        await cluster.end_watches()
        while (event := await found.event())[0] != "health":
            pass
        assert event[1]["behind"] >= 0
        assert "has not answered for" in (await there.get("me"))["problems"][0]["words"]
        cluster.away = False
        while (event := await found.event())[0] != "health":
            pass
        assert event[1]["behind"] == 0
