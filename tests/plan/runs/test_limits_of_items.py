"""A run has 10,000 tasks and items at most. Those that have run come first, so that a restart changes nothing about them."""

from random import Random
from typing import Any

import pytest
from tradewind.model.run import Edit
from tradewind.plan.runs.rework import rework

from plan.game import Game, defined

MANY = {"range": {"stop": 6_000}}


def test_a_fan_out_that_has_begun_keeps_its_items_after_a_restart() -> None:
    """One before it in the DAG is expanded later, and refused: after a restart it would come first."""
    tasks = {
        "slow": {},
        "f0": {"dependsOn": ["slow"], "forEach": MANY},
        "q": {},
        "f1": {"dependsOn": ["q"], "forEach": MANY},
    }
    game = Game(defined(tasks))
    first = {start.key: start for start in game.plan().starts}
    for key in ("slow", "q"):
        game.start(first[key])
    game.end("q")
    for start in game.plan().starts[:3]:
        game.start(start)
    game.end("f1[0]")
    game.end("slow")
    before = [game.plan(), game.states()][1]
    assert (before["f0"], before["f1"]) == ("Failed", "Running")
    for seed in range(3):
        game.planner = game.anew(Random(seed) if seed else None)
        game.plan()
        assert game.states() == before


def test_a_fan_out_of_which_only_pods_live_keeps_them_after_a_restart() -> None:
    tasks = {"f0": {"dependsOn": ["slow"], "forEach": MANY}, "slow": {}, "f1": {"forEach": MANY}}
    game = Game(defined(tasks))
    starts = {start.key: start for start in game.plan().starts}
    for key in ("slow", "f1[0]"):
        game.start(starts[key])
    game.end("slow")
    before = [game.plan(), game.states()][1]
    assert before["f0"] == "Failed"
    game.planner = game.anew()
    game.plan()
    assert game.states() == before


def test_a_handler_keeps_the_ends_that_it_has_handled_after_a_restart() -> None:
    tasks = {f"t{at}": {"retries": {"limit": 3, "backoff": {"initial": "0s"}}} for at in range(4)}
    handler = {"handles": {"of": ["*"], "ends": ["Retry", "Failed"]}, "compute": {"x": "1"}}
    game = Game(defined({**tasks, "full": {"forEach": {"range": {"stop": 9_990}}, "when": "true"}, "h": handler}))
    for name in ("t3", "t2"):
        for _ in range(4):
            game.start(next(start for start in game.plan().starts if start.key == name))
            game.end(name, "Error")
            for start in game.plan().podless:
                game.start(start)
                game.end(start.key)
    for name in ("t0", "t1"):
        for _ in range(4):
            game.start(next(start for start in game.plan().starts if start.key == name))
            game.end(name, "Error")
            game.plan()
    before = game.states()
    handled = {key for key in before if key.startswith("h[")}
    assert {f"h[{1_000 * at + number}]" for at in (2, 3) for number in range(1, 4)} & handled
    game.planner = game.anew()
    game.plan()
    assert {key for key, state in before.items() if state == "Succeeded"} <= game.states().keys()
    assert len({key for key in game.states() if key.startswith("h[")}) == len(handled)


def test_the_limit_holds_after_a_clear_too() -> None:
    """What ran with one item may find thousands when it is decided again."""
    many = {"dependsOn": ["gen"], "forEach": {"range": {"stop": "$[[ tasks.gen.outputs.n ]]"}}}
    game = Game(defined({"gen": {"outputs": {"n": {"type": "integer"}}}, **{f"f{at}": many for at in range(5)}}))
    assert game.play(outputs=lambda key: {"n": 1} if key == "gen" else None).phase == "Succeeded"
    game.change(rework(game.planner, [Edit(action="Clear", tasks=["gen"])])[0])
    game.start(game.plan().starts[0])
    game.end("gen", "", {"n": 4_000})
    for _ in range(2):
        game.plan()
        assert len(game.planner.ledger.units) < 10_000 and len(game.planner.refused) == 3
        game.planner = game.anew()


