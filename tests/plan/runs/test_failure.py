"""How tasks failed, as data: `tasks.NAME.failure`, `run.failures`, `run.duration`."""

from dataclasses import replace
from typing import Any

import pytest

from plan.game import Game, defined

HEAR = {"dependsOn": ["a"], "triggerRule": "AllDone"}
RETRIED = {"retries": {"limit": 1, "backoff": {"initial": "1s"}}}
NOTHING = {"reason": "", "exitCode": 0, "message": "", "attempts": 0}


def heard(a: dict[str, Any], expression: str, fate: str = "Error", code: int = 3) -> Any:
    """The value of an expression of a task that follows `a`."""
    game = Game(defined({"a": a, "b": {**HEAR, "compute": {"v": expression}}}))
    while "b" not in [start.key for start in game.plan().podless]:
        plan = game.plan()
        for start in plan.starts:
            game.start(start)
            game.end(start.key, fate, {}, code)
        game.now = max(game.now, plan.wake_at or 0.0)
    return game.planner.ledger.evaluator("b", 1)(expression)


@pytest.mark.parametrize(
    ("fate", "found"),
    [
        ("", NOTHING),
        ("SkippedItself", NOTHING),
        (
            "Error",
            {
                "reason": "Error",
                "exitCode": 3,
                "message": "the task ended with an exit code other than 0",
                "attempts": 2,
            },
        ),
        (
            "PodRefused",
            {"reason": "PodRefused", "exitCode": -1, "message": "the API server refused the pod", "attempts": 1},
        ),
    ],
)
def test_a_task_after_a_failed_one_reads_how_it_failed(fate: str, found: dict[str, Any]) -> None:
    assert heard(RETRIED, "tasks.a.failure", fate) == found
    assert heard(RETRIED, "tasks.a.failure.exitCode", fate) == found["exitCode"]


def test_a_task_that_never_ran_says_why() -> None:
    game = Game(
        defined(
            {"a": {"when": "params.l[9] == 1"}, "b": {**HEAR, "compute": {"v": "1"}}}, params={"l": {"type": "list"}}
        ),
        {"l": []},
    )
    game.plan()
    found = game.planner.ledger.evaluator("b", 1)("tasks.a.failure")
    assert (found["reason"], found["attempts"]) == ("NotRun", 0) and found["message"].startswith("when: ")


def test_a_fan_out_lists_the_items_that_failed() -> None:
    each = {"forEach": {"range": {"stop": 3}}}
    game = Game(defined({"a": each, "b": {**HEAR, "compute": {"v": "1"}}}))
    for start in game.plan().starts:
        game.start(start)
        game.end(start.key, "Error" if start.index == 1 else "", {}, 7)
    game.plan()
    found = game.planner.ledger.evaluator("b", 1)("tasks.a.failures.map(f, f.task + ' ' + string(f.exitCode))")
    assert found == ["a[1] 7"]


def test_exit_tasks_read_all_failures_and_the_duration() -> None:
    tell = {"onExit": ["Always"], "compute": {"v": "1"}}
    game = Game(defined({"a": {}, "b": {}, "c": {}, "tell": tell}))
    game.now = 100.0
    starts = game.plan().starts
    for start in starts:
        game.start(start)
    game.now = 190.0
    for start in starts:
        game.end(start.key, "" if start.key == "b" else "Error")
    assert [start.key for start in game.plan().podless] == ["tell"]
    evaluate = game.planner.ledger.evaluator("tell", 1)
    assert evaluate("run.failures.map(f, f.task)") == ["a", "c"]
    assert evaluate("run.duration") == "0s", "without a start there is none"
    game.planner.ledger.run = replace(game.planner.ledger.run, started_at="1970-01-01T00:00:10Z")
    game.planner.clear()
    game.plan()
    evaluate = game.planner.ledger.evaluator("tell", 1)
    assert evaluate("run.duration") == "3m0s" and evaluate("duration(run.duration) > duration('2m')") is True


def test_only_exit_tasks_know_how_the_run_went() -> None:
    with pytest.raises(Exception, match=r"run\.failures is known to exit tasks only"):
        defined({"a": {"compute": {"v": "run.failures.size()"}}})
