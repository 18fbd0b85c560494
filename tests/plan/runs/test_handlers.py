"""Handlers: a task that runs for each end of others, with the end as data."""

from collections.abc import Sequence
from typing import Any

import pytest
from tradewind.model.run import Edit
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.runs.rework import rework

from plan.game import Game, defined

RETRIED = {"retries": {"limit": 1, "backoff": {"initial": "1s"}}}
ALL = ["Failed", "Retry", "Succeeded", "Skipped"]
FAILED = {"task": "a", "state": "Failed", "reason": "Error", "exitCode": 3}
ERROR = "the task ended with an exit code other than 0"


def tell(*of: str, ends: Sequence[str] = ("Failed",), **more: Any) -> dict[str, Any]:
    return {"handles": {"of": list(of), "ends": list(ends)}, **more}


def play(tasks: dict[str, Any], *failing: str, times: int = 9, **spec: Any) -> Game:
    """A run in which some tasks fail, `times` times."""
    game = Game(defined(tasks, **spec))
    game.play(lambda key, number: "Error" if key in failing and number <= times else "")
    return game


def items(game: Game, handler: str = "tell") -> list[dict[str, Any]]:
    return [dict(unit.item) for unit in game.planner.ledger.members(handler)]


def test_a_failure_is_handled_once_with_what_is_known_of_it() -> None:
    game = play({"a": RETRIED, "b": {}, "tell": tell("*")}, "a")
    assert items(game) == [
        {"task": "a", "state": "Failed", "reason": "Error", "exitCode": 1, "message": ERROR, "attempts": 2}
    ]
    assert game.states()["tell"] == "Succeeded"


def test_a_handler_starts_while_the_run_goes_on() -> None:
    game = Game(defined({"a": {}, "b": {}, "tell": tell("a")}))
    for start in game.plan().starts:
        game.start(start)
    game.end("a", "Error")
    assert game.keys() == ["tell[1]"] and "b" in game.live


def test_a_handler_changes_nothing_about_how_the_run_ends() -> None:
    assert play({"a": {}, "tell": tell("a")}, "a").plan().phase == "Failed"
    game = play({"a": {}, "tell": tell("a", ends=["Succeeded"])}, "tell[1]")
    plan = game.plan()
    assert plan.phase == "Succeeded"
    assert plan.message.endswith("; handlers failed: tell (of 1 item 1 failed)")


def test_a_retry_is_handled_when_the_next_attempt_starts() -> None:
    game = play({"a": RETRIED, "tell": tell("a", ends=["Retry", "Succeeded"])}, "a", times=1)
    assert [(item["state"], item["reason"], item["attempts"]) for item in items(game)] == [
        ("Retry", "Error", 1),
        ("Succeeded", "", 2),
    ]


def test_losses_by_the_infrastructure_are_failures_and_retries_too() -> None:
    game = Game(
        defined(
            {"a": {"retries": {"infrastructureLimit": 1, "backoff": {"initial": "1s"}}}, "tell": tell("a", ends=ALL)}
        )
    )
    game.play(lambda key, number: "Evicted" if key == "a" else "")
    assert [(item["state"], item["reason"]) for item in items(game)] == [("Retry", "Evicted"), ("Failed", "Evicted")]


def test_a_fan_out_is_handled_as_a_whole() -> None:
    game = play({"a": {"forEach": {"items": [1, 2]}}, "tell": tell("a")}, "a[1]")
    assert items(game) == [
        {
            "task": "a",
            "state": "Failed",
            "reason": "ItemsFailed",
            "exitCode": -1,
            "message": "of 2 items 1 succeeded, 1 failed",
            "attempts": 0,
        }
    ]


def test_what_was_skipped_is_handled_and_what_could_not_run_is_not() -> None:
    tasks = {"a": {"when": "false"}, "b": {}, "c": {"dependsOn": ["b"]}, "tell": tell("*", ends=["Skipped", "Failed"])}
    assert [(item["task"], item["state"]) for item in items(play(tasks, "b"))] == [("a", "Skipped"), ("b", "Failed")]


