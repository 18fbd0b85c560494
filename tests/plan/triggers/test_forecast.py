"""Upcoming scheduled runs: where they will delay each other, by their usual duration."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tradewind.plan.dags.compile import define
from tradewind.plan.triggers.forecast import PODS, Coming, Shape, Tick, foresee, shape

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def tick(minutes: float, dag: str = "d", concurrency: str = "Allow") -> Tick:
    return Tick(NOON + timedelta(minutes=minutes), f"{dag}-t", dag, concurrency)


def notes(found: list[Coming]) -> list[str]:
    return ["; ".join(item.notes) for item in found]


def test_runs_come_in_order_and_end_when_they_usually_do() -> None:
    found = foresee([tick(10), tick(0, "e")], {"d": Shape(seconds=60), "e": Shape()}, {})
    assert [(item.tick.dag, item.ends) for item in found] == [("e", None), ("d", NOON + timedelta(minutes=11))]


@pytest.mark.parametrize(
    ("policy", "words"),
    [("Queue", "it waits"), ("Skip", "it is skipped"), ("Replace", "it replaces one")],
)
def test_runs_that_are_too_many_for_their_dag_are_told(policy: str, words: str) -> None:
    long = Shape(max_active=1, concurrency=policy, seconds=900)
    found = foresee([tick(0), tick(10), tick(30)], {"d": long}, {})
    assert notes(found) == ["", f"maxActiveRuns 1: {words}, 1 still active", ""]


@pytest.mark.parametrize(
    ("policy", "words"),
    [("Forbid", "no run"), ("Replace", "the run before it is cancelled"), ("Enqueue", "it waits")],
)
def test_what_a_schedule_does_with_unfinished_runs_is_told(policy: str, words: str) -> None:
    found = foresee([tick(0, concurrency=policy), tick(10, concurrency=policy)], {"d": Shape(seconds=900)}, {})
    assert notes(found) == ["", f"concurrency {policy}: {words}, the run before it is still active"]


def test_a_run_that_there_will_not_be_is_in_nobodys_way() -> None:
    ticks = [tick(minute, concurrency="Forbid") for minute in (0, 10, 20)]
    assert [item.ends is None for item in foresee(ticks, {"d": Shape(seconds=900)}, {})] == [False, True, False]


def test_pools_and_quotas_that_may_be_too_small_are_told() -> None:
    shapes = {"d": Shape(seconds=900, wants={"pool gpu": 2, PODS: 3}), "e": Shape(seconds=60, wants={"pool gpu": 1})}
    found = foresee([tick(0), tick(5, "e"), tick(10)], shapes, {"pool gpu": 2, PODS: 5})
    assert notes(found) == [
        "",
        "pool gpu: up to 3 wanted of 2, tasks may wait",
        "pool gpu: up to 4 wanted of 2, tasks may wait; pods: up to 6 wanted of 5, tasks may wait",
    ]


def test_a_dag_wants_what_its_tasks_of_one_depth_want() -> None:
    gpu: dict[str, Any] = {"image": "x", "pools": [{"name": "gpu", "slots": 2}]}
    tasks = {
        "a": {"image": "x"},
        "b": {**gpu, "dependsOn": ["a"]},
        "c": {**gpu, "dependsOn": ["a"]},
        "w": {"wait": {"duration": "1s"}, "dependsOn": ["a"]},
        "d": {**gpu, "dependsOn": ["b"]},
    }
    found = shape(define({"tasks": tasks, "maxActiveRuns": 2}), 5)
    assert found == Shape(2, "Queue", 5, {PODS: 2, "pool gpu": 4})
    assert shape(define({"tasks": tasks, "parallelism": 1}), None).wants[PODS] == 1
