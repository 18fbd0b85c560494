"""skipOn is asked when the end of an attempt is observed, and its answer is what the status records."""

from typing import Any

import pytest
from tradewind.control.dagrun import status as runstatus
from tradewind.control.dagrun.run import read_run
from tradewind.control.dagrun.state import RunState
from tradewind.control.pods.observation import Ended
from tradewind.plan.dags.compile import define
from tradewind.plan.outcomes.attempt import Attempt

META = {
    "name": "r",
    "namespace": "ns",
    "uid": "u",
    "resourceVersion": "1",
    "creationTimestamp": "2026-01-01T00:00:00Z",
}
ROWS = {"rows": {"type": "integer"}}


def state(**task: Any) -> RunState:
    made = RunState(read_run({"metadata": META, "spec": {"dag": "d"}, "status": {"phase": "Running"}}))
    made.bind(define({"tasks": {"a": {"image": "x", **task}}}), (), 0.0, 0.0)
    return made


def finish(found: RunState, reason: str = "", code: int | None = None, **outputs: Any) -> Ended:
    """What is recorded of the first attempt."""
    found.finish(Ended(Attempt("a", 1, 5, 9, reason, code), "words", outputs), 0.0)
    return found.attempts.news["a", 1]


@pytest.mark.parametrize(
    ("rule", "reason", "code", "recorded"),
    [
        ("exitCode == 99", "Error", 99, "SkippedItself"),
        ("exitCode == 99", "Error", 1, "Error"),
        ("exitCode == 0", "", None, "SkippedItself"),
        ("true", "Evicted", None, "Evicted"),
        ("true", "Cancelled", 143, "Cancelled"),
        ("true", "OutputInvalid", None, "SkippedItself"),
    ],
)
def test_an_attempt_for_which_it_is_true_is_recorded_as_skipped(
    rule: str, reason: str, code: int | None, recorded: str
) -> None:
    found = state(skipOn=rule)
    end = finish(found, reason, code)
    assert end.attempt.reason == recorded and (recorded != "SkippedItself" or not end.message)
    planner = found.planner
    assert planner is not None
    plan = planner.decide(0.0)
    status = runstatus.current(found, planner, plan, [end], 0.0)
    if recorded == "SkippedItself":
        assert (status["phase"], status["skipped"], status["failures"]) == ("Succeeded", 1, [])
        assert status["skips"] == [{"task": "a", "message": "its attempt ended as skipOn says"}]


@pytest.mark.parametrize(
    ("reason", "task"),
    [
        ("SensorTimeout", {"sensor": {"run": {"dag": "other"}}}),
        ("ApprovalTimeout", {"approval": {}}),
        ("Declined", {"approval": {}}),
        ("HttpError", {"http": {"url": "http://x"}}),
        ("DeadlineExceeded", {"http": {"url": "http://x"}}),
        ("SubDAGFailed", {"dag": {"name": "other"}}),
        ("TotalTimeout", {"wait": {"until": "2030-01-01T00:00:00Z"}, "totalTimeout": "1h"}),
        ("ExpressionError", {"compute": {"x": "1"}}),
    ],
)
def test_a_task_without_pods_is_skipped_by_the_same_rule(reason: str, task: dict[str, Any]) -> None:
    made = RunState(read_run({"metadata": META, "spec": {"dag": "d"}, "status": {"phase": "Running"}}))
    planner = made.bind(define({"tasks": {"a": {**task, "skipOn": f"reason == '{reason}'"}}}), (), 0.0, 0.0)
    assert finish(made, reason).attempt.reason == "SkippedItself"
    assert planner.decide(0.0).phase == "Succeeded" and planner.ledger.states["a"] == "Skipped"


@pytest.mark.parametrize(("limits", "reason"), [({}, "LoopFailed"), ({"totalTimeout": "1s"}, "TotalTimeout")])
@pytest.mark.parametrize("skips", [True, False])
def test_a_loop_that_is_failed_as_is_skipped_or_fails_with_the_reason(
    limits: dict[str, Any], reason: str, skips: bool
) -> None:
    loop = {"until": "false", "maxIterations": 1 if reason == "LoopFailed" else 9, "delay": "5s"}
    found = state(loop=loop, skipOn=f"reason == '{reason if skips else 'Error'}'", **limits)
    end = finish(found)
    planner = found.planner
    assert planner is not None and end.attempt.succeeded
    status = runstatus.current(found, planner, planner.decide(0.0), [end], 0.0)
    if skips:
        assert status["phase"] == "Succeeded" and status["skips"][0]["message"].endswith(", and skipOn skips it")
    else:
        assert status["phase"] == "Failed" and [item["reason"] for item in status["failures"]] == [reason]


def test_a_rule_that_fails_ends_a_success_and_leaves_a_failure_alone() -> None:
    task = {"skipOn": "outputs.rows == 0", "retries": {"limit": 3}}
    end = finish(state(**task))
    assert end.attempt.reason == "ExpressionError" and end.message.startswith("skipOn: `outputs.rows == 0`")
    assert finish(state(**task), "Error", 3).attempt.reason == "Error"


def test_outputs_of_a_skipped_attempt_do_not_count() -> None:
    found = state(skipOn="outputs.rows == 0", outputs=ROWS)
    assert finish(found, rows=0).outputs == {}
    assert found.planner is not None and found.planner.ledger.outputs == {}


def test_declared_outputs_of_a_failed_attempt_are_kept_until_a_later_one_leaves_others() -> None:
    found = state(outputs=ROWS)
    end = finish(found, "Error", 3, rows=41)
    planner = found.planner
    assert planner is not None and planner.ledger.outputs == {"a": {"rows": 41}}
    assert runstatus.current(found, planner, planner.decide(0.0), [end], 0.0)["outputs"] == {"a": {"rows": 41}}
    found.finish(Ended(Attempt("a", 2, 10, 11), "", {"rows": 7}), 0.0)
    assert planner.ledger.outputs == {"a": {"rows": 7}}


def test_a_failed_attempt_whose_outputs_have_no_room_stays_what_it_is() -> None:
    found = state(outputs={"text": {"type": "string"}})
    found.attempts._outputs_size = 512 * 1024 - 10
    end = finish(found, "Error", 3, text="x" * 100)
    assert (end.attempt.reason, end.attempt.exit_code, end.outputs) == ("Error", 3, {})
