"""An attempt that has ended by the status is not active: the operator stops it, and the run continues to its end."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from plan.game import defined
from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dagrun.state import RunState
from tradewind.control.evaluation.host import Host
from tradewind.control.evaluation.workers import Evaluator
from tradewind.control.podless.executor import Podless
from tradewind.control.podless.work import Work

META = {"name": "r", "namespace": "ns", "uid": "u", "resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:00Z"}
STATUS = {"phase": "Running", "revision": "d-1", "startedAt": "2026-01-01T00:00:00Z"}


class Endless:
    """Work that ends when it is stopped. Also stands for the poller of sensors."""

    def __init__(self) -> None:
        self.stopped: list[str] = []

    def work(self, planner: Any, start: Any, task: Any, since: int, renderer: Any) -> Work:
        async def wait(say: Any) -> dict[str, Any]:
            try:
                await asyncio.Event().wait()
            finally:
                self.stopped.append(start.key)
            return {}

        return Work(wait, "Wait", "waits")

    def begin(self, *_: Any) -> str:
        return "waits"

    def drop(self, uid: str, key: str) -> None:
        self.stopped.append(key)


def run(**status: Any) -> Run:
    return read_run({"metadata": META, "spec": {"dag": "d"}, "status": {**STATUS, **status}})


SENSOR = {"http": {"url": "http://x"}}


@pytest.mark.parametrize(
    "task", [{"wait": {"duration": "1h"}}, {"http": {"url": "http://x"}}, {"approval": {}}, {"sensor": SENSOR}]
)
@pytest.mark.parametrize("attempts", ["t 0+0", "t 0+0 Error", "t 0+0\nt 0+0 Error\nt 0+0 Error"])
async def test_an_attempt_that_the_status_says_has_ended_is_stopped(task: Any, attempts: str) -> None:
    endless: Any = Endless()
    podless = Podless(endless, endless, lambda uid: None, Host(Evaluator()))
    definition = defined({"t": task, "u": {"dependsOn": ["t"], "wait": {"duration": "1h"}}})
    state = RunState(run())

    def plan() -> Any:
        planner = state.bind(definition, (), 0.0, 0.0)
        podless.tell(state, planner, 0.0)
        return planner, planner.decide(0.0)

    podless.start(state, *plan(), 0.0)
    await asyncio.sleep(0)
    assert plan()[0].live("t") is not None
    state.update(replace(run(attempts=attempts), version=2, desired="Terminated"))
    planner, decided = plan()
    await asyncio.sleep(0)
    assert endless.stopped == ["t"] and planner.live("t") is None
    assert decided.phase in ("Cancelled", "Failed")
    podless.forget("u")


async def test_an_attempt_that_is_stopped_before_its_first_step_ends() -> None:
    endless: Any = Endless()
    podless = Podless(endless, endless, lambda uid: None, Host(Evaluator()))
    definition, state = defined({"t": {"wait": {"duration": "1h"}}}), RunState(run())

    def go() -> Any:
        planner = state.bind(definition, (), 0.0, 0.0)
        podless.tell(state, planner, 0.0)
        decided = planner.decide(0.0)
        podless.start(state, planner, decided, 0.0)
        return decided

    go()
    state.update(replace(run(), version=2, desired="Terminated"))
    go()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert endless.stopped == [], "it never began"
    assert go().phase == "Cancelled"
