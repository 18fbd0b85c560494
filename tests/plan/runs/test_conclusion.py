"""How a run ends: its last tasks decide, and the message names the tasks to blame."""

from typing import Any

import pytest

from plan.game import Game, defined

LEAVES = {"a": {}, "b": {"dependsOn": ["a"]}, "c": {"dependsOn": ["a"], "triggerRule": "AllDone"}}
HANDLED = {"a": {}, "b": {"dependsOn": ["a"], "triggerRule": "OneFailed"}}


def end(tasks: dict[str, Any], **fates: str) -> tuple[str, str]:
    """Phase and message of a run in which tasks end as given; items as `task_index`."""
    game = Game(defined(tasks))
    plan = game.play(lambda key, _: fates.get(key.replace("[", "_").rstrip("]").replace("-", "_"), ""))
    assert plan.starts == [] and plan.stops == [] and plan.wake_at is None
    return plan.phase, plan.message


@pytest.mark.parametrize(
    ("tasks", "fates", "phase", "message"),
    [
        ({"a": {}, "b": {"dependsOn": ["a"]}}, {}, "Succeeded", "2 of 2 tasks succeeded"),
        (LEAVES, {"b": "Error"}, "Failed", "failed: b (Error, exit code 1)"),
        (LEAVES, {"a": "Error"}, "Failed", "failed: a (Error, exit code 1); 1 task downstream did not run"),
        (HANDLED, {"a": "Error"}, "Succeeded", "1 of 2 tasks succeeded; failed, but handled downstream: a"),
        (HANDLED, {}, "Succeeded", "1 of 2 tasks succeeded; 1 skipped"),
        (HANDLED, {"a": "Error", "b": "OOMKilled"}, "Failed", "failed: a (Error, exit code 1), b (OOMKilled)"),
        ({"a": {"when": "false"}, "b": {"dependsOn": ["a"]}}, {}, "Succeeded", "0 of 2 tasks succeeded; 2 skipped"),
        (
            {"a": {}, **{f"b{at}": {"dependsOn": ["a"]} for at in range(3)}},
            {"a": "DeadlineExceeded"},
            "Failed",
            "failed: a (DeadlineExceeded); 3 tasks downstream did not run",
        ),
        (
            {f"t{at}": {} for at in range(7)},
            {f"t{at}": "PodRefused" for at in range(7)},
            "Failed",
            f"failed: {', '.join(f't{at} (PodRefused)' for at in range(5))} and 2 more",
        ),
        (
            {"x": {"forEach": {"range": {"stop": 3}}}},
            {"x_1": "Error", "x_2": "PodRefused"},
            "Failed",
            "failed: x (of 3 items 1 succeeded, 2 failed)",
        ),
        (
            {"x": {"forEach": {"range": {"stop": 2}, "minSuccessRatio": 0.5}}},
            {"x_1": "Error"},
            "Succeeded",
            "1 of 2 tasks succeeded",
        ),
        (
            {"x": {"forEach": {"range": {"stop": "$[[ 1 / 0 ]]"}}}},
            {},
            "Failed",
            "failed: x (forEach.range.stop: `1 / 0`: divide by zero)",
        ),
    ],
)
def test_last_tasks_decide_and_the_message_names_who_failed(
    tasks: dict[str, Any], fates: dict[str, str], phase: str, message: str
) -> None:
    assert end(tasks, **fates) == (phase, message)


@pytest.mark.parametrize(
    ("retries", "reason", "story"),
    [
        ({"limit": 2}, "Error", "a (Error, exit code 1) after 3 attempts"),
        ({"limit": 2}, "ImageInvalid", "a (ImageInvalid)"),
        ({"infrastructureLimit": 0}, "Evicted", "a (Evicted)"),
        ({"infrastructureLimit": 1}, "NodeLost", "a (NodeLost) after 2 attempts"),
    ],
)
def test_a_failure_is_told_with_the_attempts_that_were_in_vain(retries: Any, reason: str, story: str) -> None:
    game = Game(defined({"a": {"retries": {"backoff": {"initial": "1s"}, **retries}}}))
    plan = game.play(lambda key, number: reason)
    assert (plan.phase, plan.message) == ("Failed", f"failed: {story}")


def test_a_chained_fan_out_that_failures_of_single_items_kept_from_running_is_named() -> None:
    tasks = {
        "x": {"forEach": {"range": {"stop": 2}, "minSuccessRatio": 0.5}},
        "y": {"dependsOn": ["x"], "forEach": {"itemsOf": "x"}},
    }
    story = "y (of 2 items 1 succeeded, 1 not run for failures upstream)"
    assert end(tasks, x_1="Error") == ("Failed", f"failed: {story}")
    after = {"dependsOn": ["y"]}
    message = f"failed: {story}; 1 task downstream did not run"
    assert end({**tasks, "z": after}, x_1="Error") == ("Failed", message)


def test_a_cancelled_run_ends_when_its_pods_have_and_says_how_far_it_came() -> None:
    game = Game(defined({"a": {}, "b": {}, "c": {"dependsOn": ["a", "b"]}}))
    for start in game.plan().starts:
        game.start(start)
    game.end("a")
    game.cancelled = True
    game.planner.cancel()
    plan = game.plan()
    assert (plan.phase, plan.message, plan.starts) == ("Running", "being cancelled", [])
    game.end("b", "Cancelled")
    plan = game.plan()
    assert (plan.phase, plan.message) == ("Cancelled", "cancelled after 1 of 3 tasks had succeeded")
    assert game.states() == {"a": "Succeeded", "b": "Cancelled", "c": "Cancelled"}


@pytest.mark.parametrize(("reason", "phase"), [("", "Succeeded"), ("Error", "Failed")])
def test_a_run_cancelled_after_its_last_task_ended_ends_as_that_did(reason: str, phase: str) -> None:
    game = Game(defined({"a": {}}))
    game.play(lambda key, _: reason)
    game.cancelled = True
    assert game.anew().decide(game.now).phase == phase


def test_a_run_waits_for_pods_that_still_live_although_every_task_has_ended() -> None:
    game = Game(defined({"x": {"forEach": {"range": {"stop": 2}, "failFast": True}}}))
    for start in game.plan().starts:
        game.start(start)
    game.end("x[0]", "Error")
    assert game.plan().phase == "Running"
    game.end("x[1]")
    assert game.plan().message == "failed: x (of 2 items 1 succeeded, 1 failed)"


def test_it_is_said_why_no_attempt_follows_though_some_are_left() -> None:
    patient = {"limit": 10, "backoff": {"initial": "2s", "factor": 1}}
    game = Game(defined({"a": {"totalTimeout": "5s", "retries": patient}}))
    assert game.play(lambda key, _: "Error").message.endswith(
        "after 3 attempts: no time for another attempt within totalTimeout (5 s)"
    )
    game = Game(defined({"a": {"retries": {"limit": 3, "failOn": "exitCode == 1"}}}))
    assert game.play(lambda key, _: "Error").message.endswith("exit code 1): failOn matches: exitCode == 1")


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ("true", "2 of 4 tasks succeeded; 1 skipped; failed, but allowed: c"),
        ("false", "1 of 4 tasks succeeded; 2 skipped; failed, but allowed: c"),
    ],
)
def test_exit_tasks_are_counted_in_the_message_as_in_the_progress(when: str, message: str) -> None:
    tasks = {
        "a": {},
        "b": {"when": "false"},
        "c": {"allowFailure": True},
        "bye": {"onExit": ["Always"], "when": when, "env": {"SAID": "$[[ run.message ]]"}},
    }
    assert end(tasks, c="Error") == ("Succeeded", message)
