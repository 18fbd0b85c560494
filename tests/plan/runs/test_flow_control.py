"""Failures that are allowed, setups with their teardowns, exit tasks, suspension, and tasks that need no pod."""

from typing import Any

import pytest
from tradewind.plan.dags.compile import define
from tradewind.plan.documents.problem import Invalid

from plan.game import Game, defined

WORK = {
    "cluster": {},
    "load": {"dependsOn": ["cluster"]},
    "clean": {"dependsOn": ["load"]},
    "remove": {"teardown": {"of": ["cluster"]}},
}


def played(tasks: dict[str, Any], **fates: str) -> Game:
    """A run played to its end, in which tasks end as given."""
    game = Game(defined(tasks))
    game.play(lambda key, _: fates.get(key.replace("-", "_"), ""))
    return game


def ended(game: Game) -> tuple[str, str]:
    plan = game.plan()
    return plan.phase, plan.message


@pytest.mark.parametrize("reason", ["Error", "Evicted"])
def test_what_depends_on_an_allowed_failure_goes_on_as_after_a_success(reason: str) -> None:
    retries = {"infrastructureLimit": 0}
    game = played({"a": {"allowFailure": True, "retries": retries}, "b": {"dependsOn": ["a"]}}, a=reason)
    assert game.states()["b"] == "Succeeded" and game.states()["a"] in ("Failed", "Lost")
    assert ended(game) == ("Succeeded", "1 of 2 tasks succeeded; failed, but allowed: a")


def test_a_last_task_whose_failure_is_allowed_does_not_fail_the_run() -> None:
    assert ended(played({"a": {}, "b": {"allowFailure": True}}, b="Error"))[0] == "Succeeded"
    assert (
        ended(played({"a": {}, "b": {"allowFailure": True}}, a="Error", b="Error"))[1]
        == "failed: a (Error, exit code 1)"
    )


def test_expressions_and_rules_in_cel_see_an_allowed_failure_as_what_it_is() -> None:
    tasks = {
        "a": {"allowFailure": True},
        "told": {"dependsOn": ["a"], "when": "tasks.a.state == 'Failed'"},
        "rule": {"dependsOn": ["a"], "triggerRule": "Failed(a) && true"},
    }
    game = played(tasks, a="Error")
    assert game.states() == {"a": "Failed", "told": "Succeeded", "rule": "Succeeded"}


@pytest.mark.parametrize(
    ("fates", "states", "phase"),
    [
        ({}, ["Succeeded", "Succeeded", "Succeeded", "Succeeded"], "Succeeded"),
        ({"load": "Error"}, ["Succeeded", "Failed", "UpstreamFailed", "Succeeded"], "Failed"),
        ({"cluster": "Error"}, ["Failed", "UpstreamFailed", "UpstreamFailed", "Succeeded"], "Failed"),
        ({"remove": "Error"}, ["Succeeded", "Succeeded", "Succeeded", "Failed"], "Succeeded"),
    ],
)
def test_a_teardown_runs_after_everything_that_needs_its_setup_and_does_not_decide(
    fates: dict[str, str], states: list[str], phase: str
) -> None:
    game = played(WORK, **fates)
    assert list(game.states().values()) == states and ended(game)[0] == phase
    assert game.started[-1] == ("remove", 1)


def test_a_teardown_of_a_setup_that_never_ran_is_skipped() -> None:
    tasks = {"gate": {"when": "false"}, **WORK, "cluster": {"dependsOn": ["gate"]}}
    assert set(played(tasks).states().values()) == {"Skipped"}


def test_a_teardown_that_fails_the_run_does_so_when_asked_to() -> None:
    tasks = {**WORK, "remove": {"teardown": {"of": ["cluster"], "failsRun": True}}}
    assert ended(played(tasks, remove="Error")) == ("Failed", "failed: remove (Error, exit code 1)")


def test_teardowns_of_setups_within_setups_run_inside_out() -> None:
    tasks = {
        **WORK,
        "database": {"dependsOn": ["cluster"]},
        "query": {"dependsOn": ["database"]},
        "drop": {"teardown": {"of": ["database"]}},
        "report": {"dependsOn": ["remove"]},
    }
    names = [name for name, _ in played(tasks).started]
    assert names.index("query") < names.index("drop") < names.index("remove") < names.index("report")


