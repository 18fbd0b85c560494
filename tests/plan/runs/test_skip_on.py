"""skipOn: an attempt says that there was nothing to do, and the task is skipped."""

from typing import Any

import pytest
from tradewind.plan.cel.error import ExpressionError
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.outcomes.attempt import Attempt

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
