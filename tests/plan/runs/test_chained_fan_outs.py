"""Fan-outs over the items of another: each item follows its counterpart."""

from typing import Any

from plan.game import Game, defined


def chained(**task: Any) -> Game:
    second = {"dependsOn": ["x"], "forEach": {"itemsOf": "x"}, **task}
    return Game(
        defined(
            {
                "x": {"forEach": {"items": ["p", "q"]}},
                "y": second,
                "end": {"dependsOn": ["y"], "triggerRule": "AllDone"},
            }
        )
    )


def test_chained_items_start_as_soon_as_their_counterparts_have_ended() -> None:
    game = chained()
    for start in game.plan().starts:
        game.start(start)
    game.end("x[1]")
    assert game.keys() == ["y[1]"] and game.planner.ledger.units["y[1]"].item == "q"
    game.end("x[0]", "Error")
    game.plan()
    assert game.states()["y[0]"] == "UpstreamFailed"


def test_chained_items_follow_their_rule_and_see_their_counterparts_outputs() -> None:
    game = chained(triggerRule="AllDone", when="tasks.x.state == 'Failed' || tasks.x.outputs.n > 5")
    game.play(lambda key, _: "Error" if key == "x[0]" else "", lambda key: {"n": 1} if key == "x[1]" else None)
    assert (game.states()["y[0]"], game.states()["y[1]"]) == ("Succeeded", "Skipped")
    assert game.states()["y"] == "Succeeded"


def test_chained_items_count_towards_the_limit_of_a_run_too() -> None:
    chain = {"dependsOn": ["x"], "forEach": {"itemsOf": "x"}}
    game = Game(defined({"x": {"forEach": {"range": {"stop": 4_000}}}, "y": chain, "z": chain}))
    game.plan()
    assert game.states()["y"] == "Blocked" and game.states()["z"] == "Failed" and game.planner.ledger.total == 8_001
    assert game.planner.refused == {"z": "forEach: the run would have 12000 tasks and items, the limit is 10000"}


def test_what_is_chained_to_a_fan_out_without_items_is_skipped() -> None:
    tasks = {
        "x": {"forEach": {"items": []}},
        "y": {"dependsOn": ["x"], "forEach": {"itemsOf": "x"}, "triggerRule": "AllDone"},
    }
    game = Game(defined(tasks))
    game.play()
    assert game.states() == {"x": "Skipped", "y": "Skipped"}