@pytest.mark.parametrize(
    ("fates", "run", "outcome"),
    [({}, {"good", "any"}, "Succeeded"), ({"work": "Error"}, {"bad", "any"}, "Failed")],
)
def test_exit_tasks_run_by_how_the_run_ends_and_do_not_change_it(
    fates: dict[str, str], run: set[str], outcome: str
) -> None:
    tasks = {
        "work": {},
        "good": {"onExit": ["Succeeded"]},
        "bad": {"onExit": ["Failed", "Cancelled"]},
        "any": {"onExit": ["Always"], "when": f"run.outcome == '{outcome}' && run.message != ''"},
        "after": {"onExit": ["Always"], "dependsOn": ["any"], "triggerRule": "OneFailed"},
    }
    game = played(tasks, any="Error", **fates)
    assert {name for name, _ in game.started} == {"work", "after", *run}
    phase, message = ended(game)
    assert phase == outcome and message.endswith("; exit tasks failed: any (Error, exit code 1)")


def test_a_cancelled_run_still_tears_down_and_tells_and_a_terminated_one_does_not() -> None:
    tasks = {**WORK, "tell": {"onExit": ["Cancelled"]}, "ok": {"onExit": ["Succeeded"]}}
    for terminate in (False, True):
        game = Game(defined(tasks))
        game.start(game.plan().starts[0])
        game.cancelled, game.terminated = True, terminate
        game.planner.cancel(terminate)
        assert [(stop.task, stop.reason) for stop in game.plan().stops] == [("cluster", "Cancelled")]
        game.play()
        assert ended(game)[0] == "Cancelled"
        after = {"remove": "Succeeded", "tell": "Succeeded"}
        stopped = dict.fromkeys(after, "Cancelled")
        assert game.states() == {
            **dict.fromkeys(("cluster", "load", "clean"), "Cancelled"),
            **(stopped if terminate else after),
            "ok": "Skipped",
        }


def test_a_run_out_of_time_still_tears_down() -> None:
    game = Game(defined(WORK, timeout="5s"), timeout=5.0)
    game.start(game.plan().starts[0])
    game.now = 6.0
    game.play()
    assert ended(game)[0] == "Failed" and game.states()["remove"] == "Succeeded"


def test_nothing_starts_in_a_suspended_run_and_it_says_so() -> None:
    game = Game(defined({"a": {}, "b": {"wait": {"duration": "1s"}}}))
    game.suspended = True
    game.planner.suspend(game.suspended)
    plan = game.plan()
    assert (plan.starts, plan.podless, plan.moving) == ([], [], False)
    assert [hold.reason for hold in plan.holds] == ["Suspended"]
    game.suspended = False
    game.planner.suspend(game.suspended)
    assert game.play().phase == "Succeeded"


def test_tasks_without_pods_take_no_room_of_the_runs_parallelism() -> None:
    tasks = {"a": {}, "b": {}, "w": {"wait": {"duration": "1s"}}, "v": {"wait": {"duration": "1s"}}}
    game = Game(defined(tasks, parallelism=1))
    plan = game.plan()
    assert [start.key for start in plan.starts[: plan.room]] == ["a"] and len(plan.podless) == 2
    for start in plan.podless:
        game.start(start)
    assert game.plan().room == 1
    assert game.play().phase == "Succeeded"


@pytest.mark.parametrize(("reason", "moving"), [("Wait", True), ("SubDAG", True), ("Approval", False), ("", True)])
def test_a_run_that_waits_for_time_or_another_run_moves_and_one_that_waits_for_a_person_does_not(
    reason: str, moving: bool
) -> None:
    game = Game(defined({"w": {"wait": {"duration": "1s"}}}))
    game.start(game.plan().podless[0], reason=reason)
    assert game.plan().moving is moving


