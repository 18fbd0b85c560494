"""Time limits: an attempt that does not start, all attempts together, a whole run."""

import pytest
from tradewind.plan.outcomes.attempt import Attempt
from tradewind.plan.runs.decision import Live

from plan.game import Game, defined


@pytest.mark.parametrize(
    ("held", "reason", "advice"),
    [
        ("Unschedulable", "Unschedulable", "make room"),
        ("ErrImagePull", "ImagePullFailed", "check the image's name"),
        ("ImagePullBackOff", "ImagePullFailed", "imagePullSecrets"),
        ("ErrImageNeverPull", "ImagePullFailed", "its registry"),
        ("CreateContainerConfigError", "ConfigError", "fix env and envFrom"),
        ("", "PendingTimeout", "kubectl describe pod"),
    ],
)
def test_what_does_not_start_is_failed_as_for_what_holds_it(held: str, reason: str, advice: str) -> None:
    game = Game(defined({"a": {"pendingTimeout": "30s"}}))
    game.start(game.plan().starts[0], pending=True, reason=held, message="words")
    assert game.plan().stops == [] and game.plan().wake_at == 30.0
    game.now = 30.0
    stop = game.plan().stops[0]
    assert stop.reason == reason and advice in stop.why and "not started after 30 s (pendingTimeout): words" in stop.why


def test_what_has_not_started_is_said_once() -> None:
    game = Game(defined({"a": {"pendingTimeout": "30s"}}))
    game.start(game.plan().starts[0], pending=True)
    game.now = 30.0
    assert game.plan().stops[0].why == "not started after 30 s (pendingTimeout); see `kubectl describe pod`"


def test_a_pod_behind_a_scheduling_gate_waits_for_ever_and_the_run_says_so() -> None:
    game = Game(defined({"a": {"pendingTimeout": "30s"}}))
    game.start(game.plan().starts[0], pending=True, reason="SchedulingGated", message="words")
    game.now = 1_000_000.0
    plan = game.plan()
    assert plan.stops == [] and plan.wake_at is None and [hold.message for hold in plan.holds] == ["words"]


def test_all_attempts_together_have_a_limit_behind_a_gate_too() -> None:
    game = Game(defined({"a": {"totalTimeout": "100s"}}))
    game.start(game.plan().starts[0], pending=True, reason="SchedulingGated", created=0)
    assert game.plan().wake_at == 100.0
    game.now = 100.0
    assert game.plan().stops[0].reason == "TotalTimeout"


def test_an_image_name_that_is_none_is_failed_as_at_once() -> None:
    game = Game(defined({"a": {"retries": {"limit": 3}}}))
    game.start(game.plan().starts[0], pending=True, reason="InvalidImageName", message="bad")
    assert game.plan().stops[0].reason == "ImageInvalid"
    game.end("a", "ImageInvalid")
    assert game.plan().phase == "Failed"


def test_all_attempts_together_have_a_limit() -> None:
    game = Game(
        defined({"a": {"totalTimeout": "100s", "retries": {"limit": 9, "backoff": {"initial": "30s", "factor": 1}}}})
    )
    game.start(game.plan().starts[0], created=0)
    game.now = 60.0
    game.planner.tell_ended("a", [Attempt("a", 1, 0, 60, "Error", 1)], 60.0)
    game.planner.tell_live("a", None)
    assert game.plan().wake_at == 90.0
    game.now = 90.0
    assert game.keys() == ["a"]
    game.planner.tell_live("a", Live(2, seen=90.0, created=90))
    game.plan()
    assert game.plan().wake_at == 100.0
    game.now = 100.0
    assert game.plan().stops[0].reason == "TotalTimeout"


def test_no_attempt_is_begun_for_which_there_is_no_time() -> None:
    game = Game(defined({"a": {"totalTimeout": "5s", "retries": {"limit": 9, "backoff": {"initial": "30s"}}}}))
    game.start(game.plan().starts[0])
    game.end("a", "Error")
    assert game.plan().phase == "Failed"
    assert game.planner.ledger.units["a"].why == "no time for another attempt within totalTimeout (5 s)"


def test_a_retry_that_gets_its_turn_too_late_is_stopped_at_once() -> None:
    retries = {"limit": 3, "backoff": {"initial": "1s"}}
    game = Game(defined({"a": {"totalTimeout": "10s", "retries": retries}}))
    game.start(game.plan().starts[0])
    game.end("a", "Error")
    game.now = 50.0
    game.start(game.plan().starts[0])
    assert [(stop.task, stop.reason) for stop in game.plan().stops] == [("a", "TotalTimeout")]


GIVEN_UP = {"totalTimeout": "5s", "retries": {"limit": 9, "backoff": {"initial": "30s"}}}


def test_a_task_failed_as_for_its_total_timeout_stays_so_when_the_run_is_cancelled_or_takes_too_long() -> None:
    for cancelled in (True, False):
        game = Game(defined({"a": GIVEN_UP, "b": {}}, timeout="60s"), timeout=60.0)
        for start in game.plan().starts:
            game.start(start)
        game.end("a", "Error")
        game.plan()
        game.cancelled, game.now = cancelled, 60.0
        if cancelled:
            game.planner.cancel()
        for planner in (game.planner, game.anew()):
            plan = planner.decide(game.now)
            reason = "Cancelled" if cancelled else "RunTimeout"
            assert [(stop.task, stop.reason) for stop in plan.stops] == [("b", reason)]
            assert planner.ledger.states["a"] == "Failed"


def test_an_item_failed_as_for_its_total_timeout_fails_its_fan_out_fast() -> None:
    game = Game(defined({"x": {"forEach": {"range": {"stop": 2}, "failFast": True}, **GIVEN_UP}}))
    for start in game.plan().starts:
        game.start(start)
    game.end("x[0]", "Error")
    assert [(stop.task, stop.reason) for stop in game.plan().stops] == [("x[1]", "FailFast")]
    assert game.states()["x[0]"] == "Failed"


@pytest.mark.parametrize("reason", ["TotalTimeout", "Error"])
def test_retrying_a_run_gives_tasks_their_total_timeout_anew(reason: str) -> None:
    game = Game(defined({"a": {"totalTimeout": "100s"}}))
    game.start(game.plan().starts[0])
    game.now = 100.0
    game.end("a", reason)
    assert game.plan().phase == "Failed"
    game.now = 500.0
    game.retry()
    assert game.keys() == ["a"]
    game.start(game.plan().starts[0])
    plan = game.plan()
    assert (plan.stops, plan.wake_at) == ([], 600.0)


def test_a_run_that_takes_too_long_fails_and_stops_what_runs() -> None:
    game = Game(defined({"a": {}, "b": {"dependsOn": ["a"]}}, timeout="60s"), timeout=60.0)
    game.start(game.plan().starts[0])
    assert game.plan().wake_at == 60.0
    game.now = 60.0
    assert [(stop.task, stop.reason) for stop in game.plan().stops] == [("a", "RunTimeout")]
    game.end("a", "RunTimeout")
    plan = game.plan()
    assert (plan.phase, plan.message) == ("Failed", "took longer than its timeout (60s); 0 of 2 tasks had succeeded")
    assert game.states() == {"a": "Cancelled", "b": "Cancelled"}


def test_a_run_that_had_ended_in_time_did_not_take_too_long() -> None:
    game = Game(defined({"a": {}, "b": {"dependsOn": ["a"]}}, timeout="60s"), timeout=60.0)
    game.play()
    game.now = 1_000.0
    assert game.anew().decide(game.now).phase == "Succeeded"
