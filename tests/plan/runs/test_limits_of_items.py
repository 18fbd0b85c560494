"""A run has 10,000 tasks and items at most. Those that have run come first, so that a restart changes nothing about them."""

from random import Random

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
