"""Runs that wait for the operator's memory."""

from typing import Any

from tradewind.plan.outcomes.state import State
from tradewind.plan.runs.decision import CROWDED, MEMORY
from tradewind.plan.runs.task_ledger import UNIT

from plan.game import Game, defined


def fan() -> Game:
    tasks: dict[str, Any] = {
        "x": {"forEach": {"range": {"stop": 3}}},
        "y": {"forEach": {"itemsOf": "x"}, "dependsOn": ["x"]},
        "plain": {},
    }
    return Game(defined(tasks))


def test_a_fan_out_waits_and_says_why_while_other_tasks_start() -> None:
    game = fan()
    game.planner.tell_crowded(True)
    plan = game.plan()
    assert [start.key for start in plan.starts] == ["plain"]
    assert [(hold.task, hold.reason, hold.message) for hold in plan.holds] == [("x", MEMORY, CROWDED)]
    assert game.planner.hungry and game.planner.ledger.states["x"] is State.BLOCKED
    game.planner.tell_crowded(False)
    plan = game.plan()
    assert {start.key for start in plan.starts} >= {"x[0]", "x[1]", "x[2]"} and not plan.holds
    assert not game.planner.hungry


def test_a_fan_out_of_which_items_have_run_goes_on_after_a_restart() -> None:
    game = fan()
    for start in game.plan().starts:
        game.start(start)
    game.planner = game.anew()
    game.planner.tell_crowded(True)
    plan = game.plan()
    assert len(game.planner.ledger.members("x")) == 3 and not plan.holds and not plan.stops


def test_a_run_that_waits_for_memory_can_be_cancelled() -> None:
    game = fan()
    game.planner.tell_crowded(True)
    game.plan()
    game.planner.cancel(True)
    assert game.planner.decide(0.0).phase == "Cancelled"


def test_what_a_run_takes_grows_with_its_items_and_their_size() -> None:
    small = Game(defined({"x": {"forEach": {"range": {"stop": 100}}}}))
    large = Game(
        defined({"x": {"forEach": {"items": ["$[[ params.t ]]"] * 100}}}, params={"t": {}}), {"t": "x" * 9_000}
    )
    for game in (small, large):
        game.plan()
    assert 100 * UNIT <= small.planner.ledger.footprint < 110 * UNIT
    assert large.planner.ledger.footprint > small.planner.ledger.footprint + 800_000
