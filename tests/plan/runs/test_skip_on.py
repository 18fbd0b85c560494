"""skipOn: an attempt says that there was nothing to do, and the task is skipped."""

from typing import Any

import pytest
from tradewind.plan.cel.error import ExpressionError
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.outcomes.attempt import Attempt
from tradewind.plan.runs.failure import failure

from plan.game import Game, defined


def skips(rule: str, attempt: Attempt, outputs: dict[str, Any] | None = None, **task: Any) -> bool:
    """Whether a rule skips the task `a` after an attempt."""
    game = Game(defined({"a": {"skipOn": rule, **task}}, params={"n": {"type": "integer"}}), {"n": 5})
    return game.planner.ledger.skips(attempt, outputs or {}, 0)


@pytest.mark.parametrize(
    ("rule", "code", "outputs", "found"),
    [
        ("exitCode == 99", 99, {}, True),
        ("exitCode == 99", 1, {}, False),
        ("exitCode == 0", None, {}, True),
        ("reason == 'Error' && attempt == 1 && seconds == 4", 1, {}, True),
        ("exitCode == 0 && outputs.rows == 0", None, {"rows": 0}, True),
        ("has(outputs.rows) && outputs.rows < params.n", None, {"rows": 7}, False),
        ("iteration == 1 && run.attempt == 1", None, {}, True),
    ],
)
def test_a_rule_sees_how_the_attempt_ended_and_what_it_left(
    rule: str, code: int | None, outputs: dict[str, Any], found: bool
) -> None:
    attempt = Attempt("a", 1, 10, 14, "" if code is None else "Error", code)
    assert skips(rule, attempt, outputs) is found


def test_a_skipped_task_is_not_retried_and_skips_what_depends_on_it() -> None:
    tasks = {"a": {"skipOn": "exitCode == 99", "retries": {"limit": 3}}, "b": {"dependsOn": ["a"]}}
    game = Game(defined(tasks))
    plan = game.play(lambda key, _: "SkippedItself")
    assert (plan.phase, plan.message) == ("Succeeded", "0 of 2 tasks succeeded; 2 skipped")
    assert game.started == [("a", 1)] and game.states() == {"a": "Skipped", "b": "Skipped"}
    assert game.planner.ledger.units["a"].why == "its attempt ended as skipOn says"


def test_a_teardown_cleans_up_after_a_setup_that_skipped_itself() -> None:
    tasks = {"a": {"skipOn": "exitCode == 99"}, "t": {"dependsOn": ["a"], "teardown": {"of": ["a"]}}}
    game = Game(defined(tasks))
    game.play(lambda key, _: "SkippedItself" if key == "a" else "")
    assert game.states() == {"a": "Skipped", "t": "Succeeded"}


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("exitCode", "spec.tasks.a.skipOn: `exitCode`"),
        ("item == 1", "there is no item here"),
        ("tasks.b.state == 'x'", "there is no 'tasks.b.state'; skipOn can use exitCode, reason, attempt, seconds"),
        ("reason == 'OOM'", "OOMKilled"),
        ("$[[ exitCode == 1 ]]", "write the expression alone"),
        ("outputs.x == 1", "there is no output 'x' of task a; "),
        ("", ""),
    ],
)
def test_a_wrong_rule_is_refused_with_its_field(rule: str, words: str) -> None:
    task = {"skipOn": rule, "outputs": {"rows": {"type": "integer"}}}
    if not words:
        defined({"a": task, "b": {}})
        return
    with pytest.raises(Invalid) as caught:
        defined({"a": task, "b": {}})
    assert words in str(caught.value) and "spec.tasks.a.skipOn" in str(caught.value)


def test_a_rule_that_can_not_be_evaluated_raises() -> None:
    with pytest.raises(ExpressionError, match="rows"):
        skips("outputs.rows == 0", Attempt("a", 1, 0, 0))


def test_defaults_hold_for_every_task() -> None:
    definition = defined({"a": {}, "b": {"skipOn": ""}}, defaults={"skipOn": "exitCode == 99", "image": "x"})
    assert {name: task.skip_on for name, task in definition.tasks.items()} == {"a": "exitCode == 99", "b": ""}


# The end of a task that fails between two attempts.

POLL = {
    "loop": {"until": "outputs.done", "maxIterations": 2, "delay": "10s"},
    "outputs": {"done": {"type": "boolean"}, "other": {"type": "integer"}},
}


def polled(rule: str, **more: Any) -> Game:
    """A loop whose condition never holds, and a task that depends on it."""
    game = Game(defined({"a": {**POLL, "skipOn": rule, **more}, "b": {"dependsOn": ["a"]}}))
    game.play(outputs=lambda key: {"done": False})
    return game


def same_anew(game: Game) -> None:
    again = game.anew()
    again.decide(game.now)
    assert {key: (unit.state, unit.why) for key, unit in again.ledger.units.items()} == {
        key: (unit.state, unit.why) for key, unit in game.planner.ledger.units.items()
    }


@pytest.mark.parametrize(
    ("rule", "state"),
    [
        ("reason == 'LoopFailed'", "Skipped"),
        ("reason == 'LoopFailed' && exitCode == -1 && attempt == 2 && iteration == 2 && seconds >= 10", "Skipped"),
        ("reason == 'LoopFailed' && !outputs.done", "Skipped"),
        ("reason == 'TotalTimeout'", "Failed"),
        ("reason == 'LoopFailed' && outputs.other == 1", "Failed"),
        ("", "Failed"),
    ],
)
def test_a_loop_that_has_used_up_its_iterations_is_skipped_if_the_rule_says_so(rule: str, state: str) -> None:
    game = polled(rule)
    unit = game.planner.ledger.units["a"]
    assert (game.states()["a"], len(unit.ended)) == (state, 2)
    skipped = state == "Skipped"
    assert unit.why == "loop.until did not hold after 2 iterations" + (", and skipOn skips it" if skipped else "")
    assert game.states()["b"] == ("Skipped" if skipped else "UpstreamFailed")
    same_anew(game)


def test_a_loop_that_was_skipped_stays_so_when_its_run_is_retried() -> None:
    game = polled("reason == 'LoopFailed'")
    game.retry()
    assert game.plan().phase == "Succeeded" and game.states()["a"] == "Skipped"
    game = polled("reason == 'Error'")
    game.retry()
    assert game.plan().phase == "Running", "one that failed has as many iterations again"


@pytest.mark.parametrize(("last", "state"), [("", "Skipped"), ("Error", "Skipped"), ("Evicted", "Lost")])
def test_a_task_without_time_for_another_attempt_is_skipped_if_the_rule_says_so(last: str, state: str) -> None:
    limits = {"totalTimeout": "5s", "retries": {"limit": 9, "backoff": {"initial": "30s"}}}
    game = Game(defined({"a": {**POLL, **limits, "skipOn": "reason == 'TotalTimeout'"}}))
    game.play(lambda key, number: last, lambda key: {"done": False})
    assert game.states() == {"a": state} and len(game.ended["a"]) == 1
    same_anew(game)


def test_a_loop_without_time_for_another_iteration_says_why() -> None:
    game = polled("", totalTimeout="5s")
    assert failure(game.planner.ledger.units["a"])["reason"] == "TotalTimeout"
