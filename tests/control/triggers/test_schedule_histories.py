"""Histories of restarts, faults and clocks: at most one run per tick, and none lost that the policy wants."""

import asyncio
import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind.control.dagrun.run import read_run
from tradewind.control.triggers.sources.schedule import suffix
from tradewind.kube.labels import HOW, TRIGGER
from tradewind.kube.resources import DAGS, RUNS, TRIGGERS
from tradewind.kube.work_queue import WorkQueue
from tradewind.model.schedule import Schedule
from tradewind.plan.triggers.calendar import Calendar

from control.triggerworld import Operator, Server, server

START = datetime(2026, 10, 24, 22, 0, 30, tzinfo=UTC).timestamp()
"""The evening before Paris returns to winter time."""
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["look", "look", "look", "save", "crash", "crash while looking"]),
        st.sampled_from([0, 1, 15, 40, 61, 300, 900, 3_700]),
        st.lists(st.sampled_from(["", "", "before", "after"]), max_size=3),
    ),
    min_size=1,
    max_size=40,
)
CRONS = st.sampled_from(["*/10 * * * *", "30 2 * * *", "0 * * * *", "*/30 1-3 * * *", "7 */2 * * *"])


@dataclass
class History:
    """The history: finished passes, as times of the clock."""

    server: Server
    looks: list[float] = field(default_factory=list)
    tries: list[float] = field(default_factory=list)
    """All passes."""

    async def play(self, steps: list[tuple[str, int, list[str]]]) -> None:
        operator = Operator(self.server)
        for what, later, faults in [*steps, ("look", 0, []), ("save", 0, [])]:
            self.server.now += later
            self.server.faults = list(faults)
            if what != "save":
                self.tries.append(self.server.now)
            if what == "look":
                if await operator.look("t"):
                    self.looks.append(self.server.now)
            elif what == "save":
                await operator.save("t")
            else:
                if what == "crash while looking":
                    await operator.look("t")
                operator = Operator(self.server)
        self.server.faults = []


def ticks(cron: str, until: float) -> list[datetime]:
    calendar = Calendar(Schedule(cron=cron, time_zone="Europe/Paris"))
    found = []
    for tick in calendar.after(datetime.fromtimestamp(START, UTC)):
        if tick.timestamp() > until:
            return found
        found.append(tick)
    return found


def played(
    policy: str, cron: str, steps: list[tuple[str, int, list[str]]], **more: Any
) -> tuple[History, list[str], list[datetime]]:
    history = History(
        server(START, "t", cron=cron, timeZone="Europe/Paris", missed={"policy": policy, "limit": 1000}, **more)
    )
    asyncio.run(history.play(steps))
    return history, [name.removeprefix("t-") for name in history.server.log], ticks(cron, history.server.now)


@settings(max_examples=150, deadline=None)
@given(CRONS, STEPS)
def test_all_makes_a_run_of_every_tick(cron: str, steps: list[tuple[str, int, list[str]]]) -> None:
    _, made, there = played("All", cron, steps)
    assert sorted(made) == [suffix(tick) for tick in there]


@settings(max_examples=150, deadline=None)
@given(CRONS, STEPS)
def test_none_makes_the_runs_of_ticks_that_someone_looked_at_in_time(
    cron: str, steps: list[tuple[str, int, list[str]]]
) -> None:
    history, made, there = played("None", cron, steps)
    assert len(made) == len(set(made))
    for tick in there:
        lateness = [look - tick.timestamp() for look in history.tries if look >= tick.timestamp()]
        complete = [look - tick.timestamp() for look in history.looks if look >= tick.timestamp()]
        if complete and complete[0] <= 60:
            assert suffix(tick) in made
        if not lateness or lateness[0] > 60:
            assert suffix(tick) not in made


