"""The planner's decisions, one situation each."""

import pytest
from tradewind.model.task import Backoff, Retries
from tradewind.plan.attempt import Attempt
from tradewind.plan.graph import graph
from tradewind.plan.planner import Facts, Live, State, Terms, plan

DIAMOND = graph({"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")})
RETRY = Terms(Retries(limit=1, backoff=Backoff(initial="10s")))


def done(task: str, number: int = 1) -> Attempt:
    return Attempt(task, number, 100, 110)


def failed(task: str, number: int = 1, reason: str = "Error") -> Attempt:
    return Attempt(task, number, 100, 110, reason, 1)


def terms(**more: Terms) -> dict[str, Terms]:
    return {task: more.get(task, Terms()) for task in DIAMOND.order}


def test_tasks_without_dependencies_start_at_once() -> None:
    decided = plan(DIAMOND, terms(), Facts({}, {}), 0.0)
    assert [(start.task, start.number) for start in decided.starts] == [("a", 1)]
    assert decided.states["b"] is State.BLOCKED and decided.phase == "Running"


def test_every_task_starts_whose_dependencies_succeeded() -> None:
    decided = plan(DIAMOND, terms(), Facts({"a": [done("a")]}, {}), 0.0)
    assert sorted(start.task for start in decided.starts) == ["b", "c"]


def test_a_join_waits_for_all_of_its_dependencies() -> None:
    decided = plan(DIAMOND, terms(), Facts({"a": [done("a")], "b": [done("b")]}, {"c": Live(1)}), 0.0)
    assert decided.starts == [] and decided.states["d"] is State.BLOCKED


def test_what_depends_on_a_failed_task_is_upstream_failed_and_the_rest_goes_on() -> None:
    facts = Facts({"a": [done("a")], "b": [failed("b")]}, {"c": Live(1)})
    decided = plan(DIAMOND, terms(), facts, 0.0)
    assert decided.states["d"] is State.UPSTREAM_FAILED and decided.states["c"] is State.RUNNING
    assert decided.phase == "Running", "a branch still runs"


def test_a_run_fails_when_nothing_is_left_to_do_and_says_why() -> None:
    facts = Facts({"a": [done("a")], "b": [failed("b")], "c": [done("c")]}, {})
    decided = plan(DIAMOND, terms(), facts, 0.0)
    assert decided.phase == "Failed"
    assert decided.message == "failed: b (Error, exit code 1); 1 task downstream did not run"


def test_a_failed_attempt_waits_for_its_back_off_on_the_monotonic_clock() -> None:
    facts = Facts({"a": [failed("a")]}, {}, {"a": 50.0})
    decided = plan(DIAMOND, terms(a=RETRY), facts, 55.0)
    assert decided.states["a"] is State.WAITING and decided.wake_at == 60.0
    assert decided.holds[0].message == "attempt 2 starts 10 s after attempt 1 ended with Error"
    again = plan(DIAMOND, terms(a=RETRY), facts, 60.0)
    assert [(start.task, start.number) for start in again.starts] == [("a", 2)]


def test_a_task_that_fails_more_often_than_its_limit_has_failed() -> None:
    facts = Facts({"a": [failed("a"), failed("a", 2)]}, {}, {"a": 0.0})
    decided = plan(DIAMOND, terms(a=RETRY), facts, 1_000.0)
    assert decided.states["a"] is State.FAILED and "after 2 attempts" in decided.message


@pytest.mark.parametrize("reason", ["PodRefused", "ExpressionError"])
def test_what_the_next_attempt_would_only_repeat_is_not_retried(reason: str) -> None:
    decided = plan(DIAMOND, terms(a=RETRY), Facts({"a": [failed("a", 1, reason)]}, {}, {"a": 0.0}), 1_000.0)
    assert decided.states["a"] is State.FAILED


def test_a_pod_that_does_not_start_in_time_is_stopped_and_counts_as_lost() -> None:
    facts = Facts({}, {"a": Live(1, pending_since=0.0, reason="ImagePullBackOff", message="the image can't be pulled")})
    waiting = plan(DIAMOND, terms(a=Terms(pending_timeout=30.0)), facts, 29.0)
    assert waiting.stops == [] and waiting.wake_at == 30.0 and waiting.holds[0].reason == "ImagePullBackOff"
    stopped = plan(DIAMOND, terms(a=Terms(pending_timeout=30.0)), facts, 30.0)
    assert [(stop.task, stop.reason) for stop in stopped.stops] == [("a", "PendingTimeout")]
    assert "the image can't be pulled" in stopped.stops[0].why


def test_a_run_does_not_end_while_a_pod_lives() -> None:
    everything = {task: [done(task)] for task in DIAMOND.order}
    assert plan(DIAMOND, terms(), Facts(everything, {}), 0.0).phase == "Succeeded"
    assert plan(DIAMOND, terms(), Facts(everything, {"a": Live(2)}), 0.0).phase == "Running"
