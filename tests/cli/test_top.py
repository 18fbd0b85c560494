"""`tradewind top`: what the tasks of all active runs wait for."""

import asyncio
import json
import os
import pty
import signal
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tradewind.control.dags.revisions import Revisions
from tradewind.kube.resources import RUNS
from tradewind.look.waiting.survey import survey
from tradewind.model.duration import stamp

from cli.scene import Scene, main, scene, scheduled

RUNNING = {"phase": "Running", **main(running={"startedAt": "2001-01-01T00:00:00Z"}), **scheduled(True)}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as made:
        yield made


async def top(here: Scene, *flags: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Causes and runs, by name."""
    data = json.loads(await here.tradewind("top", "-o", "json", *flags))
    return {item["cause"]: item for item in data["causes"]}, {item["run"]: item for item in data["runs"]}


async def test_each_task_that_has_not_ended_is_attributed_to_one_cause(here: Scene) -> None:
    backoff = {"retries": {"limit": 3, "backoff": {"initial": "1h", "max": "2h"}}}
    tasks = {
        "load": {},
        "works": {"dependsOn": ["load"]},
        "after": {"dependsOn": ["works"]},
        "each": {"dependsOn": ["works"], "forEach": {"range": {"stop": 3}}},
        "homeless": {},
        "imageless": {},
        "made": {},
        "keyless": {},
        "again": backoff,
        "first": {"pools": [{"name": "p"}]},
        "second": {"pools": [{"name": "p"}]},
        "free": {},
    }
    words = "Pool 'p': 1 of 1 slot is held; 2 tasks of this run wait"
    status = {
        "attempts": "load 0+5\nagain 0+1 =1 Error",
        "waiting": [
            {"task": "again", "reason": "BackOff", "message": "old"},
            {"task": "first", "reason": "PoolFull", "message": words},
        ],
    }
    await here.run("all-1", tasks, status)
    await here.pod("all-1", "works", "n1", **RUNNING)
    await here.pod("all-1", "homeless", phase="Pending", **scheduled(False, "0/1 nodes are available"))
    pulling = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}
    await here.pod("all-1", "imageless", "n1", phase="Pending", **main(waiting=pulling), **scheduled(True))
    making = {"reason": "ContainerCreating"}
    await here.pod("all-1", "made", "n1", phase="Pending", **main(waiting=making), **scheduled(True))
    lacking = {"reason": "CreateContainerConfigError", "message": 'secret "s" not found'}
    await here.pod("all-1", "keyless", "n1", phase="Pending", **main(waiting=lacking), **scheduled(True))
    causes, runs = await top(here)
    assert {name: (item["tasks"], item["example"]["task"]) for name, item in causes.items()} == {
        "dependencies": (2, "after"),
        "back-off": (1, "again"),
        "pool": (2, "first"),
        "operator": (1, "free"),
        "scheduling": (1, "homeless"),
        "image": (2, "imageless"),
        "configuration": (1, "keyless"),
        "running": (1, "works"),
    }
    assert causes["dependencies"]["longestSeconds"] is None and causes["running"]["longestSeconds"] > 1e8
    assert causes["image"]["longestSeconds"] > 1e8, "counted from when the pod got its node"
    assert runs["all-1"]["tasks"] == {name: item["tasks"] for name, item in causes.items()}
    assert runs["all-1"]["longest"]["message"].startswith("the image can't be pulled: Back-off pulling image")
    text = await here.tradewind("top")
    assert "1 run is active in namespace default; tasks: 1 running, 8 blocked, 2 waiting for dependencies" in text
    assert "all-1/first" in text and "LONGEST WAITS" in text


async def test_what_parallelism_or_a_quota_holds_back_is_told_apart(here: Scene) -> None:
    items = {"each": {"forEach": {"range": {"stop": 5}, "parallelism": 2}}}
    await here.run("fan-1", items)
    await here.pod("fan-1", "each[0]", "n1", **RUNNING)
    await here.pod("fan-1", "each[1]", "n1", **RUNNING)
    await here.run("narrow-1", {"a": {}, "b": {}, "c": {}, "d": {"pools": [{"name": "p"}]}}, parallelism=2)
    await here.pod("narrow-1", "a", "n1", **RUNNING)
    full = [{"task": "a", "reason": "QuotaExceeded", "message": "exceeded quota: pods=1"}]
    await here.run("poor-1", {"a": {}, "b": {}}, {"waiting": full})
    refused = [{"task": "a", "reason": "NoPermission", "message": "the operator may not create pods here"}]
    await here.run("refused-1", {"a": {}}, {"waiting": refused})
    _, runs = await top(here)
    assert {name: item["tasks"] for name, item in runs.items()} == {
        "fan-1": {"parallelism": 3, "running": 2},
        "narrow-1": {"parallelism": 2, "operator": 1, "running": 1},
        "poor-1": {"quota": 2},
        "refused-1": {"quota": 1},
    }
    assert runs["fan-1"]["longest"]["message"] == "3 wait their turn: forEach.parallelism of task each is 2"
    assert runs["poor-1"]["longest"]["message"] == "exceeded quota: pods=1"


async def test_runs_that_have_not_begun_wait_since_their_creation(here: Scene) -> None:
    condition = {"type": "Started", "status": "False", "reason": "ConcurrencyLimit", "message": "full"}
    condition |= {"lastTransitionTime": "2026-01-01T00:00:00Z"}
    await here.queued("full-2", "full", {"message": "it waits for full-1", "conditions": [condition]})
    await here.queued("new-1", "new")
    _, runs = await top(here)
    assert runs["full-2"]["tasks"] == {"queued run": 1} and runs["new-1"]["tasks"] == {"operator": 1}
    longest = runs["full-2"]["longest"]
    assert longest["reason"] == "ConcurrencyLimit" and longest["message"] == "it waits for full-1"
    created = (await here.client.get(RUNS, "default", "full-2"))["metadata"]["creationTimestamp"]
    assert longest["since"] == created


async def test_a_task_that_could_start_waits_since_its_last_dependency_ended(here: Scene) -> None:
    tasks = {"a": {}, "b": {}, "c": {"dependsOn": ["a", "b"]}}
    await here.run("late-1", tasks, {"attempts": "a 0+5\nb 0+90", "startedAt": "2001-01-01T00:00:00Z"})
    created = (await here.client.get(RUNS, "default", "late-1"))["metadata"]["creationTimestamp"]
    _, runs = await top(here)
    longest = runs["late-1"]["longest"]
    assert longest["task"] == "c" and longest["since"] == _later(created, 90)


def _later(at: str, seconds: int) -> str:
    return stamp(datetime.fromisoformat(at).timestamp() + seconds)


async def test_runs_that_have_ended_and_other_dags_are_left_out(here: Scene) -> None:
    assert (await here.tradewind("top")).strip() == "no run is active in namespace default"
    assert (await here.tradewind("top", "-A")).strip() == "no run is active in any namespace"
    nothing = (await here.tradewind("top", "--dag", "one")).strip()
    assert nothing == "no run of DAG one is active in namespace default"
    await here.run("done-1", {"a": {}}, {"phase": "Succeeded"})
    await here.run("one-1", {"a": {}})
    await here.run("other-1", {"a": {}})
    _, runs = await top(here, "--dag", "one")
    assert set(runs) == {"one-1"}
    assert set((await top(here, "-A"))[1]) == {"one-1", "other-1"}
    assert "default/one-1/a" in await here.tradewind("top", "-A")


async def test_a_run_that_can_not_be_read_does_not_hide_the_others(here: Scene) -> None:
    await here.run("odd-1", {"a": {}}, {"attempts": "nonsense"})
    await here.run("lost-1", {"a": {}}, {"revision": "gone"})
    await here.run("good-1", {"a": {}})
    _, runs = await top(here)
    assert runs["odd-1"]["longest"]["reason"] == "StatusUnreadable"
    assert runs["lost-1"]["longest"]["reason"] == "RevisionLost"
    assert runs["good-1"]["longest"]["reason"] == "Ready"


async def test_many_runs_share_requests(here: Scene) -> None:
    for number in range(250):
        await here.run(f"many-{number}", {"a": {}, "b": {"dependsOn": ["a"]}})
    here.client.reads.clear()
    found = await survey(here.client, "default", None, Revisions(here.client), time.time())
    assert len(found) == 250 and all(len(item.waits) == 2 for item in found)
    assert here.client.reads == {"dagruns": 1, "controllerrevisions": 1, "pods": 3}
    text = await here.tradewind("top")
    assert "and 235 more runs in which something waits" in text


async def test_watch_looks_again_and_leaves_the_terminal_as_it_was(here: Scene) -> None:
    ours, theirs = pty.openpty()
    process = await here.start("top", "--watch", stdin=theirs, stdout=theirs)
    os.close(theirs)
    shown = bytearray()
    loop = asyncio.get_running_loop()
    grown = asyncio.Event()

    def read() -> None:
        try:
            shown.extend(os.read(ours, 65536))
        except OSError:  # Linux reports a closed other side this way
            loop.remove_reader(ours)
        grown.set()

    async def until(words: bytes) -> None:
        async with asyncio.timeout(100):
            while words not in shown:
                grown.clear()
                await grown.wait()

    loop.add_reader(ours, read)
    try:
        await until(b"no run is active")
        await here.run("seen-1", {"a": {}})
        await until(b"seen-1/a")
        process.send_signal(signal.SIGINT)
        told = (await process.communicate())[1]
        assert process.returncode == 0 and told == b""
        await until(b"\x1b[?1049l")
        assert bytes(shown).rpartition(b"\x1b[?1049l")[2].count(b"seen-1/a") >= 1, "the last look stays"
    finally:
        loop.remove_reader(ours)
        os.close(ours)
