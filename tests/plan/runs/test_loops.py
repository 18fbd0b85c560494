"""Loops: again after each success, until a condition holds or the limit is reached."""

from collections.abc import Iterable
from typing import Any

import pytest
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.outcomes.state import State
from tradewind.plan.runs.rework import rework
from tradewind.plan.runs.task_ledger import TaskLedger

from plan.game import Game, defined


def looping(until: str = "outputs.n >= 3", **more: Any) -> Game:
    """A task `a` that loops, and `b` after it."""
    loop = {"until": until, **more.pop("loop", {})}
    tasks = {"a": {"loop": loop, **more}, "b": {"dependsOn": ["a"], "env": {"N": "$[[ tasks.a.outputs.n ]]"}}}
    return Game(defined(tasks))


def turn(game: Game, reason: str = "", n: int | None = None, key: str = "a") -> None:
    """One attempt, from its start to its end, as soon as it is due."""
    while not game.keys():
        at = game.plan().wake_at
        assert at is not None, game.states()
        game.now = at
    game.start(next(start for start in game.plan().starts if start.key == key))
    game.end(key, reason, None if n is None else {"n": n})


def turns(game: Game, values: Iterable[int]) -> None:
    for n in values:
        turn(game, n=n)


def ended(game: Game, fails: str = "") -> tuple[str, str]:
    plan = game.play(lambda key, number: "Error" if key == fails else "")
    return plan.phase, plan.message


def test_a_loop_goes_on_until_its_condition_holds_and_only_then_have_others_their_turn() -> None:
    game = looping()
    for n in (1, 2):
        turn(game, n=n)
        assert game.states()["a"] != "Succeeded" and game.keys() == ["a"]
    turn(game, n=3)
    assert game.keys() == ["b"] and game.states()["a"] == "Succeeded"
    assert game.planner.ledger.evaluator("b", 1)("tasks.a.outputs.n") == 3
    assert ended(game)[0] == "Succeeded" and len(game.ended["a"]) == 3


def test_values_know_the_iteration_and_what_the_one_before_handed_on() -> None:
    game = looping(retries={"limit": 1, "backoff": {"initial": "1s"}}, env={"I": "$[[ iteration ]] $[[ previous ]]"})
    game.plan()
    assert [game.planner.ledger.evaluator("a", 1)(name) for name in ("iteration", "previous")] == [1, {}]
    turn(game, n=1)
    turn(game, "Error")
    assert [game.planner.ledger.evaluator("a", 3)(name) for name in ("iteration", "previous")] == [2, {"n": 1}]


def test_iterations_wait_for_one_another_as_long_as_the_delay_says() -> None:
    game = looping(loop={"delay": "30s"})
    turn(game, n=1)
    plan = game.plan()
    assert plan.starts == [] and plan.wake_at == game.now + 30
    words = "attempt 2 starts 30 s after attempt 1 ended and loop.until does not hold"
    assert [(hold.reason, hold.message) for hold in plan.holds] == [("Loop", words)]
    game.now += 30
    assert game.keys() == ["a"]


def test_a_loop_that_does_not_come_to_its_end_fails_and_says_so() -> None:
    game = looping(loop={"maxIterations": 3})
    turns(game, (0, 0, 0))
    assert ended(game) == (
        "Failed",
        "failed: a (loop.until did not hold after 3 iterations); 1 task downstream did not run",
    )
    assert game.planner.refused == {"a": "loop.until did not hold after 3 iterations"}


def test_each_iteration_has_a_budget_of_retries_of_its_own() -> None:
    game = looping(retries={"limit": 1, "backoff": {"initial": "1s"}})
    for reason, n in (("Error", None), ("", 1), ("Error", None), ("", 2), ("Error", None)):
        turn(game, reason, n)
    turn(game, "Error")
    assert ended(game)[0] == "Failed" and game.states()["a"] == "Failed" and len(game.ended["a"]) == 6


