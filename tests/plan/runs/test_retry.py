"""Failures of the task and losses by the infrastructure: counted separately, delayed, limited."""

from typing import Any

import pytest
from tradewind.model.retries import Backoff, Retries
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.outcomes.attempt import Attempt
from tradewind.plan.runs.retry import retry_state

from plan.game import Game, defined

FAST = {"backoff": {"initial": "1s"}}


def attempts(*reasons: str) -> list[Attempt]:
    return [Attempt("a", number, 0, 5, reason, 1) for number, reason in enumerate(reasons, 1)]


@pytest.mark.parametrize(
    ("reasons", "again"),
    [
        (["Error"], True),
        (["Error", "Error"], True),
        (["Error", "Error", "Error"], False),
        (["Evicted", "Error", "NodeLost", "Error"], True),
        (["Evicted"] * 3, True),
        (["Evicted"] * 4, False),
        (["Error", "Evicted", "Error", "Evicted", "Evicted", "Error"], False),
        (["PodRefused"], False),
        (["ExpressionError"], False),
        (["ImageInvalid"], False),
        (["TotalTimeout"], False),
        (["Cancelled"], False),
        (["SensorTimeout"], False),
        (["SoftFailed"], False),
        (["FailFast"], False),
        (["RunTimeout"], False),
        (["OOMKilled"], True),
        (["ImagePullFailed"], True),
    ],
)
def test_each_budget_is_spent_by_its_own_reasons(reasons: list[str], again: bool) -> None:
    left = retry_state(Retries(limit=2, infrastructure_limit=3), attempts(*reasons))
    assert (left.wait is not None) is again


def test_both_budgets_are_told() -> None:
    left = retry_state(Retries(limit=5), attempts("Error", "Evicted", "Error", "NodeLost", "OOMKilled"))
    assert (left.failures, left.losses) == (3, 2)


@pytest.mark.parametrize(
    ("rule", "waits"),
    [
        ({"initial": "10s", "factor": 1}, [10, 10, 10, 10]),
        ({"initial": "1s", "factor": 2, "max": "5m"}, [1, 2, 4, 8]),
        ({"initial": "1s", "factor": 3, "max": "5s"}, [1, 3, 5, 5]),
    ],
)
def test_waits_grow_by_the_factor_up_to_the_cap(rule: dict[str, Any], waits: list[float]) -> None:
    retries = Retries(limit=100, backoff=Backoff(**rule))
    assert [retry_state(retries, attempts(*["Error"] * count)).wait for count in range(1, 5)] == waits
    assert retry_state(retries, attempts(*["Error"] * 100)).wait is not None


@pytest.mark.parametrize("jitter", [0, 0.2, 1])
def test_no_wait_is_longer_than_the_cap_and_jitter_still_spreads_those_at_it(jitter: float) -> None:
    retries = Retries(limit=9, backoff=Backoff(initial="10s", factor=10, max="60s", jitter=jitter))
    waits = [retry_state(retries, attempts(*["Error"] * 3), seed=f"uid/{task}").wait or 0 for task in range(50)]
    assert all(0 <= wait <= 60 for wait in waits) and (len(set(waits)) > 40 or not jitter)


def test_jitter_is_bounded_differs_between_tasks_and_is_the_same_after_a_restart() -> None:
    retries = Retries(limit=5, backoff=Backoff(initial="100s", factor=1, jitter=0.2))
    waits = [retry_state(retries, attempts("Error"), seed=f"uid/{task}").wait for task in range(50)]
    assert all(wait is not None and 80 <= wait <= 120 for wait in waits) and len(set(waits)) > 40
    assert waits == [retry_state(retries, attempts("Error"), seed=f"uid/{task}").wait for task in range(50)]


@pytest.mark.parametrize(
    ("rule", "code", "again", "why"),
    [
        ({"retryOn": "exitCode in [75, 111]"}, 75, True, ""),
        ({"retryOn": "exitCode in [75, 111]"}, 1, False, "retryOn does not match: exitCode in [75, 111]"),
        ({"failOn": "exitCode == 64"}, 64, False, "failOn matches: exitCode == 64"),
        ({"failOn": "exitCode == 64"}, 1, True, ""),
        ({"failOn": "reason == 'Error' && attempt > 1"}, 1, True, ""),
        ({"retryOn": "seconds < 60"}, 1, True, ""),
        ({"retryOn": "1 / (exitCode - 1) == 1"}, 1, False, "divide by zero"),
    ],
)
def test_a_failure_can_be_the_last_by_its_exit_code(rule: dict[str, str], code: int, again: bool, why: str) -> None:
    left = retry_state(Retries(limit=5, **rule), [Attempt("a", 1, 0, 5, "Error", code)])
    assert (left.wait is not None) is again and why in left.why


