"""Tasks that wait for the same task of the run before: held until the run before lets them start."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.outcomes.attempt import Cleared
from tradewind.plan.runs.decision import PREVIOUS, Hold
from tradewind.plan.runs.planner import LOOKS

from plan.game import Game, defined

WAITS = {"waitForPrevious": True}


def held(game: Game) -> dict[str, str]:
    """What is held for the run before, and why."""
    return {hold.task: hold.message for hold in game.plan().holds if hold.reason == PREVIOUS}


def test_a_task_starts_once_its_run_and_the_run_before_let_it() -> None:
    game = Game(defined({"a": {}, "b": {"dependsOn": ["a"], **WAITS}, "c": {"dependsOn": ["a"]}}))
    assert game.keys() == ["a"] and not held(game) and not game.planner.asks_previous()
    game.start(game.plan().starts[0])
    game.end("a")
    plan = game.plan()
    assert [start.key for start in plan.starts] == ["c"] and plan.holds == [Hold("b", PREVIOUS, LOOKS)]
    assert game.planner.asks_previous() == ["b"] and not plan.moving
    game.look_back("b", "waits for day 1")
    assert held(game) == {"b": "waits for day 1"} and game.keys() == ["c"]
    game.look_back("b")
    assert game.keys() == ["b", "c"] and not held(game)
    game.look_back("b", "waits for day 1 again")
    assert game.keys() == ["c"], "it has not started"
    game.look_back("b")
    assert game.play().phase == "Succeeded"


def test_a_task_that_is_not_to_run_does_not_wait() -> None:
    tasks = {"a": {}, "b": {"dependsOn": ["a"], "when": "false", **WAITS}, "c": {"dependsOn": ["a"], **WAITS}}
    game = Game(defined(tasks))
    game.start(game.plan().starts[0])
    game.end("a", "Error")
    assert game.plan().phase == "Failed" and not held(game)
    assert {name: str(state) for name, state in game.planner.ledger.states.items()} == {
        "a": "Failed",
        "b": "UpstreamFailed",
        "c": "UpstreamFailed",
    }


def test_what_has_started_waits_no_more_and_a_cleared_task_waits_again() -> None:
    game = Game(defined({"a": {**WAITS, "retries": {"limit": 1}}}))
    game.plan()
    game.look_back("a")
    game.start(game.plan().starts[0])
    game.look_back("a", "waits")
    assert not held(game) and game.planner.asks_previous() == []
    game.end("a", "Error")
    game.now += 60
    assert game.keys() == ["a"], "its next attempt"
    game.start(game.plan().starts[0])
    game.end("a")
    assert game.plan().phase == "Succeeded"
    game.change([Cleared("a", 2)])
    assert held(game) == {"a": "waits"}


def test_a_pod_that_was_started_counts_although_the_run_before_has_changed_since() -> None:
    game = Game(defined({"a": {}, "b": {"dependsOn": ["a"], **WAITS}}))
    game.look_back("b", "waits")
    game.plan()
    assert not game.planner.may_have_started("b", 1)
    game.start(game.plan().starts[0])
    game.end("a")
    game.plan()
    assert game.planner.may_have_started("b", 1)


def test_items_wait_together() -> None:
    game = Game(defined({"f": {"forEach": {"items": [1, 2]}, **WAITS}}))
    assert [*held(game)] == ["f[0]", "f[1]"] and game.planner.asks_previous() == ["f"]
    game.look_back("f")
    assert game.play().phase == "Succeeded"


@pytest.mark.parametrize("terminate", [False, True])
def test_cancelling_does_not_wait_for_the_run_before(terminate: bool) -> None:
    game = Game(defined({"a": WAITS, "end": {"onExit": ["Always"], "compute": {"n": "1"}}}))
    assert held(game)
    game.cancelled, game.terminated = True, terminate
    game.planner.cancel(terminate)
    assert game.play().phase == "Cancelled" and not held(game)


def test_a_run_that_waits_is_stopped_by_its_timeout() -> None:
    game = Game(defined({"a": WAITS}), timeout=60.0)
    assert held(game) and game.plan().wake_at == 60.0
    assert game.play().phase == "Failed" and game.now == 60.0


@given(
    lets=st.lists(st.booleans(), min_size=4, max_size=4),
    told=st.lists(st.booleans(), min_size=4, max_size=4),
    seed=st.integers(0, 1_000),
)
def test_a_new_planner_with_the_same_facts_agrees_and_only_what_may_start_does(
    lets: list[bool], told: list[bool], seed: int
) -> None:
    names = ["a", "b", "c", "d"]
    above = {"b": ["a"], "c": ["a"], "d": ["b", "c"]}
    game = Game(defined({name: {"dependsOn": above.get(name, []), **WAITS} for name in names}))
    for _ in range(20):
        plan = game.plan()
        afresh = game.anew(Random(seed))
        again = afresh.decide(game.now)
        assert [start.key for start in again.starts] == [start.key for start in plan.starts]
        assert {*again.holds} == {*plan.holds} and afresh.ledger.states == game.planner.ledger.states
        asked = [name for at, name in enumerate(names) if told[at] and name in game.planner.asks_previous()]
        for name in asked:
            game.look_back(name, "" if lets[names.index(name)] else "waits")
        for start in game.plan().starts:
            assert game.previous[start.key] == ""
            game.start(start)
            game.end(start.key)
    free = {name for at, name in enumerate(names) if lets[at] and told[at]}
    ran = {name for name in names if name in free and all(other in free for other in ("a", *above.get(name, ())))}
    assert {key for key, _ in game.started} == ran


@pytest.mark.parametrize(
    ("task", "field"),
    [({"onExit": ["Always"]}, "b"), ({"teardown": {"of": ["a"]}}, "b"), ({"handles": {"of": ["a"]}}, "b")],
)
def test_tasks_with_a_time_of_their_own_do_not_wait(task: dict[str, object], field: str) -> None:
    with pytest.raises(Invalid, match=f"spec.tasks.{field}.waitForPrevious: teardowns, exit tasks and handlers run at"):
        defined({"a": {}, "b": {**task, **WAITS}})


def test_tasks_of_local_dags_do_not_wait() -> None:
    with pytest.raises(
        Invalid, match=r"spec\.dags\.part\.tasks\.a\.waitForPrevious: runs of a local DAG have no order; set it on"
    ):
        defined({"p": {"dag": {"local": "part"}, **WAITS}}, dags={"part": {"tasks": {"a": {"image": "x", **WAITS}}}})
