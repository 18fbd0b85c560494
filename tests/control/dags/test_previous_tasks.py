"""What tasks wait for in the run before, looked up in the runs that exist."""

from collections.abc import Callable
from typing import Any

import pytest
from plan.game import defined
from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dagrun.run_index import Entry, entry
from tradewind.control.dagrun.state import RunState
from tradewind.control.dagrun.task_states import TaskStates
from tradewind.control.dags.previous_tasks import LOOK_AGAIN, SOON, PreviousTasks
from tradewind.kube.client import Client
from tradewind.kube.errors import NotFound
from tradewind.plan.dags.definition import Definition
from tradewind.plan.runs.planner import Planner

DEFINITION = defined({"a": {"waitForPrevious": True}})


def body(name: str, day: int, phase: str = "Running", attempts: str = "", **status: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": "ns", "uid": f"uid-{name}", "resourceVersion": "1"}
    meta["creationTimestamp"] = "2026-01-01T00:00:00Z"
    found = {"phase": phase, "revision": "d-1", "startedAt": "2026-01-01T00:00:00Z", "attempts": attempts, **status}
    return {"metadata": meta, "spec": {"dag": "d", "logicalDate": f"2026-05-{day:02}T00:00:00Z"}, "status": found}


class World(Client):
    """Runs, of which the last by date is the one before; the planner of another; who was woken."""

    def __init__(self, *bodies: dict[str, Any], definition: Definition = DEFINITION) -> None:
        self.bodies, self.definition = {item["metadata"]["name"]: item for item in bodies}, definition
        self.states: dict[str, RunState] = {}
        self.woken: list[str] = []
        self.delays: list[float] = []
        self.reads = self.loads = self.count = 0
        ends = TaskStates(self.load, self.states.get)
        self.tasks = PreviousTasks(self, self, ends, self.states, self.wake)  # type: ignore[arg-type]
        self.run = read_run(body("now", 20))
        self.planner = RunState(self.run).bind(DEFINITION, (), 0.0, 0.0)
        self.planner.decide(0.0)

    def wake(self, uid: str, delay: float) -> None:
        self.woken.append(uid)
        self.delays.append(delay)

    async def predecessor(self, run: Run) -> tuple[Entry | None, int]:
        found = [entry(read_run(item)) for item in self.bodies.values()]
        return max(found, key=lambda item: item.moment, default=None), self.count or len(found)

    def lost(self, namespace: str, run: Entry) -> None:
        del self.bodies[run.name]

    async def load(self, namespace: str, name: str) -> Definition:
        self.loads += 1
        if name != "d-1":
            raise NotFound(404, "NotFound", "there is none")
        return self.definition

    async def get(self, resource: Any, namespace: str, name: str) -> dict[str, Any]:
        self.reads += 1
        if self.bodies[name].get("gone"):
            raise NotFound(404, "NotFound", "it is gone")
        return self.bodies[name]

    async def waits(self) -> tuple[str, float | None]:
        """What the task waits for now, and when it is looked up again."""
        again = await self.tasks.inform(self.run, self.planner)
        plan = self.planner.decide(0.0)
        assert bool(plan.starts) != bool(plan.holds)
        return (plan.holds[0].message if plan.holds else ""), again

    def active(self, name: str, work: Callable[[Planner], None] = lambda planner: None) -> RunState:
        """A run in memory, with its planner."""
        state = self.states[f"uid-{name}"] = RunState(read_run(self.bodies[name]))
        state.confirm()
        work(state.bind(self.definition, (), 0.0, 0.0))
        assert state.planner is not None
        state.planner.decide(0.0)
        return state


DAY = "run first of 2026-05-01T00:00:00Z"


@pytest.mark.parametrize(
    ("phase", "attempts", "words"),
    [
        ("Succeeded", "a 0+1", ""),
        ("Failed", "a 0+1", ""),
        ("Succeeded", "a 0+1 SkippedItself", ""),
        ("Failed", "a 0+1 =1 Error", "Failed"),
        ("Failed", "", "Cancelled"),
    ],
)
async def test_an_ended_run_lets_a_task_start_if_its_own_succeeded_or_was_skipped(
    phase: str, attempts: str, words: str
) -> None:
    world = World(body("first", 1, phase, attempts))
    said = f"waits for a of {DAY}, which ended as {words} (waitForPrevious): retry or mark it, or delete that run"
    assert await world.waits() == ((said, LOOK_AGAIN) if words else ("", None))
    assert world.woken == []
    world.tasks.run_seen(read_run(world.bodies["first"]))
    assert world.woken == ["uid-now"]


async def test_the_first_run_and_a_task_that_is_new_do_not_wait() -> None:
    assert await World().waits() == ("", None)
    assert await World(body("first", 1, "Failed"), definition=defined({"other": {}})).waits() == ("", None)


async def test_a_run_that_has_not_begun_or_is_not_in_memory_is_waited_for() -> None:
    said = f"waits for a of {DAY} (waitForPrevious)"
    assert await World(body("first", 1, "Queued", revision="")).waits() == (said, LOOK_AGAIN)
    assert await World(body("first", 1)).waits() == (said, SOON)


async def test_an_active_run_lets_a_task_start_when_the_end_of_its_own_is_on_record() -> None:
    world = World(body("first", 1))
    state = world.active("first", lambda planner: planner.tell_previous("a", ""))
    said = f"waits for a of {DAY} (waitForPrevious)"
    assert await world.waits() == (said, LOOK_AGAIN)
    world.bodies["first"]["status"]["attempts"] = "a 0+1"
    world.bodies["first"]["metadata"]["resourceVersion"] = "2"
    state = world.active("first")
    assert await world.waits() == ("", None)
    assert world.reads == world.loads == 0, "what is in memory is not read"
    world.tasks.run_seen(state.run)
    assert world.woken == ["uid-now"]


async def test_a_run_that_is_gone_is_waited_for_no_more_and_the_one_before_it_counts() -> None:
    world = World(body("first", 1, "Failed", "a 0+1"), {**body("second", 2), "gone": True})
    words, again = await world.waits()
    assert "looked up" in words and again == SOON
    assert await world.waits() == ("", None)


async def test_a_run_that_cannot_be_read_is_named() -> None:
    words, again = await World(body("first", 1, "Failed", revision="gone")).waits()
    assert "(waitForPrevious), but the tasks of run first can't be read" in words and again == LOOK_AGAIN


async def test_of_many_runs_each_looks_less_often() -> None:
    world = World(body("first", 1, "Queued", revision=""))
    world.count = 10_000
    assert (await world.waits())[1] == 100.0


async def test_an_ended_run_is_read_once() -> None:
    world = World(body("first", 1, "Failed", "a 0+1 =1 Error"))
    for _ in range(3):
        assert "ended as Failed" in (await world.waits())[0]
    assert world.reads == world.loads == 1


async def test_a_dag_with_many_runs_is_looked_through_rarely_however_often_one_writes_its_status() -> None:
    world = World(body("first", 1))
    world.active("first", lambda planner: planner.tell_previous("a", ""))
    for world.count in (5, 20_000):
        await world.waits()
        for _ in range(3):
            world.tasks.run_seen(read_run(world.bodies["first"]))
    assert world.delays == [0.0005, 2.0]
