"""Logs of attempts, from pods that run here."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tradewind.kube.client import Client
from tradewind.kube.resources import DAGS, PODS, RUNS
from tradewind.local.session import session

from server.guest import Guest, guest
from server.world import typed

TASKS: dict[str, Any] = {
    "short": {"script": {"shell": "for i in 1 2 3 4 5; do echo line $i; done"}},
    "odd": {
        "script": {"shell": r"printf '\033[31mred\033[0m \377 <script>\n'; head -c 300000 /dev/zero | tr '\0' x; echo"}
    },
    "waits": {"script": {"shell": "while [ ! -e go ]; do sleep 0.05; done; echo gone"}},
    "none": {"wait": {"duration": "1ms"}},
}


@pytest.fixture
async def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    async with session(lambda: None, cwd=str(tmp_path)) as made:
        spec = {"defaults": {"image": "x"}, "tasks": TASKS}
        await made.client.apply(DAGS, "default", "d", typed(DAGS, "d", spec=spec))
        await made.client.create(RUNS, "default", typed(RUNS, "d-1", spec={"dag": "d"}))
        yield made.client


@pytest.fixture
async def local(here: Client) -> AsyncIterator[Guest]:
    async with guest(here, mode="local") as made:
        yield made


async def log(local: Guest, task: str, query: str = "") -> tuple[str, str, str]:
    """Kind, completeness and text, once there is a log."""
    async with asyncio.timeout(60):
        while True:
            async with local.http.get(f"{local.api}logs/default/d-1/{task}/1{query}") as answer:
                if answer.status == 200 and answer.headers["X-Tradewind-Log"] != "running":
                    return answer.content_type, answer.headers["X-Tradewind-Log"], await answer.text()


async def test_a_log_is_text_and_says_whether_it_is_whole(local: Guest) -> None:
    assert await log(local, "short") == ("text/plain", "complete", "".join(f"line {n}\n" for n in range(1, 6)))
    assert await log(local, "short", "?tail=2") == ("text/plain", "truncated", "line 4\nline 5\n")
    kind, _, text = await log(local, "short", "?download")
    assert kind == "application/octet-stream" and text.endswith("line 5\n")
    _, _, odd = await log(local, "odd")
    assert "<script>" in odd and "\x1b[31m" in odd and "x" * 300_000 in odd


async def test_what_has_no_log_says_why(local: Guest, here: Client) -> None:
    await log(local, "short")
    for path, words in (
        ("none/1", "has no pod, and so no log"),
        ("short/9", "has not started yet"),
        ("short/x", "write its number"),
        ("nothing/1", "has not started yet"),
    ):
        status, found = await local.ask("GET", f"logs/default/d-1/{path}")
        assert status in (400, 404) and words in found["detail"], found
    await here.patch(RUNS, "default", "d-1", {"spec": {"desiredState": "Terminated"}})
    async with asyncio.timeout(60):
        while (await local.get("runs/default/d-1"))["run"]["phase"] != "Cancelled":
            pass
        await here.delete(PODS, "default", "d-1-short-1", gracePeriodSeconds=0)
        while (found := await local.ask("GET", "logs/default/d-1/short/1"))[0] != 404:
            pass
    assert "gone" in found[1]["detail"]


async def test_a_log_is_followed_to_its_end(local: Guest, tmp_path: Path) -> None:
    async with asyncio.timeout(60):
        while (await local.ask("GET", "logs/default/d-1/waits/1"))[0] != 200:
            pass
    async with local.http.get(f"{local.api}logs/default/d-1/waits/1/follow") as answer:
        assert answer.content_type == "text/event-stream"
        (tmp_path / "go").touch()
        text = (await answer.read()).decode()
    assert 'data: ["gone"]' in text and "event: end" in text


async def test_a_busy_log_is_cut_and_counted(local: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tradewind.server.routes.logs.RATE", 15)
    await log(local, "short")
    async with local.http.get(f"{local.api}logs/default/d-1/short/1/follow") as answer:
        text = (await answer.read()).decode()
    skipped = [
        json.loads(part.partition("data: ")[2]) for part in text.split("\n\n") if part.startswith("event: skipped")
    ]
    assert 'data: ["line 1","line 2"]' in text and skipped == [{"lines": 3}]