@settings(max_examples=150, deadline=None)
@given(CRONS, STEPS)
def test_last_has_the_latest_tick_whenever_someone_has_looked(
    cron: str, steps: list[tuple[str, int, list[str]]]
) -> None:
    history, made, there = played("Last", cron, steps)
    assert len(made) == len(set(made)) and set(made) <= {suffix(tick) for tick in there}
    for look in history.looks:
        if before := [tick for tick in there if tick.timestamp() <= look]:
            assert suffix(before[-1]) in made


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(-5_000, 5_000))
def test_a_clock_that_is_set_makes_no_tick_run_twice_and_loses_none(
    steps: list[tuple[str, int, list[str]]], step: int
) -> None:
    history = History(server(START, "t", cron="*/10 * * * *", missed={"policy": "All", "limit": 1000}))

    async def play() -> None:
        await history.play(steps)
        history.server.now += step
        await history.play([("look", 0, []), ("crash", 0, []), ("look", 0, [])])
        history.server.now -= step
        await history.play([("look", 0, [])])

    asyncio.run(play())
    furthest = max(history.tries)
    made = [name.removeprefix("t-") for name in history.server.log]
    assert sorted(made) == [suffix(tick) for tick in ticks("*/10 * * * *", furthest)]


def body(server: Server) -> Any:
    return server.objects[TRIGGERS.plural, "t"]


def at(minutes: float) -> float:
    return START + minutes * 60


def names(server: Server) -> list[str]:
    return [name.removeprefix("t-20261024-") for name in server.log]


async def settle(server: Server, minutes: float, operator: Operator | None = None) -> Operator:
    server.now = at(minutes)
    operator = operator or Operator(server)
    assert await operator.look("t") and await operator.save("t")
    return operator


async def test_a_schedule_that_is_edited_makes_no_runs_for_the_past() -> None:
    there = server(START, "t", cron="0 * * * *", missed={"policy": "All"})
    await settle(there, 61)
    assert names(there) == ["2300"]
    body(there)["spec"]["schedule"]["cron"] = "*/10 * * * *"
    body(there)["metadata"]["generation"] = 2
    await settle(there, 62)
    assert names(there) == ["2300"]
    await settle(there, 70)
    assert names(there) == ["2300", "2310"]


async def test_other_edits_keep_the_ticks_that_are_due() -> None:
    there = server(START, "t", cron="*/10 * * * *", missed={"policy": "All"})
    await settle(there, 5)
    body(there)["spec"]["priority"] = 7
    body(there)["metadata"]["generation"] = 2
    await settle(there, 25)
    assert names(there) == ["2210", "2220"]


async def test_a_run_whose_making_nobody_answered_forbids_the_next_tick() -> None:
    there = server(START, "t", cron="*/10 * * * *", concurrency="Forbid")
    operator = await settle(there, 5)
    there.now, there.faults = at(11), ["after"]
    assert not await operator.look("t") and names(there) == ["2210"]
    await settle(there, 12, operator)
    await settle(there, 21, operator)
    assert names(there) == ["2210"]


@pytest.mark.parametrize("whose", ["trigger", "dag"])
async def test_what_a_suspension_kept_from_running_is_not_made_up_for(whose: str) -> None:
    there = server(START, "t", cron="*/10 * * * *", missed={"policy": "All"})
    target = body(there) if whose == "trigger" else there.objects[DAGS.plural, "d"]
    await settle(there, 11)
    target["spec"]["suspend"] = True
    body(there)["metadata"]["generation"] = 2
    await settle(there, 12)
    assert body(there)["status"]["phase"] == "Suspended" and "not made up for" in body(there)["status"]["message"]
    await settle(there, 31)
    target["spec"]["suspend"] = False
    body(there)["metadata"]["generation"] = 3
    await settle(there, 35)
    await settle(there, 41)
    assert names(there) == ["2210", "2240"]


