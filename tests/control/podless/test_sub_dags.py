"""Another operator may be ahead of this one, and a status may be set back: what is then not known (any more) costs a
sub-DAG no attempt."""

import asyncio
from typing import Any

from tradewind.control.dagrun.run import read_run
from tradewind.control.dagrun.state import RunState
from tradewind.control.podless.sub_dags import SubDAGs
from tradewind.control.pods.observation import Ended
from tradewind.kube.labels import ATTEMPT, DEPTH, RUN, TASK
from tradewind.kube.resources import RUNS
from tradewind.plan.dags.compile import define
from tradewind.plan.outcomes.attempt import Attempt
from tradewind.plan.runs.decision import Live
from tradewind.plan.runs.planner import Planner

from control.triggerworld import Body, Server

DAG = define({"tasks": {"a": {"dag": {"name": "child"}, "retries": {"limit": 1, "backoff": {"initial": "0s"}}}}})
FIRST = Attempt("a", 1, 1, 2, "SubDAGFailed")


def caller(attempts: str) -> tuple[RunState, Planner]:
    """A run that calls a sub-DAG, and its planner."""
    meta: dict[str, Any] = {"name": "r", "namespace": "ns", "uid": "ours", "resourceVersion": "1"}
    meta["creationTimestamp"] = "2026-01-01T00:00:00Z"
    state = RunState(
        read_run({"metadata": meta, "spec": {"dag": "d"}, "status": {"phase": "Running", "attempts": attempts}})
    )
    planner = state.bind(DAG, [], 0.0, 0.0)
    planner.decide(0.0)
    return state, planner


def test_an_attempt_of_which_another_operator_has_told_the_end_counts_once() -> None:
    state, planner = caller("a 0+1 SubDAGFailed")
    planner.tell_live("a", Live(1, seen=0.0, created=0))
    state.finish(Ended(FIRST, "", {}), 1.0)
    assert state.attempts.ends() == [] and [start.number for start in planner.decide(1.0).podless] == [2]


def test_an_attempt_of_which_nobody_has_told_counts() -> None:
    state, _ = caller("")
    state.finish(Ended(FIRST, "", {}), 1.0)
    assert [end.attempt for _, end in state.attempts.ends()] == [FIRST]


async def cancelled(attempts: str, number: int) -> bool:
    """Whether the run of this attempt is cancelled because of its caller."""
    state, _ = caller(attempts)
    api = Server(0.0)
    labels = {RUN: "r", TASK: "a", ATTEMPT: str(number), DEPTH: "1"}
    meta: Body = {"name": "r-a", "labels": labels, "ownerReferences": [{"uid": "ours", "controller": True}]}
    part = read_run(api.put(RUNS, {"metadata": meta, "spec": {"dag": "child"}, "status": {"phase": "Running"}}))
    return await SubDAGs(api, {"ours": state}, lambda uid: None).cancel_unwanted(part)


def test_a_run_to_which_its_caller_has_not_come_yet_is_left_alone() -> None:
    async def play() -> list[bool]:
        return [await cancelled("", 1), await cancelled("", 2), await cancelled("a 0+1 SubDAGFailed", 1)]

    assert asyncio.run(play()) == [False, False, True]
