"""One sentence about a run, or a task, that names the true cause."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cli.scene import Scene, main, scene, scheduled
from tradewind.control.dags.revisions import Revisions
from tradewind.kube.resources import RUNS
from tradewind.look.run_view import look
from tradewind.look.tasks.why import of_run
from tradewind.look.waiting.reason import Cause
from tradewind.look.waiting.task_waits import waits

RUNNING = {"phase": "Running", **main(running={"startedAt": "2001-01-01T00:00:00Z"}), **scheduled(True)}
LATER = 100.0
"""Seconds after which the operator should have acted."""


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as made:
        yield made


async def why(here: Scene, name: str, after: float = 1.0) -> tuple[str, str]:
    """The sentence and the cause."""
    run, view = await look(here.client, "default", name, Revisions(here.client))
    found = of_run(run, view, time.time() + after)
    return found.sentence, found.cause


WAITING: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "pool": (
        {"a": {"pools": [{"name": "p"}]}},
        {"waiting": [{"task": "a", "reason": "PoolFull", "message": "Pool 'p': 1 of 1 slot is held"}]},
        "Pool 'p': 1 of 1 slot is held",
        "pool",
    ),
    "missing pool": (
        {"a": {"pools": [{"name": "p"}]}},
        {"waiting": [{"task": "a", "reason": "PoolMissing", "message": "there is no Pool 'p': create it"}]},
        "there is no Pool 'p': create it",
        "pool",
    ),
    "quota": (
        {"a": {}},
        {"waiting": [{"task": "a", "reason": "QuotaExceeded", "message": "exceeded quota: pods=1"}]},
        "exceeded quota: pods=1",
        "quota",
    ),
    "back-off": (
        {"a": {"retries": {"limit": 3, "backoff": {"initial": "1h", "max": "2h"}}}},
        {"attempts": "a 0+1 =1 Error"},
        "attempt 2 starts 3600 s after attempt 1 ended with Error",
        "back-off",
    ),
    "approval": (
        {"a": {"command": [], "approval": {"message": "go on?"}}},
        {"waiting": [{"task": "a", "reason": "Approval", "message": "waits for approval x-1-a: go on?"}]},
        "waits for approval x-1-a: go on?",
        "person",
    ),
    "operator down": ({"a": {}}, {}, "ready: the operator is to make its pod", "operator"),
}


@pytest.mark.parametrize("how", WAITING)
async def test_what_holds_a_task_is_named(here: Scene, how: str) -> None:
    tasks, status, words, cause = WAITING[how]
    await here.run("x-1", tasks, status)
    sentence, found = await why(here, "x-1", LATER)
    assert found == cause and sentence.startswith(f"a: {words}")


async def test_a_pod_that_does_not_start_is_named(here: Scene) -> None:
    await here.run("x-1", {"a": {}})
    await here.pod("x-1", "a", phase="Pending", **scheduled(False, "0/3 nodes are available: insufficient memory"))
    assert await why(here, "x-1") == ("a: 0/3 nodes are available: insufficient memory", "scheduling")
    pulling = {"reason": "ImagePullBackOff", "message": "no such image"}
    await here.run("y-1", {"a": {}})
    await here.pod("y-1", "a", "n1", phase="Pending", **main(waiting=pulling), **scheduled(True))
    sentence, cause = await why(here, "y-1")
    assert cause == "image" and "no such image" in sentence
    lacking = {"reason": "CreateContainerConfigError", "message": 'secret "s" not found'}
    await here.run("z-1", {"a": {}})
    await here.pod("z-1", "a", "n1", phase="Pending", **main(waiting=lacking), **scheduled(True))
    sentence, cause = await why(here, "z-1")
    assert cause == "configuration" and 'secret "s" not found' in sentence


async def test_a_run_that_can_not_begin_is_named(here: Scene) -> None:
    condition = {"type": "Started", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z", "message": "x"}
    for name, reason, words in (
        ("full-2", "ConcurrencyLimit", "it waits for full-1: maxActiveRuns is 1"),
        ("off-1", "DAGSuspended", "dag/off is suspended"),
        ("gone-1", "DAGNotFound", "there is no DAG gone"),
    ):
        await here.queued(name, "full", {"message": words, "conditions": [{**condition, "reason": reason}]})
        assert await why(here, name) == (words, "queued run")
    await here.queued("new-1", "new")
    sentence, cause = await why(here, "new-1")
    assert "no operator has taken it up" in sentence or "not taken it up yet" in sentence
    assert cause == "operator"


async def test_a_suspended_run_is_named(here: Scene) -> None:
    await here.run("x-1", {"a": {}})
    await here.client.patch(RUNS, "default", "x-1", {"spec": {"desiredState": "Suspended"}})
    sentence, cause = await why(here, "x-1")
    assert sentence == "it is suspended: nothing more starts until `tradewind resume x-1`" and cause == "person"


async def test_all_that_could_start_waits_for_the_run_to_be_resumed(here: Scene) -> None:
    asked = {"task": "ask", "reason": "Approval", "message": "waits for approval x-1-ask: go on?"}
    timer = {"task": "timer", "reason": "Wait", "message": "waits until 2026-01-01T00:00:00Z"}
    tasks = {
        "each": {"forEach": {"range": {"stop": 3}}},
        "later": {"command": [], "wait": {"duration": "1h"}},
        "ask": {"command": [], "approval": {"message": "go on?"}},
        "timer": {"command": [], "wait": {"duration": "1h"}},
    }
    await here.run("x-1", tasks, {"waiting": [asked, timer]})
    await here.client.patch(RUNS, "default", "x-1", {"spec": {"desiredState": "Suspended"}})
    _, view = await look(here.client, "default", "x-1", Revisions(here.client))
    assert view is not None
    found = {wait.task: wait for wait in waits(view, time.time())}
    words = "the run is suspended: `tradewind resume run/x-1`"
    assert {found[key].message for key in ("each[0]", "each[1]", "each[2]", "later")} == {words}
    assert {found[key].cause for key in ("each[0]", "each[2]", "later", "ask")} == {Cause.PERSON}
    assert found["ask"].message == asked["message"] and found["timer"].cause is Cause.RUNNING


async def test_what_to_do_speaks_of_what_there_is_to_do(here: Scene) -> None:
    ask = {"a": {"command": [], "approval": {"message": "go on?"}}}
    await here.run(
        "x-1", ask, {"waiting": [{"task": "a", "reason": "Approval", "message": "waits for approval x-1-a"}]}
    )
    run, view = await look(here.client, "default", "x-1", Revisions(here.client))
    assert of_run(run, view, time.time()).todo == "decide the approval: approve or reject it"
    await here.client.patch(RUNS, "default", "x-1", {"spec": {"desiredState": "Suspended"}})
    run, view = await look(here.client, "default", "x-1", Revisions(here.client))
    assert of_run(run, view, time.time()).todo == "resume the run"


async def test_what_is_lost_time_comes_before_what_runs_or_is_about_to(here: Scene) -> None:
    full = [{"task": "c", "reason": "PoolFull", "message": "Pool 'p': full"}]
    await here.run("x-1", {"a": {}, "b": {}, "c": {"pools": [{"name": "p"}]}}, {"waiting": full})
    await here.pod("x-1", "a", "n1", **RUNNING)
    assert await why(here, "x-1") == ("1 task runs; c: Pool 'p': full, and 1 more wait", "pool")


async def test_a_run_that_ends_says_how(here: Scene) -> None:
    await here.run("x-1", {"a": {}}, {"phase": "Failed", "message": "failed: a (Error)"})
    assert await why(here, "x-1") == ("failed: a (Error)", "Failed")
    await here.run("y-1", {"a": {}})
    await here.pod("y-1", "a", "n1", **RUNNING)
    await here.client.patch(RUNS, "default", "y-1", {"spec": {"desiredState": "Cancelled"}})
    assert (await why(here, "y-1"))[0] == "it is being stopped; 1 task runs"