DELAYS = [{"when": "exitCode == 29", "delay": "5m"}, {"when": "reason in ['Evicted', 'Error']", "delay": "0s"}]


@pytest.mark.parametrize(
    ("reason", "code", "wait"),
    [("Error", 29, 300), ("Error", 1, 0), ("Evicted", None, 0), ("OOMKilled", 137, 10), ("Preempted", None, 10)],
)
def test_the_first_delay_that_matches_replaces_the_back_off(reason: str, code: int | None, wait: float) -> None:
    retries = Retries.model_validate({"limit": 5, "delays": DELAYS})
    assert retry_state(retries, [Attempt("a", 1, 0, 5, reason, code)]).wait == wait


def test_delays_allow_no_further_attempts_and_one_that_fails_is_told() -> None:
    ended = [Attempt("a", 1, 0, 5, "Error", 29)]
    assert retry_state(Retries.model_validate({"limit": 0, "delays": DELAYS}), ended).wait is None
    broken = Retries.model_validate({"limit": 5, "delays": [{"when": "1 / (exitCode - 29) == 1", "delay": "1s"}]})
    left = retry_state(broken, ended)
    assert left.wait is None and left.why.startswith("retries.delays: ") and "divide by zero" in left.why


def test_a_delay_is_within_the_total_timeout() -> None:
    retries = {"limit": 5, "delays": [{"when": "true", "delay": "2h"}]}
    game = Game(defined({"a": {"totalTimeout": "1h", "retries": retries}}))
    message = game.play(lambda key, number: "Error").message
    assert "no time for another attempt within totalTimeout (3600 s)" in message and game.now < 60


def test_a_loss_is_tried_again_whatever_retry_on_says() -> None:
    assert retry_state(Retries(retry_on="false", limit=1), attempts("Evicted")).wait is not None


def test_a_retry_waits_and_says_so_and_every_attempt_counts() -> None:
    game = Game(defined({"a": {"retries": {"limit": 2, **FAST}}}))
    game.start(game.plan().starts[0])
    game.end("a", "Error")
    plan = game.plan()
    assert plan.starts == [] and plan.wake_at == 1.0
    assert plan.holds[0].message == "attempt 2 starts 1 s after attempt 1 ended with Error"
    assert game.play(lambda key, number: "Error").message == "failed: a (Error, exit code 1) after 3 attempts"
    assert game.now == 3.0


def test_attempts_that_ran_out_of_memory_are_told_to_the_next() -> None:
    resources = {"limits": {"memory": "64Mi"}}
    game = Game(defined({"a": {"resources": resources, "retries": {"limit": 3, "onOOM": {"max": "1Gi"}, **FAST}}}))
    seen = []
    for reason in ("OOMKilled", "Error", "OOMKilled"):
        game.now += 10
        seen.append(game.plan().starts[0].ooms)
        game.start(game.plan().starts[0])
        game.end("a", reason)
    game.now += 10
    assert [*seen, game.plan().starts[0].ooms] == [0, 1, 1, 2]


def test_only_the_last_attempt_that_losses_allow_avoids_spot_nodes() -> None:
    game = Game(defined({"a": {"retries": {"infrastructureLimit": 2, "avoidSpot": True, **FAST}}}))
    seen = []
    for _ in range(3):
        game.now += 10
        seen.append(game.plan().starts[0].avoid_spot)
        game.start(game.plan().starts[0])
        game.end("a", "Evicted")
    game.now += 10
    assert seen == [False, False, True]
    assert game.plan().phase == "Failed" and game.states() == {"a": "Lost"}


def test_retrying_a_run_runs_only_what_failed_with_a_fresh_budget() -> None:
    tasks = {"x": {"forEach": {"range": {"stop": 4}}, "retries": {"limit": 1, **FAST}}, "end": {"dependsOn": ["x"]}}
    game = Game(defined(tasks))
    assert game.play(lambda key, number: "Error" if key in ("x[1]", "x[3]") else "").phase == "Failed"
    game.retry()
    assert game.keys() == ["x[1]", "x[3]"]
    assert game.play(lambda key, number: "Error" if key == "x[1]" and number == 3 else "").phase == "Succeeded"
    assert game.started == [("x[1]", 3), ("x[3]", 3), ("x[1]", 4), ("end", 1)]


