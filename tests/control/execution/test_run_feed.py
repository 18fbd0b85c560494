"""The runs that are reconciled when their DAG, or a template that it uses, has changed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tradewind.control.dagrun.run import read_run
from tradewind.control.execution.concurrency import NEXT
from tradewind.control.execution.run_start import Defined
from tradewind.control.execution.run_table import RunTable
from tradewind.control.manager.engine import Engine
from tradewind.kube.resources import DAGS
from tradewind.plan import pacing
from tradewind.plan.dags.compile import define

from control.triggerworld import Server

RUNS = 50


class Told:
    """An operator that gets events of DAG d, which has runs that have not begun."""

    def __init__(self) -> None:
        self.engine, self.woken = Engine(Server(0.0), (), "x", "me"), list[str]()
        self.feed = self.engine.runs.feed
        for number in range(RUNS):
            meta = {"namespace": "ns", "name": f"r{number}", "uid": f"r{number}", "resourceVersion": "1"}
            self.feed.seen(
                read_run({"metadata": meta | {"creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"dag": "d"}}),
                False,
            )

    def hears(self, deleted: bool = False, uid: str = "u", generation: int = 1, **status: Any) -> None:
        meta = {"namespace": "ns", "name": "d", "uid": uid, "generation": generation}
        meta |= {"creationTimestamp": "2026-01-01T00:00:00Z", "resourceVersion": "1"}
        self.engine.heard[DAGS]({"metadata": meta, "spec": {"tasks": {"a": {"image": "x"}}}, "status": status}, deleted)

    async def looked(self) -> int:
        """The number of runs reconciled so far."""
        self.woken.clear()

        async def take(uid: str) -> None:
            self.woken.append(uid)

        queues = [
            self._work(self.engine.runs.queue.work, take),
            self._work(self.feed.changed_dags.work, self.feed.wake_waiting),
            self._work(self.feed.freed.work, self.feed.wake_next),
        ]
        for _ in range(10 * RUNS):
            await asyncio.sleep(0)
        for task in queues:
            task.cancel()
        await asyncio.gather(*queues, return_exceptions=True)
        return len(self.woken)

    def _work(
        self, work: Callable[..., Awaitable[None]], handle: Callable[..., Awaitable[None]]
    ) -> "asyncio.Task[None]":
        return asyncio.ensure_future(work(handle, lambda key, error: None))


async def test_runs_look_again_when_the_spec_of_their_dag_is_another() -> None:
    told = Told()
    assert await told.looked() == RUNS, "each is new"
    told.hears()
    assert await told.looked() == RUNS
    told.hears(generation=2)
    assert await told.looked() == RUNS
    told.hears(generation=2, deleted=True)
    assert await told.looked() == 0
    told.hears(generation=2)
    assert await told.looked() == RUNS, "it is there again"
    told.hears(generation=2, uid="v")
    assert await told.looked() == RUNS, "it is another one"
    told.feed.template_changed(("ns", "d"))
    assert await told.looked() == RUNS


async def test_no_run_looks_again_when_the_operator_writes_its_dags_status() -> None:
    told = Told()
    told.hears()
    await told.looked()
    for number in range(3):
        told.hears(observedGeneration=1, lastRun={"name": f"r{number}", "phase": "Queued"})
        assert await told.looked() == 0


async def test_waking_the_runs_of_a_dag_lets_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = []
    told = Told()
    monkeypatch.setattr(pacing, "pause", lambda: pauses.append(1))
    await told.feed.wake_waiting(("ns", "d"))
    assert len(pauses) == RUNS


async def test_runs_that_are_deleted_together_are_looked_at_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking for each deletion at all that wait would take quadratic time on the event loop."""
    told, looks = Told(), list[str]()
    told.engine.runs.feed._beginner._defined["ns", "d"] = Defined(
        "1", define({"waitForPrevious": True, "tasks": {"a": {"image": "x"}}})
    )
    await told.looked()
    of_dag = RunTable.of_dag
    monkeypatch.setattr(RunTable, "of_dag", lambda table, *key: looks.append(key[1]) or of_dag(table, *key))
    for state in list(told.engine.runs.states.values())[: RUNS - 10]:
        told.feed.seen(state.run, True)
    assert await told.looked() == NEXT and set(told.woken) == {f"r{number}" for number in range(RUNS - 10, RUNS - 5)}
    assert looks == ["d"]