async def test_ticks_wait_for_a_dag_that_is_not_there_yet() -> None:
    there = server(START, "t", cron="*/10 * * * *", missed={"policy": "All"})
    dag = there.objects.pop((DAGS.plural, "d"))
    operator = await settle(there, 25)
    assert body(there)["status"]["phase"] == "Waiting" and "there is no DAG 'd'" in body(there)["status"]["message"]
    there.put(DAGS, dag)
    operator.triggers.dags.seen(dag, False)
    await settle(there, 26, operator)
    assert names(there) == ["2210", "2220"] and body(there)["status"]["phase"] == "Active"


async def test_a_bad_param_is_told_with_its_field_and_nothing_fires() -> None:
    there = server(START, "t", cron="*/10 * * * *")
    body(there)["spec"]["params"] = {"region": "north"}
    await settle(there, 11)
    assert names(there) == []
    assert body(there)["status"]["phase"] == "Invalid"
    assert "spec.params.region: no such param; DAG d declares: none" in body(there)["status"]["message"]


async def test_the_status_says_when_it_fired_and_when_it_will() -> None:
    there = server(START, "t", cron="0 */6 * * *", timeZone="Europe/Paris")
    await settle(there, 0)
    assert body(there)["status"]["next"] == "2026-10-25T06:00:00+01:00"
    await settle(there, 421)
    status = body(there)["status"]
    assert status["lastRun"] == {"name": "t-20261025-0500", "at": "2026-10-25T05:01:30Z"}
    assert status["schedule"]["lastTick"] == "2026-10-25T06:00:00+01:00"
    assert status["schedule"]["nextTicks"][:2] == ["2026-10-25T12:00:00+01:00", "2026-10-25T18:00:00+01:00"]


async def test_a_run_is_not_given_to_be_deleted_before_it_is_written_down_that_it_was_made() -> None:
    there = server(START, "t", cron="*/10 * * * *")
    there.now = at(11)
    operator, told = Operator(there), []
    await operator.look("t")
    [run] = operator.triggers.unfinished(("ns", "t"))
    operator.triggers.when_settled(run, told.append)
    assert told == []
    await operator.save("t")
    assert told == [run]


async def test_a_status_that_is_set_back_is_written_anew_and_no_tick_gets_a_second_run() -> None:
    there = server(START, "t", every="60s", end=datetime.fromtimestamp(START + 90, UTC).isoformat())
    operator = Operator(there)
    there.now += 100
    assert await operator.look("t") and await operator.save("t")
    before = copy.deepcopy(there.objects[TRIGGERS.plural, "t"]["status"])
    assert before["phase"] == "Done" and len(there.log) == 1
    body = there.put(TRIGGERS, {**there.objects[TRIGGERS.plural, "t"], "status": {}})
    triggers = operator.triggers
    triggers.queue, triggers.saving = WorkQueue("empty"), WorkQueue("empty")
    triggers.seen(orjson.loads(orjson.dumps(body)), False)
    working = [
        asyncio.ensure_future(triggers.queue.work(triggers.reconcile, triggers.failed)),
        asyncio.ensure_future(triggers.saving.work(triggers.save, triggers.failed)),
    ]
    async with asyncio.timeout(100):
        while there.objects[TRIGGERS.plural, "t"]["status"] != before:
            await asyncio.sleep(0.01)
    for task in working:
        task.cancel()
    assert len(there.log) == 1


@pytest.mark.parametrize("name", ["mine", "t-20261024-2300"])
async def test_a_run_with_a_triggers_labels_does_not_hold_up_its_ticks(name: str) -> None:
    """Users who create a run write its labels. Only the run of a tick, which has its name, forbids the next one."""
    world = server(START, "t", cron="*/10 * * * *", concurrency="Forbid")
    operator = Operator(world)
    meta = {"name": name, "labels": {HOW: "schedule", TRIGGER: "t"}}
    operator.triggers.run_seen(read_run(world.put(RUNS, {"metadata": meta, "spec": {"dag": "d"}})))
    world.now += 700
    await operator.look("t")
    assert len(world.log) == 1
