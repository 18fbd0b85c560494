"""`when`: branches, short circuits, joins, and the message about a task that did not run."""

import pytest

from plan.game import Game, defined


def test_a_branch_is_chosen_by_an_output_and_joined_without_tricks() -> None:
    tasks = {
        "decide": {},
        "full": {"dependsOn": ["decide"], "when": "tasks.decide.outputs.mode == 'full'"},
        "delta": {"dependsOn": ["decide"], "when": "tasks.decide.outputs.mode == 'delta'"},
        "join": {"dependsOn": ["full", "delta"], "triggerRule": "NoneFailedMinOneSucceeded"},
    }
    game = Game(defined(tasks))
    plan = game.play(outputs=lambda key: {"mode": "delta"} if key == "decide" else None)
    assert game.states() == {"decide": "Succeeded", "full": "Skipped", "delta": "Succeeded", "join": "Succeeded"}
    assert (plan.phase, plan.message) == ("Succeeded", "3 of 4 tasks succeeded; 1 skipped")
    assert game.planner.ledger.units["full"].why == "when is false: tasks.decide.outputs.mode == 'full'"


def test_a_short_circuit_skips_everything_after_it() -> None:
    tasks = {
        "check": {"when": "params.go"},
        "a": {"dependsOn": ["check"]},
        "b": {"dependsOn": ["a"]},
        "report": {"dependsOn": ["b"], "triggerRule": "AllDone"},
    }
    game = Game(defined(tasks, params={"go": {"type": "boolean"}}), {"go": False})
    assert game.play().phase == "Succeeded"
    assert game.states() == {"check": "Skipped", "a": "Skipped", "b": "Skipped", "report": "Succeeded"}
    assert game.planner.ledger.units["b"].why == "trigger rule AllSucceeded: a Skipped"


def test_a_run_of_which_everything_was_skipped_succeeds() -> None:
    game = Game(defined({"a": {"when": "false"}, "b": {"dependsOn": ["a"]}}))
    plan = game.plan()
    assert (plan.phase, plan.message) == ("Succeeded", "0 of 2 tasks succeeded; 2 skipped")


@pytest.mark.parametrize(
    ("when", "why"),
    [
        (
            "tasks.a.outputs.nope > 1",
            "when: `tasks.a.outputs.nope > 1`: there is no key 'nope'; tasks.a.outputs has rows",
        ),
        (
            "tasks.a.outputs.rows == 'x' || tasks.a.outputs.rows.startsWith('y')",
            "No matching overloads found : (int64).startsWith(string); inputs: tasks.a.outputs: {rows: integer}",
        ),
        ("tasks.a.outputs.rows", "when: `tasks.a.outputs.rows` gives 5, not true or false"),
        ("tasks.a.outputs.rows / 0 == 1", "divide by zero"),
    ],
)
def test_a_condition_that_can_not_be_evaluated_fails_its_task_and_not_the_operator(when: str, why: str) -> None:
    game = Game(defined({"a": {}, "b": {"dependsOn": ["a"], "when": when}}))
    plan = game.play(outputs=lambda key: {"rows": 5})
    assert plan.phase == "Failed" and game.states()["b"] == "Failed"
    assert why in game.planner.refused["b"] and why[:40] in plan.message


def test_states_of_tasks_before_can_be_asked() -> None:
    tasks = {"a": {}, "alarm": {"dependsOn": ["a"], "triggerRule": "AllDone", "when": "tasks.a.state == 'Failed'"}}
    for fate, expected in (("Error", "Succeeded"), ("", "Skipped")):
        game = Game(defined(tasks))
        game.play(lambda key, _, fate=fate: fate if key == "a" else "")
        assert game.states()["alarm"] == expected


def test_a_task_waits_for_every_task_that_its_expressions_name_however_early_its_rule_fires() -> None:
    tasks = {
        "a": {},
        "b": {},
        "c": {"dependsOn": ["a", "b"], "triggerRule": "OneSucceeded", "env": {"X": "$[[ tasks.b.outputs.x ]]"}},
        "d": {"dependsOn": ["a", "b"], "triggerRule": "OneSucceeded"},
    }
    game = Game(defined(tasks))
    for start in game.plan().starts:
        game.start(start)
    game.end("a")
    assert game.keys() == ["d"]
    game.end("b", "", {"x": 1})
    assert game.keys() == ["c", "d"]


@pytest.mark.parametrize("when", ["params.item.on", "params.o.index > 0", "params.o['x'].item == 1 || false"])
def test_a_condition_about_something_else_called_item_or_index_is_asked_before_there_are_items(when: str) -> None:
    params = {"item": {"on": False}, "o": {"index": 0, "x": {"item": 0}}}
    tasks = {"x": {"when": when, "forEach": {"items": "$[[ params.o.nope ]]"}}}
    game = Game(defined(tasks, params={name: {"type": "object"} for name in params}), params)
    assert game.plan().phase == "Succeeded"
    assert (game.states(), game.planner.ledger.groups["x"].why) == ({"x": "Skipped"}, f"when is false: {when}")


def test_what_is_named_further_up_is_waited_for_too() -> None:
    tasks = {
        "far": {},
        "quick": {},
        "mid": {"dependsOn": ["far", "quick"], "triggerRule": "OneSucceeded"},
        "end": {"dependsOn": ["mid"], "when": "tasks.far.state == 'Succeeded'"},
    }
    game = Game(defined(tasks))
    for start in game.plan().starts:
        game.start(start)
    game.end("quick")
    game.start(game.plan().starts[0])
    game.end("mid")
    assert game.keys() == []
    game.end("far")
    assert game.keys() == ["end"]