def test_an_http_task_that_needs_a_pod_gets_one() -> None:
    url = {"url": "http://x"}
    secret = {"A": {"secretKeyRef": {"name": "s", "key": "k"}}}
    tasks = {
        "plain": {"http": url},
        "asked": {"http": {**url, "pod": True}},
        "pool": {"http": url, "pools": [{"name": "p"}]},
        "secret": {"http": url, "envFrom": secret},
        "param": {"http": url, "env": {"T": "$[[ params.t ]]"}},
    }
    definition = define({"params": {"t": {"type": "secret"}}, "tasks": tasks})
    assert definition.podless() == {"plain"}
    assert definition.podless(secrets=True) == {"plain", "secret", "param"}


@pytest.mark.parametrize(
    ("tasks", "problem"),
    [
        ({"a": {"onExit": ["Always"]}}, "spec.tasks: all tasks are exit tasks"),
        ({"a": {}, "b": {"teardown": {"of": ["x"]}}}, "spec.tasks.b.teardown.of[0]: there is no task 'x'"),
        ({"a": {}, "b": {"teardown": {"of": ["b"]}}}, "spec.tasks.b.teardown.of[0]: b is not a setup"),
        ({"a": {}, "b": {"teardown": {"of": ["a"]}, "onExit": ["Always"]}}, "spec.tasks.b.onExit: a teardown runs at"),
        ({"a": {}, "b": {"teardown": {"of": ["a"]}, "triggerRule": "AllDone"}}, "spec.tasks.b.triggerRule: a teardown"),
        ({"a": {"dependsOn": ["b"]}, "b": {"onExit": ["Always"]}}, "spec.tasks.a.dependsOn[0]: b is an exit task"),
        ({"a": {}, "b": {"dependsOn": ["a"], "onExit": ["Failed"]}}, "spec.tasks.b.dependsOn[0]: an exit task runs"),
        ({"a": {"when": "run.outcome == 'x'"}}, "run.outcome is known to exit tasks only: give the task an onExit"),
        ({"a": {"wait": {"duration": "soon"}}}, "spec.tasks.a.wait.duration: 'soon' is not a duration"),
        ({"a": {"wait": {"until": "2026-01-31"}}}, "spec.tasks.a.wait.until: '2026-01-31' has no time zone: add Z"),
        ({"a": {"wait": {"until": "2026-02-30T06:00Z"}}}, "'2026-02-30T06:00Z': February 2026 has 28 days"),
        ({"a": {"wait": {"until": "noon"}}}, "spec.tasks.a.wait.until: 'noon' is not a point in time"),
        ({"a": {"wait": {}}}, "spec.tasks.a.wait: needs one end; write either duration or until"),
        ({"a": {"compute": {"x": "1 +"}}}, "spec.tasks.a.compute.x: `1 +`"),
        ({"a": {"compute": {"x-y": "1"}}}, "spec.tasks.a.compute.x-y: not an output name"),
        ({"a": {"compute": {"x": "1"}, "pools": [{"name": "p"}]}}, "spec.tasks.a.pools: pools limit what uses"),
        (
            {"a": {"wait": {"duration": "1s"}, "pools": [{"name": "p"}]}},
            "`wait` uses nothing; remove it, or call a DAG",
        ),
        ({"a": {"approval": {}, "pools": [{"name": "p"}]}}, "spec.tasks.a.pools: pools limit what uses something"),
        (
            {"a": {"compute": {"x": "1"}, "wait": {"duration": "1s"}}},
            "spec.tasks.a: wait and compute exclude each other",
        ),
        ({"a": {"wait": {"duration": "1s"}, "image": "i"}}, "spec.tasks.a.image: wait tasks need no image; remove it"),
        ({"a": {"approval": {"questions": {"n": {"type": "boolean", "min": 1}}}}}, "spec.tasks.a.approval.questions.n"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_field(tasks: dict[str, Any], problem: str) -> None:
    bodies = {
        name: {"image": "x", **task} if not task.keys() & {"wait", "compute", "approval"} else task
        for name, task in tasks.items()
    }
    with pytest.raises(Invalid) as refused:
        define({"tasks": bodies})
    assert problem in str(refused.value)
