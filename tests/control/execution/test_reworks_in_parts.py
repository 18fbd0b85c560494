"""Retries and edits of runs whose plan takes more than one pass."""

import asyncio
import copy
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tradewind.control.dagrun.run import read_run
from tradewind.control.execution import status_writer
from tradewind.kube.resources import RUNS
from tradewind.plan import pacing

from control.runworld import Operated

PASSES = 20


class Spent:
    """The time of each pass is used up at once."""

    spent = True
    exhausted = False

    def pause(self) -> None:
        pass

    def evaluate(self, evaluation: pacing.Evaluation) -> Any:
        raise AssertionError


class Reworked(Operated):
    """A run with a task that fails."""

    def __init__(self) -> None:
        super().__init__(bad={"compute": {"x": "1 / (run.attempt - run.attempt)"}, "deadline": "1s"})
        self.runs.feed.seen(read_run(copy.deepcopy(self.new)), False)

    @property
    def status(self) -> dict[str, Any]:
        return dict(self.api.objects[RUNS.plural, "r"].get("status") or {})

    async def until(self, phase: str) -> None:
        for _ in range(PASSES):
            await self.passes()
            for _ in range(10):
                await asyncio.sleep(0)
            if self.status.get("phase") == phase:
                return

    def change(self, **spec: Any) -> None:
        body = copy.deepcopy(self.api.objects[RUNS.plural, "r"])
        body["spec"] |= spec
        body["metadata"]["generation"] += 1
        self.runs.feed.seen(read_run(copy.deepcopy(self.api.put(RUNS, body))), False)


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reworked]:
    for name in ("COALESCE", "SHARE"):
        monkeypatch.setattr(status_writer, name, 0.0)
    made = Reworked()
    yield made
    await made.runs.podless.close()


@pytest.mark.parametrize(
    "asked", [{"retryFailed": 1}, {"edits": [{"action": "Clear", "tasks": ["bad"], "by": "somebody"}]}]
)
async def test_what_failed_runs_again_although_the_plan_takes_several_passes(
    world: Reworked, asked: dict[str, Any]
) -> None:
    await world.until("Failed")
    await world.passes()  # The run is dropped from memory.
    world.change(**asked)
    with pacing.at(Spent()):
        for _ in range(3):
            await world.passes()
    assert world.phase == "Failed" and not world.status["retried"] and not world.status["edited"]
    await world.until("Running")
    await world.until("Failed")
    assert world.status["retried"] == bool("retryFailed" in asked) and world.status["edited"] == len(
        asked.get("edits", ())
    )
    assert [item["attempt"] for item in world.status["failures"]] == [1, 2]


async def test_a_run_that_is_retried_long_after_its_deadlines_is_not_late_at_once(world: Reworked) -> None:
    await world.until("Failed")
    stored = world.api.objects[RUNS.plural, "r"]
    stored["metadata"]["creationTimestamp"] = "2020-01-01T00:00:00Z"
    stored["status"]["startedAt"] = "2020-01-01T00:00:00Z"
    world.change(retryFailed=1)
    await world.until("Running")
    assert world.status["reopenedAt"] and "DeadlineMissed" not in {item["type"] for item in world.status["conditions"]}