def test_a_handler_takes_no_room_of_a_fan_out_that_has_begun() -> None:
    tasks = {
        "a": {"retries": {"limit": 3, "backoff": {"initial": "0s"}}},
        "b": {"dependsOn": ["a"], "triggerRule": "AllDone", "compute": {"x": "1"}},
        "h": {"handles": {"of": ["a"], "ends": ["Retry", "Failed"]}, "compute": {"x": "1"}},
        "z": {"forEach": {"range": {"stop": 9_996}}},
    }
    game = Game(defined(tasks))
    starts = {start.key: start for start in game.plan().starts}
    game.start(starts["z[0]"])
    game.end("z[0]")
    for _ in range(4):
        game.start(next(start for start in game.plan().starts if start.key == "a"))
        game.end("a", "Error")
    game.plan()
    before = game.states()
    game.planner = game.anew()
    game.plan()
    assert game.planner.ledger.states["z"] == before["z"] != "Failed"


BIG = {"params": {"big": {"default": ""}}}
FANS = {
    "items": {"items": ["$[[ params.big ]]"] * 1_000},
    "matrix": {"matrix": {"axes": {"a": ["$[[ params.big ]]"] * 1_000, "b": [1]}}},
    "an expression": {"items": "$[[ range(1000).map(n, params.big) ]]"},
    "within items": {"items": [{"a": ["$[[ params.big ]]"]}] * 1_000},
}


@pytest.mark.parametrize("source", FANS.values(), ids=FANS)
def test_the_items_of_a_run_take_so_much_together(source: Any) -> None:
    game = Game(defined({"a": {"forEach": source}}, **BIG), params={"big": "x" * 20_000})
    game.plan()
    field = "forEach.matrix.axes.a" if "matrix" in source else "forEach.items"
    words = game.planner.refused["a"]
    assert words.startswith(f"{field}: `$[[ ") and "the items of the run take more than 8 MiB together: list" in words
    assert not game.planner.ledger.units


def test_many_fan_outs_share_that_and_keep_what_they_have_after_a_restart() -> None:
    of = {"forEach": {"items": ["$[[ params.big ]]"] * 100}}
    tasks = {f"f{at}": {**of, **({"dependsOn": ["slow"]} if at < 3 else {})} for at in range(6)}
    game = Game(defined({"slow": {}, **tasks}, **BIG), params={"big": "x" * 20_000})
    starts = {start.key: start for start in game.plan().starts}
    for key in ("slow", "f3[0]", "f4[0]", "f5[0]"):
        game.start(starts[key])
        game.end(key)
    before = [game.plan(), game.states()][1]
    assert len([name for name in tasks if before[name] == "Failed"]) == 2
    game.planner = game.anew()
    game.plan()
    assert game.states() == before


def test_a_matrix_of_large_values_shares_them() -> None:
    axes = {"a": [*range(100)], "b": ["$[[ params.big ]]"] * 100}
    game = Game(defined({"a": {"forEach": {"matrix": {"axes": axes}}}}, **BIG), params={"big": "x" * 20_000})
    game.plan()
    assert len(game.planner.ledger.units) == 10_000


def test_why_thousands_of_items_are_in_their_state_is_kept_in_few_words() -> None:
    """A condition has up to 4,096 characters, and the value that it quotes half a megabyte."""
    tasks = {
        "a": {"outputs": {"x": {"type": "string"}}},
        "skips": {"forEach": {"range": {"stop": 3}}, "when": f"index < 0 && '{'y' * 3_000}' == ''"},
        "fails": {"dependsOn": ["a"], "forEach": {"range": {"stop": 3}}, "when": "index < 0 || tasks.a.outputs['x']"},
        "whole": {"dependsOn": ["a"], "when": "tasks.a.outputs['x']"},
    }
    game = Game(defined(tasks))
    game.start(game.plan().starts[0])
    game.end("a", "", {"x": "z" * 100_000})
    game.plan()
    states = game.states()
    assert states["skips[0]"] == "Skipped" and states["fails[0]"] == states["whole"] == "Failed"
    units = game.planner.ledger.units.values()
    assert max(len(unit.why) for unit in units) <= 1_000
    assert max(map(len, game.planner.refused.values())) <= 1_000
