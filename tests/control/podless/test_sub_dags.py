"""Another operator may be ahead of this one, and a status may be set back: what is then not known (any more) costs a
sub-DAG no attempt."""

import asyncio
from typing import Any

import pytest
from tradewind.control.dagrun.run import read_run
from tradewind.control.dagrun.state import RunState
from tradewind.control.podless.sub_dags import SubDAGs, outcome
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


@pytest.mark.parametrize(
    ("dag", "cleared", "stays", "ends"),
    [("d.part", 0, False, False), ("d.part", 1, True, True), ("child", 1, False, False)],
)
@pytest.mark.parametrize("known", [True, False])
def test_a_run_of_a_local_dag_continues_only_while_the_attempt_that_made_it_counts(
    dag: str, cleared: int, stays: bool, ends: bool, known: bool
) -> None:
    """What stands behind an approval stays behind it: the approval may be asked again, or be declined."""

    async def play() -> tuple[bool, bool]:
        api = Server(0.0)
        attempts = f"a 0+1 SubDAGFailed\na ^{cleared}" if cleared else "a 0+1 SubDAGFailed"
        about: Body = {"spec": {"dag": "d"}, "status": {"phase": "Failed", "attempts": attempts, "revision": "d-1"}}
        state = RunState(read_run(api.put(RUNS, {"metadata": {"name": "r"}, **about})))
        by = {"uid": state.run.uid, "run": "r", "task": "a", "attempt": 1, "depth": 1}

        def part(phase: str) -> Body:
            meta: Body = {"name": f"r-{phase.lower()}"}
            status = {"phase": phase, "revision": "x", "calledBy": by}
            return api.put(RUNS, {"metadata": meta, "spec": {"dag": dag, "retryFailed": 1}, "status": status})

        subdags = SubDAGs(api, {state.run.uid: state} if known else {}, lambda uid: None)
        ended, running = read_run(part("Failed")), read_run(part("Running"))
        return await subdags.stays_ended(ended), known and await subdags.cancel_unwanted(running)

    assert asyncio.run(play()) == (stays, ends and known)


@pytest.mark.parametrize("cleared", [0, 1])
@pytest.mark.parametrize("known", [True, False])
def test_an_attempt_counts_as_long_as_those_of_the_runs_around_it(cleared: int, known: bool) -> None:
    """A local DAG that another local DAG runs: the approval may be before the outer one."""

    async def play() -> tuple[bool, bool]:
        api = Server(0.0)

        def made(name: str, dag: str, phase: str, by: Body | None, **status: Any) -> Body:
            found = {"phase": phase, "revision": "x", **status, **({"calledBy": by} if by else {})}
            spec: Body = {"dag": dag} | ({"retryFailed": 1} if name.startswith("inner") else {})
            return api.put(RUNS, {"metadata": {"name": name}, "spec": spec, "status": found})

        def by(name: str, uid: str) -> Body:
            return {"uid": uid, "run": name, "task": "a", "attempt": 1, "depth": 1}

        outer = RunState(read_run(made("r", "d", "Running", None, attempts=f"a ^{cleared}" if cleared else "")))
        middle = made("middle", "d.part", "Failed", by("r", outer.run.uid))
        around = by("middle", middle["metadata"]["uid"])
        subdags = SubDAGs(api, {outer.run.uid: outer} if known else {}, lambda uid: None)
        ended, running = (read_run(made(f"inner-{phase}", "d.more", phase, around)) for phase in ("Failed", "Running"))
        return await subdags.stays_ended(ended), await subdags.cancel_unwanted(running)

    assert asyncio.run(play()) == (bool(cleared), bool(cleared))


@pytest.mark.parametrize(
    ("failure", "message", "reason"),
    [
        ("Declined", "failed: ok (Declined); 1 task downstream did not run", "Declined"),
        ("ApprovalTimeout", "failed: ok (ApprovalTimeout)", "ApprovalTimeout"),
        ("Declined", "failed: other (Error, exit code 1)", "SubDAGFailed"),
        ("Error", "failed: ok (Error, exit code 1)", "SubDAGFailed"),
    ],
)
def test_a_call_whose_run_was_declined_ends_as_an_approval_does(failure: str, message: str, reason: str) -> None:
    """With retries it would ask again by itself. A failure that did not fail the run, since it is allowed or was retried, decides nothing."""
    failures = [{"task": "ok", "attempt": 1, "reason": failure, "message": "no"}]
    status = {"phase": "Failed", "revision": "x", "message": message, "failures": failures}
    run = read_run(Server(0.0).put(RUNS, {"metadata": {"name": "r-a-1"}, "spec": {"dag": "child"}, "status": status}))
    assert outcome(run).reason == reason
