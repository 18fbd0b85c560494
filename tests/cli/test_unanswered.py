"""Commands that follow a run report that the operator has stopped reacting to it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tradewind.cli.main import main
from tradewind.cli.output.terminal import Console
from tradewind.cli.views.follow_run import follow
from tradewind.cli.views.screen import Screen
from tradewind.cli.views.unanswered import Reaction
from tradewind.control.dags.revisions import Revisions
from tradewind.kube.resources import RUNS
from tradewind.look.run_view import look

from cli.scene import Scene, scene
from cli.scene import main as container

Body = dict[str, Any]
AT = "2026-01-01T00:00:00Z"
ENDED = {"phase": "Succeeded"} | container(terminated={"exitCode": 0, "startedAt": AT, "finishedAt": AT})
RUNNING = {"phase": "Running"} | container(running={"startedAt": AT})
TASKS = {"a": {}, "b": {"dependsOn": ["a"]}}
SAID = "the operator has not reacted for 0s: is one running? `tradewind doctor` looks"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tradewind.cli.views.unanswered.PATIENCE", 0.0)
    monkeypatch.setattr("tradewind.cli.objects.wait_for.LOOK_AT_PODS", 0.0)
    monkeypatch.setattr("tradewind.cli.objects.wait_for.LOOK", 0.05)


SCENES: dict[str, tuple[Body, Body | None, Body, bool]] = {
    "a pod has ended": ({}, ENDED, {}, True),
    "a task is ready": ({}, None, {}, True),
    "all tasks have ended": ({"attempts": "a 0+1\nb 1+1"}, None, {}, True),
    "it is cancelled": ({}, RUNNING, {"desiredState": "Cancelled"}, True),
    "a pod runs": ({}, RUNNING, {}, False),
    "a task waits": ({"waiting": [{"task": "a", "reason": "PoolFull", "message": "full"}]}, None, {}, False),
    "it is suspended": ({}, None, {"desiredState": "Suspended"}, False),
}


@pytest.mark.parametrize("what", SCENES)
@pytest.mark.usefixtures("impatient")
async def test_what_the_operator_has_to_react_to(tmp_path: Path, what: str) -> None:
    status, pod, spec, owed = SCENES[what]
    async with scene(tmp_path) as here:
        await here.run("d-1", TASKS, status)
        if pod:
            await here.pod("d-1", "a", "n", **pod)
        await here.client.patch(RUNS, "default", "d-1", {"spec": spec})
        _, view = await look(here.client, "default", "d-1", Revisions(here.client))
        assert view
        reaction = Reaction()
        assert reaction.missing([view]) == (SAID if owed else "")
        assert reaction.missing([view]) == "", "said once"


async def test_every_sign_of_an_operator_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tradewind.cli.views.unanswered.PATIENCE", 100.0)
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    async with scene(tmp_path) as here:
        await here.run("d-1", {**TASKS, "c": {}})
        await here.pod("d-1", "a", "n", **ENDED)
        reaction, revisions = Reaction(), Revisions(here.client)

        async def missing_after(passed: float) -> str:
            _, view = await look(here.client, "default", "d-1", revisions)
            assert view
            clock[0] += passed
            return reaction.missing([view])

        assert await missing_after(0.0) == await missing_after(99.0) == ""
        await here.client.patch(RUNS, "default", "d-1", {"status": {"progress": "0/3"}}, "status")
        assert await missing_after(99.0) == ""
        await here.pod("d-1", "c", "n", **RUNNING)
        assert await missing_after(99.0) == ""
        assert "has not reacted for 1m40s" in await missing_after(100.0)


async def end_after_reads(here: Scene, count: int) -> None:
    """Ends the run after it was read some times more."""
    until = here.client.reads["dagruns"] + count
    while here.client.reads["dagruns"] < until:
        await asyncio.sleep(0.01)
    await here.client.patch(RUNS, "default", "d-1", {"status": {"phase": "Succeeded"}}, "status")


@pytest.mark.usefixtures("impatient")
async def test_watch_and_wait_report_it_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with scene(tmp_path) as here:
        await here.run("d-1", TASKS)
        await here.pod("d-1", "a", "n", **ENDED)
        arguments = ["wait", "d-1", "--timeout", "3s", "--kubeconfig", str(here.config)]
        with pytest.raises(Exception, match="has not ended within 3s"):
            await asyncio.to_thread(main, arguments, standalone_mode=False)
        assert capsys.readouterr().err.count(f"dagrun/d-1: {SAID}") == 1
        with Screen(Console(), "watch") as screen:
            await asyncio.gather(follow(here.client, "default", "d-1", screen), end_after_reads(here, 5))
        assert capsys.readouterr().out.count(f"run d-1: {SAID}") == 1