@pytest.mark.parametrize("task", [{}, {"approval": {}}, {"retries": {"limit": 1, **FAST}}])
def test_what_runs_for_the_first_time_after_a_retry_has_its_own_budget_alone(task: dict[str, Any]) -> None:
    game = Game(defined({"a": {}, "b": {"dependsOn": ["a"], **task}}))
    for _ in range(2):
        assert game.play(lambda key, number: "Error").phase == "Failed"
        game.retry()
    reason = "Declined" if "approval" in task else "Error"
    assert game.play(lambda key, number: reason if key == "b" else "").phase == "Failed"
    assert [key for key, _ in game.started].count("b") == 1 + ("retries" in task)


def test_a_task_that_is_tried_again_and_fails_waits_for_the_next_retry() -> None:
    game = Game(defined({"a": {}}))
    for number in range(1, 4):
        assert game.play(lambda key, number: "Error").phase == "Failed"
        assert len(game.ended["a"]) == number
        game.retry()


def test_what_failed_for_good_is_tried_again_when_asked() -> None:
    game = Game(defined({"a": {"retries": {"limit": 3, "failOn": "exitCode == 1"}}}))
    assert game.play(lambda key, number: "Error").phase == "Failed" and len(game.started) == 1
    game.retry()
    assert game.play(lambda key, number: "").phase == "Succeeded"


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ({"retries": {"limit": "many"}}, "spec.tasks.a.retries.limit: 'many' is not a whole number; write one such as 3"),
        ({"retries": {"limit": 1_000}}, "spec.tasks.a.retries.limit: 1000 is too large; write at most 100"),
        ({"retries": {"backoff": {"factor": 0.5}}}, "spec.tasks.a.retries.backoff.factor: 0.5 is too small; write at least 1"),
        ({"retries": {"backoff": {"jitter": 2}}}, "spec.tasks.a.retries.backoff.jitter: 2 is too large; write at most 1"),
        ({"retries": {"retryOn": "exit == 3"}}, "spec.tasks.a.retries.retryOn: `exit == 3` (at character 1): there is no 'exit'"),
        ({"retries": {"failOn": "exitCode"}}, "spec.tasks.a.retries.failOn: `exitCode`: gives an integer, not true or false"),
        ({"retries": {"limit": 1, "onOOM": {"max": "1Gi"}}}, "spec.tasks.a.retries.onOOM: there is no memory limit to raise"),
        ({"retries": {"onOOM": {"max": "1Gi"}}}, "spec.tasks.a.retries.onOOM: no attempt follows a failed one"),
        ({"retries": {"limit": 1, "onOOM": {"max": "much"}}}, "spec.tasks.a.retries.onOOM.max: 'much' is not a quantity"),
        ({"retries": {"onOOM": {"memoryFactor": 1}}}, "spec.tasks.a.retries.onOOM.memoryFactor: 1 is too small; write at least 1.1"),
        ({"totalTimeout": "long"}, "spec.tasks.a.totalTimeout: 'long' is not a duration"),
        ({"gracePeriod": "30"}, "spec.tasks.a.gracePeriod: '30' is not a duration"),
    ],
)  # fmt: skip
def test_each_mistake_is_named_with_its_field(task: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid) as caught:
        defined({"a": task})
    assert words in str(caught.value)


def test_preemption_spends_no_budget_and_only_a_time_limit_ends_it() -> None:
    retries = {"limit": 0, "infrastructureLimit": 0, **FAST}
    game = Game(defined({"a": {"retries": retries, "totalTimeout": "4h"}}))
    for number in range(1, 31):
        start = game.plan().starts[0]
        assert start.number == number
        game.start(start, created=int(game.now))
        game.end("a", "Preempted")
        game.plan()
        game.now += 400
    game.now += 4 * 3_600
    game.start(game.plan().starts[0], created=int(game.now))
    assert game.plan().stops[0].reason == "TotalTimeout"


def test_a_preemption_between_failures_leaves_their_budgets_alone() -> None:
    game = Game(defined({"a": {"retries": {"limit": 1, "infrastructureLimit": 1, **FAST}}}))
    for reason in ("Error", "Preempted", "NodeLost", "Preempted", "Preempted"):
        game.now += 10
        game.start(game.plan().starts[0])
        game.end("a", reason)
    game.now += 10
    game.start(game.plan().starts[0])
    game.end("a", "Error")
    assert game.plan().phase == "Failed"


def test_conditions_of_retries_are_not_asked_about_preemption() -> None:
    game = Game(defined({"a": {"retries": {"limit": 1, "retryOn": "exitCode == 75", **FAST}}}))
    game.start(game.plan().starts[0])
    game.end("a", "Preempted")
    game.plan()
    game.now += 10
    assert [start.number for start in game.plan().starts] == [2]
