"""How a task of another run has ended, by the planner of an active run, by the status of an ended one."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
import pytest
from plan.game import defined
from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dagrun.state import RunState
from tradewind.control.dagrun.task_states import (
    AGAIN,
    RUNS_KEPT,
    STATES_KEPT,
    NoSuchTask,
    TaskStates,
    TasksUnreadable,
)
from tradewind.control.pods.observation import Ended
from tradewind.control.sensors.cluster_probes import LatestRuns, RunProbe
from tradewind.kube.client import Client
from tradewind.kube.errors import NotFound
from tradewind.model.sensor import RunPoll
from tradewind.plan.dags.definition import Definition
from tradewind.plan.outcomes.attempt import Attempt
from tradewind.plan.runs.decision import Live

TASKS = {
    "a": {},
    "b": {"dependsOn": ["a"]},
    "c": {"dependsOn": ["a"], "when": "false"},
    "f": {"forEach": {"items": [1, 2]}},
    "g": {"dependsOn": ["a"], "forEach": {"items": [1, 2]}},
    "twice": {"retries": {"limit": 1}},
}


def run(phase: str, attempts: str = "", **more: Any) -> Run:
    """A run with these ended attempts in its status."""
    meta = {"name": "r", "namespace": "ns", "uid": "u", "resourceVersion": "1"}
    meta["creationTimestamp"] = "2026-01-01T00:00:00Z"
    status = {"phase": phase, "revision": "d-1", "startedAt": "2026-01-01T00:00:00Z", "attempts": attempts}
    return read_run({"metadata": meta, "spec": {"dag": "d"}, "status": {**status, **more}})


def states(active: RunState | None = None, **spec: Any) -> TaskStates:
    definition = defined(TASKS, **spec)

    async def load(namespace: str, name: str) -> Definition:
        if name != "d-1":
            raise NotFound(404, "NotFound", "there is none")
        return definition

    return TaskStates(load, {"u": active}.get)


async def ends(found: TaskStates, of: Run, *tasks: str) -> Mapping[str, str]:
    read = await found.read(of)
    return {task: read.of(task) for task in tasks or TASKS}


async def test_how_tasks_of_an_ended_run_ended_follows_from_its_status() -> None:
    ended = run("Failed", "a 0+1 =1 Error\nf[0] 0+1\nf[1] 0+1 =1 Error\ntwice 0+1 =1 Error\ntwice 2+1 #2")
    assert await ends(states(), ended, *TASKS, "f[0]", "f[1]", "g[1]") == {
        "a": "Failed",
        "b": "UpstreamFailed",
        "c": "UpstreamFailed",
        "f": "Failed",
        "g": "UpstreamFailed",
        "twice": "Succeeded",
        "f[0]": "Succeeded",
        "f[1]": "Failed",
        "g[1]": "UpstreamFailed",
    }
    assert (await ends(states(), run("Succeeded", "a 0+1"), "c")) == {"c": "Skipped"}


@pytest.mark.parametrize("phase", ["Failed", "Cancelled"])
async def test_a_task_that_an_ended_run_never_ran_is_cancelled(phase: str) -> None:
    assert set((await ends(states(), run(phase))).values()) == {"Cancelled"}
    assert set((await ends(states(), run(phase, revision=""))).values()) == {"Cancelled"}


async def test_a_task_of_an_active_run_has_ended_when_its_planner_says_so_and_not_before_it_is_on_record() -> None:
    going = run("Running", "f[0] 0+1\ntwice 0+1 =1 Error")
    active = RunState(going)
    assert set((await ends(states(), going)).values()) == {""}, "it is not in memory"
    assert set((await ends(states(active), going)).values()) == {""}, "it has not been read again"
    active.confirm()
    planner = active.bind(defined(TASKS, failFast=True), (), 0.0, 0.0)
    planner.tell_live("f[1]", Live(1))
    planner.decide(0.0)
    assert await ends(states(active), going, "a", "f", "f[0]", "f[1]", "twice") == {
        "a": "",
        "f": "",
        "f[0]": "Succeeded",
        "f[1]": "",
        "twice": "",
    }
    active.finish(Ended(Attempt("a", 1, 0, 1, "Error", 1)), 0.0)
    planner.decide(0.0)
    assert planner.ledger.states["a"] == "Failed"
    assert (await ends(states(active), going, "a", "b", "f[1]")) == {"a": "", "b": "UpstreamFailed", "f[1]": ""}
    active.attempts.news.clear()
    assert await ends(states(active), going, "a", "f[1]") == {"a": "Failed", "f[1]": ""}, (
        "a pod lives, although the run fails fast"
    )


@pytest.mark.parametrize(
    ("task", "problem"),
    [
        ("z", "run r of DAG d has no task z"),
        ("a[0]", "a of run r is no fan-out: name it without an index"),
        ("f[2]", "f of run r has 2 items, counted from 0"),
    ],
)
async def test_a_task_that_the_run_does_not_have_is_named(task: str, problem: str) -> None:
    read = await states().read(run("Succeeded", "a 0+1\nf[0] 0+1\nf[1] 0+1"))
    with pytest.raises(NoSuchTask, match=problem):
        read.of(task)


@pytest.mark.parametrize("status", [{"revision": "gone"}, {"attempts": "what is this"}])
async def test_a_run_that_cannot_be_read_says_so(status: dict[str, str]) -> None:
    with pytest.raises(TasksUnreadable, match="the tasks of run r can't be read: "):
        await states().read(run("Succeeded", **status))


class OneRun(Client):
    """An API server that has one run, and counts how often a revision is loaded."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.body, self.loads = body, 0

    async def list_raw(self, resource: Any, namespace: str | None = None, **query: Any) -> bytes:
        return orjson.dumps({"metadata": {}, "items": [self.body]})

    async def load(self, namespace: str, name: str) -> Definition:
        self.loads += 1
        return defined(TASKS)


