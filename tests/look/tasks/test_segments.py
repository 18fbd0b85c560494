"""Where the time before and between attempts went."""

import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cli.scene import Scene, main, scene
from tradewind.control.dags.revisions import Revisions
from tradewind.kube.labels import RUN_UID
from tradewind.kube.pod import parse_list
from tradewind.kube.resources import PODS, RUNS
from tradewind.look.run_view import look
from tradewind.look.tasks.columns import columns
from tradewind.look.tasks.segments import CAUSES
from tradewind.model.duration import stamp


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as made:
        yield made


async def waits(here: Scene, name: str, after: float = 0.0) -> dict[str, list[tuple[str, int]]]:
    """Causes and seconds by task; the last of a task that waits has 0 seconds."""
    run, view = await look(here.client, "default", name, Revisions(here.client))
    raw = await here.client.list_raw(PODS, "default", labelSelector=f"{RUN_UID}={run.uid}")
    pods = {pod.metadata.name: pod for pod in parse_list(raw).items}
    assert view is not None
    found = columns(view, pods, time.time() + after)
    return {
        key: [(CAUSES[row[at]], row[at + 1]) for at in range(0, len(row), 2)]
        for key, row in zip(found.key, found.waits, strict=True)
    }


async def test_the_end_of_the_last_dependency_divides_the_wait(here: Scene) -> None:
    tasks: dict[str, Any] = {"a": {}, "b": {}, "c": {"dependsOn": ["a", "b"]}}
    await here.run("x-1", tasks, {"attempts": "a 0+5\nb 2+8\nc 14+1"})
    assert await waits(here, "x-1") == {"a": [], "b": [("other", 2)], "c": [("dependencies", 10), ("other", 4)]}


async def test_time_between_attempts_is_back_off(here: Scene) -> None:
    await here.run("x-1", {"a": {"retries": {"limit": 3}}}, {"attempts": "a 0+5 =1 Error\na 20+5 #2"})
    assert await waits(here, "x-1") == {"a": [("back-off", 15)]}


async def test_a_pod_tells_scheduling_from_pulling(here: Scene) -> None:
    await here.run("x-1", {"a": {}})
    created = (await here.client.get(RUNS, "default", "x-1"))["metadata"]["creationTimestamp"]
    at = datetime.fromisoformat(created).timestamp()
    placed = {"type": "PodScheduled", "status": "True", "lastTransitionTime": stamp(at + 30)}
    state = main(running={"startedAt": stamp(at + 70)})
    await here.pod("x-1", "a", "n1", phase="Running", conditions=[placed], **state)
    found = dict((await waits(here, "x-1"))["a"])
    assert 25 <= found["scheduling"] <= 30 and found["image"] == 40


async def test_what_waits_now_ends_with_its_cause(here: Scene) -> None:
    full = [{"task": "b", "reason": "PoolFull", "message": "full"}]
    tasks: dict[str, Any] = {"a": {}, "b": {"dependsOn": ["a"], "pools": [{"name": "p"}]}, "c": {"dependsOn": ["b"]}}
    await here.run("x-1", tasks, {"attempts": "a 0+5", "waiting": full})
    assert await waits(here, "x-1", 100.0) == {
        "a": [],
        "b": [("dependencies", 5), ("pool", 0)],
        "c": [("dependencies", 0)],
    }


async def test_an_approval_is_a_wait_for_a_person(here: Scene) -> None:
    await here.run(
        "x-1", {"a": {"command": [], "approval": {"message": "?"}}}, {"attempts": "a 3+60", "phase": "Succeeded"}
    )
    assert await waits(here, "x-1") == {"a": [("other", 3), ("person", 60)]}


async def test_a_retried_run_has_no_negative_times(here: Scene) -> None:
    status = {"attempts": "a 0+5 =1 Error\na !1\na 4000+5 #2", "reopenedAt": "2030-01-01T00:00:00Z"}
    await here.run("x-1", {"a": {}, "b": {"dependsOn": ["a"]}}, status)
    assert all(seconds >= 0 for row in (await waits(here, "x-1")).values() for _, seconds in row)
