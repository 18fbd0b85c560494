"""A reopened run keeps its start; its time limits count from when it was reopened."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tradewind.cli.starts.wanted import run_body
from tradewind.kube.resources import DAGS, RUNS
from tradewind.local.session import Session, session
from tradewind.model.duration import seconds
from worlds.world import World, eventually

Body = dict[str, Any]


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Session]:
    async with session(lambda: None, cwd=str(tmp_path)) as found:
        yield found


async def ended(here: Session, phase: str) -> Body:
    async def there() -> Body | None:
        status: Body = (await here.client.get(RUNS, "default", "one")).get("status") or {}
        return status if status.get("phase") == phase and status.get("finishedAt") else None

    found: Body = await eventually(there)
    return found


@pytest.mark.parametrize("tasks", [["bad"], ["pause", "bad"]])
async def test_a_run_that_is_taken_up_again_keeps_its_start(here: Session, tasks: list[str]) -> None:
    made = {
        "pause": {"wait": {"duration": "1s"}},
        "bad": {"dependsOn": ["pause"], "compute": {"x": "1 / (1 - params.n)"}},
        "when": {"dependsOn": ["pause"], "compute": {"at": "run.startedAt"}},
    }
    dag = World("embedded", Path(), "default", "").dag(
        "d", made, timeout="10m", params={"n": {"type": "integer", "default": 1}}
    )
    await here.client.create(DAGS, "default", dag)
    await here.client.create(RUNS, "default", run_body("d", {}, "one"))
    before = await ended(here, "Failed")
    assert before.get("reopenedAt") is None
    hour = timedelta(hours=1)
    began = (datetime.fromisoformat(before["startedAt"]) - hour).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    await here.client.patch(RUNS, "default", "one", {"status": {"startedAt": began}}, "status")
    edits = [
        {"action": "Clear", "tasks": ["pause", "when"], "downstream": False},
        {"action": "Succeed", "tasks": ["bad"], "outputs": {"bad": {"x": 1}}},
    ]
    await here.client.patch(RUNS, "default", "one", {"spec": {"edits": edits if "pause" in tasks else edits[1:]}})
    after = await ended(here, "Succeeded")
    assert after["startedAt"] == began and after["reopenedAt"] >= before["finishedAt"]
    assert seconds(after["duration"]) >= hour.total_seconds()
    if "pause" in tasks:
        assert after["outputs"]["when"] == {"at": began}