async def test_an_ended_run_is_read_once_for_each_of_its_versions() -> None:
    meta = {"name": "r", "namespace": "ns", "uid": "u", "resourceVersion": "1"}
    meta["creationTimestamp"] = "2026-01-01T00:00:00Z"
    status: dict[str, Any] = {"phase": "Failed", "revision": "d-1", "attempts": "a 0+1 =1 Error"}
    client = OneRun({"metadata": meta, "spec": {"dag": "d"}, "status": status})
    now = 0.0
    runs, states = LatestRuns(client, lambda: now), TaskStates(client.load, lambda uid: None)
    probe = RunProbe(runs, "ns", RunPoll(dag="d", task="a"), "", states)
    assert probe.what == "task a of a run of DAG d"
    for _ in range(3):
        assert await probe.ask() == {"phase": "Failed", "name": "r", "results": {}, "state": "Failed"}
    assert client.loads == 1
    client.body = {
        **client.body,
        "metadata": {**meta, "resourceVersion": "2"},
        "status": {**status, "attempts": "a 0+1"},
    }
    now = 2.0
    assert (await probe.ask())["state"] == "Succeeded"


class Counting:
    """Loads the definition of a fan-out of any length, in several steps, and counts that."""

    def __init__(self) -> None:
        self.loads, self.now = 0, 0.0

    async def load(self, namespace: str, name: str) -> Definition:
        self.loads += 1
        await asyncio.sleep(0)
        if name == "gone":
            raise NotFound(404, "NotFound", "there is none")
        return defined({"f": {"forEach": {"range": {"stop": 1_000}}}})


async def test_thousands_that_ask_at_once_for_tasks_of_an_ended_run_share_one_reading() -> None:
    counting = Counting()
    found = TaskStates(counting.load, lambda uid: None)
    ended = run("Succeeded", "\n".join(f"f[{at}] 0+1" for at in range(1_000)))
    reads = await asyncio.gather(*(found.read(ended) for _ in range(100)))
    assert {read.of(f"f[{at}]") for at, read in enumerate(reads)} == {"Succeeded"}
    assert counting.loads == 1
    remembered = found.remembered("u", ended.version)
    assert remembered is not None and remembered.of("f") == "Succeeded"
    assert found.remembered("u", 2) is None


async def test_as_many_states_of_ended_runs_are_kept_as_there_is_room_for() -> None:
    counting = Counting()
    found = TaskStates(counting.load, lambda uid: None)
    versions = [replace(run("Failed"), version=at) for at in range(STATES_KEPT // 1_000 + 5)]
    for version in versions:
        await found.read(version)
    assert [found.remembered("u", at) is None for at in range(7)] == [True] * 6 + [False]
    for at in range(RUNS_KEPT + 1):
        with pytest.raises(TasksUnreadable):
            await found.read(replace(run("Failed", revision="gone"), version=10_000 + at))
    assert found.remembered("u", versions[-1].version) is None


async def test_a_run_that_can_not_be_read_is_read_again_after_a_while() -> None:
    counting = Counting()
    found = TaskStates(counting.load, lambda uid: None, lambda: counting.now)
    for now, loads in ((0.0, 1), (AGAIN, 1), (AGAIN + 1, 2)):
        counting.now = now
        with pytest.raises(TasksUnreadable, match="the tasks of run r can't be read: 404"):
            await found.read(run("Failed", revision="gone"))
        assert counting.loads == loads
