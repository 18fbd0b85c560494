"""Outputs of a loop: those of its last iteration, in whatever order ends are seen and whenever the operator dies."""

from typing import Any

import pytest
from tradewind.control.dagrun import status as runstatus
from tradewind.control.dagrun.run import read_run
from tradewind.control.dagrun.state import RunState
from tradewind.control.pods.observation import Ended
from tradewind.plan.dags.compile import define
from tradewind.plan.outcomes.attempt import Attempt
from tradewind.plan.runs.decision import Plan
from tradewind.plan.runs.planner import Planner

LOOP = define({"tasks": {"a": {"image": "x", "loop": {"until": "false", "maxIterations": 1000}}, "b": {"image": "x"}}})


def state(**status: Any) -> RunState:
    meta = {
        "name": "r",
        "namespace": "ns",
        "uid": "u",
        "resourceVersion": "1",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    made = RunState(read_run({"metadata": meta, "spec": {"dag": "d"}, "status": {"phase": "Running", **status}}))
    made.bind(LOOP, (), 0.0, 0.0)
    return made


def end(number: int, outputs: dict[str, Any], reason: str = "") -> Ended:
    return Ended(Attempt("a", number, number, number, reason), "", outputs)


def _planner(of: RunState) -> Planner:
    assert of.planner is not None
    return of.planner


def known(of: RunState) -> Any:
    return _planner(of).ledger.outputs.get("a")


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
def test_the_last_iteration_counts_whichever_pod_is_seen_first(order: tuple[int, ...]) -> None:
    found = state()
    for number in order:
        found.finish(end(number, {"n": number}), 0.0)
    assert known(found) == {"n": 3}


def test_an_iteration_that_hands_on_nothing_replaces_what_there_was_and_a_failure_does_not() -> None:
    found = state(outputs={"a": {"n": 1}, "b": {"n": 2}})
    found.finish(end(1, {}, "Error"), 0.0)
    assert known(found) == {"n": 1}
    assert runstatus.current(found, _planner(found), Plan(), [end(1, {}, "Error")], 0.0)["outputs"]["a"] == {"n": 1}
    found.finish(end(2, {}), 0.0)
    assert known(found) == {}
    assert runstatus.current(found, _planner(found), Plan(), [end(2, {})], 0.0)["outputs"] == {"b": {"n": 2}}


def test_outputs_that_are_replaced_do_not_count_against_the_limit() -> None:
    found = state()
    for number in range(1, 300):
        found.finish(end(number, {"n": "x" * 4_000}), 0.0)
    assert all(attempt.succeeded for attempt in found.attempts.ended["a"])
