"""failFast of a DAG: a run that can't succeed any more stops what is active and starts nothing else."""

from typing import Any

from plan.game import Game, defined

LONG = {"slow": {}, "later": {"dependsOn": ["slow"]}}


def failed(tasks: dict[str, Any], key: str = "bad", **spec: Any) -> Game:
    """A run whose first tasks have started, and in which one of them has failed."""
    game = Game(defined(tasks, failFast=True, **spec))
    for start in game.plan().starts:
        game.start(start)
    game.end(key, "Error")
    return game


def test_active_tasks_are_stopped_and_no_others_start() -> None:
    game = failed({"bad": {}, **LONG})
    plan = game.plan()
    assert plan.message == "being stopped: it can't succeed any more, and the DAG fails fast"
    assert [(stop.task, stop.reason) for stop in plan.stops] == [("slow", "FailFast")]
    game.end("slow", "FailFast")
    plan = game.plan()
    assert (plan.phase, plan.message) == ("Failed", "failed: bad (Error, exit code 1); 2 stopped (failFast)")
    assert game.states() == {"bad": "Failed", "slow": "Cancelled", "later": "Cancelled"}


def test_a_task_that_succeeds_while_it_is_stopped_has_succeeded() -> None:
    game = failed({"bad": {}, **LONG})
    game.plan()
    game.end("slow")
    assert game.plan().starts == [] and game.states()["slow"] == "Succeeded" and game.states()["later"] == "Cancelled"
    assert game.plan().phase == "Failed"


def test_without_it_the_others_go_on() -> None:
    game = Game(defined({"bad": {}, **LONG}))
    plan = game.play(lambda key, _: "Error" if key == "bad" else "")
    assert plan.phase == "Failed" and game.states()["later"] == "Succeeded"


def test_a_failure_that_the_run_can_survive_stops_nothing() -> None:
    for survivor in ({"allowFailure": True}, {"retries": {"limit": 1}}):
        assert failed({"bad": survivor, **LONG}).plan().stops == []
    handled = {"bad": {}, "handler": {"dependsOn": ["bad"], "triggerRule": "OneFailed"}, **LONG}
    game = failed(handled)
    assert game.plan().stops == [] and game.keys() == ["handler"]


def test_teardowns_and_exit_tasks_still_run() -> None:
    tasks = {
        "made": {},
        "bad": {"dependsOn": ["made"]},
        "slow": {"dependsOn": ["made"]},
        "clean": {"dependsOn": ["bad", "slow"], "teardown": {"of": ["made"]}},
        "tell": {"onExit": ["Failed"]},
    }
    game = Game(defined(tasks, failFast=True))
    plan = game.play(lambda key, _: "Error" if key == "bad" else "")
    assert plan.phase == "Failed"
    assert [key for key, _ in game.started][-2:] == ["clean", "tell"]


def test_a_run_that_a_person_cancels_is_cancelled() -> None:
    game = failed({"bad": {}, **LONG})
    game.cancelled = True
    game.planner.cancel()
    game.plan()
    game.end("slow", "Cancelled")
    assert game.plan().phase == "Cancelled"


def test_a_retried_run_runs_what_was_stopped() -> None:
    game = failed({"bad": {}, **LONG})
    game.plan()
    game.end("slow", "FailFast")
    assert game.plan().phase == "Failed"
    game.retry()
    assert sorted(game.keys()) == ["bad", "slow"]
    assert game.play().phase == "Succeeded"