def test_a_handler_with_nothing_to_handle_is_skipped() -> None:
    game = play({"a": {}, "tell": tell("a")})
    assert game.states()["tell"] == "Skipped"
    assert game.planner.ledger.groups["tell"].why == "there is nothing to handle"


def test_a_condition_chooses_among_ends() -> None:
    tasks = {"a": {}, "b": {}, "tell": tell("*", when="item.task == 'b' && item.exitCode == 1")}
    assert {key: state for key, state in play(tasks, "a", "b").states().items() if "[" in key} == {
        "tell[1]": "Skipped",
        "tell[1001]": "Succeeded",
    }


@pytest.mark.parametrize("how", ["cancel", "timeout"])
def test_a_handler_runs_in_a_run_that_is_stopped(how: str) -> None:
    game = Game(defined({"a": {}, "b": {}, "tell": tell("a")}), timeout=5.0)
    for start in game.plan().starts:
        game.start(start)
    game.end("a", "Error")
    if how == "cancel":
        game.planner.cancel()
        game.cancelled = True
    else:
        game.now = 6.0
    plan = game.plan()
    assert [start.key for start in plan.starts] == ["tell[1]"] and [stop.task for stop in plan.stops] == ["b"]


def test_what_a_person_has_decided_is_not_handled() -> None:
    game = Game(defined({"a": {}, "tell": tell("a", ends=ALL)}))
    game.change(rework(game.planner, [Edit(action="Fail", tasks=["a"])])[0])
    assert game.play().phase == "Failed" and items(game) == []


def test_a_task_that_runs_again_is_handled_again_and_the_others_are_not() -> None:
    game = play({"a": {}, "b": {}, "tell": tell("*")}, "a", "b")
    game.started.clear()
    game.change(rework(game.planner, [Edit(action="Clear", tasks=["a"])])[0])
    game.play(lambda key, number: "Error" if key == "a" else "")
    assert sorted(game.started) == [("a", 2), ("tell[2]", 1)]


def test_a_retry_by_a_person_is_handled_again() -> None:
    game = play({"a": {}, "tell": tell("a")}, "a")
    game.retry()
    game.play(lambda key, number: "Error" if key == "a" else "")
    assert sorted(game.started) == [("a", 2), ("tell[2]", 1)]


def test_exit_tasks_come_after_handlers() -> None:
    game = Game(defined({"a": {}, "tell": tell("a"), "bye": {"onExit": ["Always"]}}))
    game.start(game.plan().starts[0])
    game.end("a", "Error")
    assert game.keys() == ["tell[1]"]
    game.start(game.plan().starts[0])
    game.end("tell[1]")
    assert game.keys() == ["bye"]


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ({"a": {}, "tell": tell("b")}, "spec.tasks.tell.handles.of[0]: there is no task 'b'"),
        ({"a": {}, "tell": tell("tell")}, "spec.tasks.tell.handles.of[0]: tell is a handler"),
        ({"a": {}, "tell": tell("a", forEach={"items": [1]})}, "spec.tasks.tell.forEach: a handler runs for each end"),
        (
            {"a": {}, "tell": tell("a", dependsOn=["a"])},
            "spec.tasks.tell.dependsOn: a handler runs as soon as a task ends",
        ),
        ({"a": {}, "tell": tell("a", onExit=["Failed"])}, "spec.tasks.tell.onExit: a handler runs as soon as"),
        ({"a": {}, "tell": tell("a"), "b": {"dependsOn": ["tell"]}}, "spec.tasks.b.dependsOn[0]: tell is a handler"),
        ({"tell": tell("*")}, "spec.tasks: no task does the work"),
        (
            {"a": {}, "tell": tell("a", when="tasks.a.state == 'Failed'")},
            "there is no tasks.a.state here: while a handler runs, other tasks may not have ended; it can use item",
        ),
        (
            {"a": {}, "tell": tell("a", when="item.code == 1")},
            "there is no item.code; a handler's item has task, state, reason, exitCode, message, attempts",
        ),
    ],
)
def test_mistakes_are_told(tasks: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid) as caught:
        defined(tasks)
    assert any(words in str(problem) for problem in caught.value.problems), caught.value.problems
