"""Histories of restarts and faults: each tick of a backfill gets its run, once, and never more at a time than its
parallelism."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind.control.backfills import reconciler
from tradewind.control.backfills.reconciler import COALESCE, BackfillReconciler
from tradewind.control.dagrun import run_index
from tradewind.control.dagrun.run import read_run
from tradewind.control.shared.event_recorder import EventRecorder
from tradewind.control.triggers.dag_index import DAGIndex
from tradewind.kube.errors import Unavailable
from tradewind.kube.labels import BACKFILL, HOW
from tradewind.kube.resources import BACKFILLS, RUNS
from tradewind.kube.work_queue import WorkQueue
from tradewind.model.duration import stamp

from control.triggerworld import Body, Server, server

DAY = datetime(2026, 5, 1, tzinfo=UTC)
TICKS = [DAY + timedelta(days=step) for step in range(6)]
NOW = (DAY + timedelta(days=30)).timestamp()
STATES = ["Missing", "Succeeded", "Failed", "Unborn", "Running"]
"""The run of a tick. Unborn: one that failed before it began."""
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["look", "look", "look", "end", "fail", "hear", "crash", "crash while looking"]),
        st.lists(st.sampled_from(["", "", "before", "after"]), max_size=3),
    ),
    max_size=30,
)


class Backfilled:
    """A server with a backfill, and an operator of it that starts and stops."""

    def __init__(self, states: list[str], **fields: Any) -> None:
        self.server: Server = server(NOW, "t", cron="0 0 * * *")
        spec = {"dag": "d", "trigger": "t", "start": "2026-05-01", "end": "2026-05-06", **fields}
        self.server.put(BACKFILLS, {"metadata": {"name": "b"}, "spec": spec})
        for tick, state in zip(TICKS, states, strict=True):
            if state != "Missing":
                status = {
                    "phase": "Failed" if state == "Unborn" else state,
                    "revision": "" if state == "Unborn" else "r",
                }
                spec = {"dag": "d", "logicalDate": tick.isoformat()}
                self.server.put(RUNS, {"metadata": {"name": f"t-{tick:%Y%m%d}-0000"}, "spec": spec, "status": status})
        self.most = 0
        self.start()

    def start(self) -> None:
        clock = lambda: self.server.now  # noqa: E731
        dags = DAGIndex(self.server, lambda *_: None)
        nobody = lambda *_: None  # noqa: E731
        self.operator = BackfillReconciler(self.server, EventRecorder(self.server, clock), dags, nobody, nobody, clock)
        self.operator.seen(orjson.loads(orjson.dumps(self.server.objects[BACKFILLS.plural, "b"])), False)

    def runs(self) -> list[Body]:
        return [body for (plural, _), body in self.server.objects.items() if plural == RUNS.plural]

    def mine(self) -> list[Body]:
        return [run for run in self.runs() if f"{BACKFILL}b" in run["metadata"].get("labels", {})]

    def active(self) -> list[Body]:
        return [run for run in self.mine() if not read_run(run).final]

    async def look(self) -> None:
        with contextlib.suppress(Unavailable):
            await self.operator.reconcile(("ns", "b"))
        self.most = max(self.most, len(self.active()))

    def hear(self) -> None:
        """The watch reports the runs."""
        for run in self.runs():
            self.operator.run_seen(read_run(orjson.loads(orjson.dumps(run))))

    def end(self, phase: str) -> None:
        """The oldest active run ends."""
        if active := self.active():
            run = active[0]
            run["status"] = {"phase": phase, "revision": "r", "retried": run["spec"].get("retryFailed", 0)}
            self.server.put(RUNS, run)

    async def play(self, steps: list[tuple[str, list[str]]]) -> None:
        for what, faults in steps:
            self.server.now += 2
            self.server.faults = list(faults)
            match what:
                case "look":
                    await self.look()
                case "hear":
                    self.hear()
                case "end" | "fail":
                    self.end("Succeeded" if what == "end" else "Failed")
                case _:
                    if what == "crash while looking":
                        await self.look()
                    self.start()
        self.server.faults = []
        for _ in range(3 * len(TICKS)):
            self.server.now += 2
            await self.look()
            self.end("Succeeded")
            self.hear()

    @property
    def status(self) -> Body:
        return dict(self.server.objects[BACKFILLS.plural, "b"].get("status") or {})


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(STATES), min_size=6, max_size=6),
    st.lists(st.sampled_from(["Missing", "Failed", "Succeeded"]), min_size=1, unique=True),
    st.integers(1, 3),
    st.sampled_from(["OldestFirst", "NewestFirst"]),
    STEPS,
)
def test_each_tick_gets_what_it_is_to_get_and_gets_it_once(
    states: list[str], wanted: list[str], parallelism: int, order: str, steps: list[tuple[str, list[str]]]
) -> None:
    history = Backfilled(states, runs=wanted, parallelism=parallelism, order=order)
    asyncio.run(history.play(steps))
    made, retried = [], []
    for tick, state in zip(TICKS, states, strict=True):
        name = f"{tick:%Y%m%d}-0000"
        if state == "Missing" and "Missing" in wanted:
            made.append(f"t-{name}")
        elif state == "Failed" and "Failed" in wanted:
            retried.append(f"t-{name}")
        elif (state == "Unborn" and "Failed" in wanted) or (state == "Succeeded" and "Succeeded" in wanted):
            made.append(f"b-{name}")
    assert sorted(history.server.log) == sorted(made)
    assert sorted(run["metadata"]["name"] for run in history.mine()) == sorted(made + retried)
    assert {
        run["metadata"]["name"]: run["spec"]["retryFailed"] for run in history.runs() if "retryFailed" in run["spec"]
    } == (dict.fromkeys(retried, 1))
    assert history.most <= parallelism
    failed = [run for run in history.mine() if run["status"]["phase"] == "Failed"]
    assert history.status["phase"] == ("Failed" if failed else "Succeeded")
    assert history.status["progress"] == f"{len(made + retried)}/{len(made + retried)}"


def test_a_run_that_is_in_the_way_is_named_and_nothing_is_made() -> None:
    async def play() -> Body:
        history = Backfilled(["Succeeded"] * 6, runs=["Succeeded"])
        history.server.put(
            RUNS, {"metadata": {"name": "b-20260501-0000"}, "spec": {"dag": "d", "logicalDate": stamp(0)}}
        )
        await history.look()
        assert history.server.log == []
        return history.status

    status = asyncio.run(play())
    assert status["phase"] == "Waiting"
    assert "run b-20260501-0000, which doesn't belong to it, has the name" in status["message"]


def test_runs_that_a_backfill_counts_on_are_held_until_it_is_over() -> None:
    async def play() -> list[bool]:
        history = Backfilled(["Succeeded", *["Missing"] * 5], end="2026-05-02")
        held = [history.operator.holds("ns", "d", "t-20260501-0000")]  # nothing is known yet
        await history.look()
        held.append(history.operator.holds("ns", "d", "t-20260501-0000"))
        held.append(history.operator.holds("ns", "d", "t-20260502-0000"))
        held.append(history.operator.holds("ns", "other", "t-20260502-0000"))
        await history.play([])
        held.append(history.operator.holds("ns", "d", "t-20260502-0000"))
        return held

    assert asyncio.run(play()) == [True, True, True, False, False]


def test_a_status_that_is_set_back_is_written_anew_and_no_tick_gets_a_second_run() -> None:
    async def play() -> None:
        history = Backfilled(["Missing"] * 6)
        await history.play([])
        before, made = history.status["phase"], list(history.server.log)
        body = history.server.put(BACKFILLS, {**history.server.objects[BACKFILLS.plural, "b"], "status": {}})
        history.operator.queue = WorkQueue("empty")
        history.operator.seen(orjson.loads(orjson.dumps(body)), False)
        working = asyncio.ensure_future(
            history.operator.queue.work(history.operator.reconcile, history.operator.failed)
        )
        async with asyncio.timeout(100):
            while history.status.get("phase") != before:
                await asyncio.sleep(0)
        working.cancel()
        assert before == "Succeeded" and history.server.log == made

    asyncio.run(play())


class Asked(WorkQueue[tuple[str, str]]):
    """A queue that only records the delays of its key."""

    def __init__(self) -> None:
        super().__init__("asked")
        self.pauses: list[float] = []

    def add(self, key: tuple[str, str]) -> None:
        self.pauses.append(0)

    def add_after(self, key: tuple[str, str], delay: float) -> None:
        self.pauses.append(delay)


def test_two_operators_that_see_things_otherwise_answer_each_other_after_a_pause() -> None:
    async def play() -> list[float]:
        history = Backfilled(["Running"] * 6)
        await history.look()
        mine = history.server.objects[BACKFILLS.plural, "b"]
        body = history.server.put(BACKFILLS, {**mine, "status": {**mine["status"], "phase": "Waiting"}})
        queue = history.operator.queue = Asked()
        history.operator.seen(orjson.loads(orjson.dumps(body)), False)
        return queue.pauses

    assert asyncio.run(play()) == [COALESCE]


def test_a_run_that_was_deleted_and_nobody_told_is_made_again_once_the_runs_are_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (reconciler, run_index):
        monkeypatch.setattr(module, "STALE", 0.01)

    async def play() -> None:
        history = Backfilled(["Missing", *["Succeeded"] * 5])
        operator = history.operator
        working = asyncio.ensure_future(operator.queue.work(operator.reconcile, operator.failed))
        async with asyncio.timeout(100):
            while not history.server.log:
                await asyncio.sleep(0)
            del history.server.objects[RUNS.plural, history.server.log[0]]
            while len(history.server.log) < 2:
                await asyncio.sleep(0)
        working.cancel()
        assert history.server.log == ["t-20260501-0000"] * 2

    asyncio.run(play())


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("t-20260501-0000", True),
        ("b-20260501-0000", True),
        ("mine", False),
        ("t-20260502-0000", False),
    ],
)
def test_a_run_is_a_backfills_when_it_has_the_name_of_its_tick(name: str, made: bool) -> None:
    """A backfill's runs are exempt from maxActiveRuns, and users who create a run write its labels."""
    history = Backfilled(["Missing"] * 6)
    asyncio.run(history.look())
    meta = {"name": name, "labels": {HOW: "backfill", f"{BACKFILL}b": "true"}}
    spec = {"dag": "d", "logicalDate": TICKS[0].isoformat()}
    assert history.operator.made(read_run(history.server.put(RUNS, {"metadata": meta, "spec": spec}))) is made


def test_no_run_is_that_of_a_backfill_that_there_is_not() -> None:
    history = Backfilled(["Missing"] * 6)
    meta = {"name": "t-20260501-0000", "labels": {HOW: "backfill", f"{BACKFILL}another": "true"}}
    spec = {"dag": "d", "logicalDate": TICKS[0].isoformat()}
    assert not history.operator.made(read_run(history.server.put(RUNS, {"metadata": meta, "spec": spec})))