@pytest.mark.parametrize(
    ("until", "words"),
    [
        ("outputs.m > 1", "loop.until: `outputs.m > 1`: there is no key 'm'"),
        ("outputs.n", "loop.until: `outputs.n` gives 1, not true or false"),
    ],
)
def test_a_condition_that_cannot_be_evaluated_fails_the_task(until: str, words: str) -> None:
    game = looping(until)
    turn(game, n=1)
    assert words in ended(game)[1] and len(game.ended["a"]) == 1


def test_time_for_all_attempts_is_time_for_the_whole_loop() -> None:
    game = looping(loop={"delay": "30s"}, totalTimeout="50s")
    turns(game, (1, 2))
    assert "no time for another attempt within totalTimeout (50 s)" in ended(game)[1]


def test_items_loop_on_their_own() -> None:
    tasks = {"a": {"forEach": {"items": [1, 3]}, "loop": {"until": "iteration == item"}}}
    game = Game(defined(tasks))
    assert game.play().phase == "Succeeded"
    assert {key: len(attempts) for key, attempts in game.ended.items()} == {"a[0]": 1, "a[1]": 3}


def test_a_cancelled_run_does_not_loop_on() -> None:
    game = looping()
    turn(game, n=1)
    game.planner.cancel()
    assert game.plan().phase == "Cancelled" and game.states()["a"] == "Cancelled"


def test_a_loop_that_failed_goes_on_when_the_run_is_retried_and_begins_anew_when_cleared() -> None:
    game = looping(loop={"maxIterations": 2})
    turns(game, (0, 0))
    assert ended(game)[0] == "Failed"
    game.retry()
    turns(game, (1, 2))
    assert ended(game)[0] == "Failed" and [attempt.number for attempt in game.ended["a"]] == [1, 2, 3, 4]
    game.change(rework(game.planner, [_clear("a")])[0])
    game.plan()
    assert [game.planner.ledger.evaluator("a", 5)(name) for name in ("iteration", "previous")] == [1, {}]
    turn(game, n=5)
    assert game.planner.ledger.states["a"] is not State.FAILED and ended(game)[0] == "Succeeded"


def _clear(task: str) -> Any:
    from tradewind.model.run import Edit

    return Edit(action="Clear", tasks=[task])


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ({"loop": {"until": "tasks.z.outputs.n == 1"}}, "spec.tasks.a.loop.until: `tasks.z.outputs.n == 1`"),
        (
            {"loop": {"until": "tasks.z.state"}},
            "loop.until and produces can use outputs.NAME, iteration, params.NAME and run.name",
        ),
        ({"loop": {"until": "iteration"}}, "gives an integer, not true or false"),
        (
            {"loop": {"until": "outputs.n == 'x'"}, "outputs": {"n": {"type": "integer"}}},
            "spec.tasks.a.loop.until: `outputs.n == 'x'`",
        ),
        ({"loop": {"until": "true", "maxIterations": 0}}, "spec.tasks.a.loop.maxIterations"),
        ({"loop": {"until": ""}}, "spec.tasks.a.loop.until"),
        ({"env": {"I": "$[[ iteration ]]"}}, "there is no iteration here: only values of a task with loop can use it"),
        ({"loop": {"until": "true"}, "when": "iteration == 1"}, "spec.tasks.a.when: `iteration == 1`"),
    ],
)
def test_what_a_loop_cannot_say_is_refused_with_the_field(task: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid) as refused:
        defined({"z": {}, "a": {"dependsOn": ["z"], **task}})
    assert words in str(refused.value)


def test_a_loop_is_decided_once_for_each_iteration_however_often_the_run_is_planned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All tasks and items are visited when a run is cancelled, and the condition may take long."""
    asked: list[str] = []
    own = TaskLedger.evaluate_own

    def counted(ledger: TaskLedger, unit: Any, expression: str) -> Any:
        asked.append(unit.key)
        return own(ledger, unit, expression)

    monkeypatch.setattr(TaskLedger, "evaluate_own", counted)
    game = looping()
    turns(game, [1, 2, 3])
    game.plan()
    assert game.states()["a"] == "Succeeded" and len(asked) == 3
    game.cancelled = True
    game.planner.cancel()
    game.plan()
    assert game.states() == {"a": "Succeeded", "b": "Cancelled"} and len(asked) == 3
