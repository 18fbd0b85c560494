"""The outputs of a run, `spec.outputs`, and what a DAG may write there."""

from typing import Any

import pytest
from tradewind.plan.documents.problem import Invalid

from plan.game import Game, defined

TASKS = {"a": {}, "fan": {"forEach": {"items": [1, 2]}}, "tell": {"onExit": ["Always"]}}
WROTE = {"a": {"n": 7}, "fan[0]": {"n": 1}, "fan[1]": {"n": 2}}


def played(outputs: dict[str, str], fails: str = "") -> Any:
    game = Game(defined(TASKS, outputs=outputs, params={"p": {"default": "x"}}), {"p": "x"})
    return game.play(lambda key, number: "Error" if key == fails else "", lambda key: WROTE.get(key))


def test_results_are_computed_from_params_and_all_tasks() -> None:
    plan = played({"n": "tasks.a.outputs.n + 1", "all": "tasks.fan.outputs.map(o, o.n)", "p": "params.p + run.dag"})
    assert plan.phase == "Succeeded" and plan.results == {"n": 8, "all": [1, 2], "p": "xd"}


def test_a_run_that_fails_has_no_results() -> None:
    plan = played({"n": "tasks.a.outputs.n"}, fails="fan[0]")
    assert plan.phase == "Failed" and plan.results == {}


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("tasks.a.outputs.m", "there is no key 'm'; tasks.a.outputs has n"),
        ("0.0 / 0.0", "not a finite number"),
        ("1 / 0", "divi"),
    ],
)
def test_a_result_that_cannot_be_computed_fails_the_run_and_exit_tasks_know(expression: str, words: str) -> None:
    game = Game(defined(TASKS, outputs={"x": expression}))
    plan = game.play(outputs=lambda key: WROTE.get(key))
    assert plan.phase == "Failed" and plan.message.startswith("spec.outputs.x: ") and words in plan.message
    assert game.planner.outcome()[0] == "Failed" and plan.results == {}


def test_results_that_are_too_large_fail_the_run() -> None:
    game = Game(defined({"a": {}}, outputs={"x": "tasks.a.outputs.n"}))
    plan = game.play(outputs=lambda key: {"n": "x" * 300_000})
    assert plan.phase == "Failed" and plan.message.startswith(
        "spec.outputs: with them the run would hold more than 512 KiB"
    )


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"outputs": {"x": "tasks.b.outputs.n"}}, "spec.outputs.x: `tasks.b.outputs.n`"),
        (
            {"outputs": {"x": "tasks.tell.state"}},
            "spec.outputs.x: `tasks.tell.state` (at character 11): tasks.tell is not",
        ),
        ({"outputs": {"x": "$[[ params.p ]]"}}, "spec.outputs.x: `$[[ ]]` in an expression"),
        ({"outputs": {"x-y": "1"}}, "spec.outputs.x-y: not an output name"),
        ({"tasks": {"s": {"dag": {"name": "No"}}}}, "spec.tasks.s.dag.name"),
        (
            {"tasks": {"s": {"dag": {"name": "o", "params": {"p": ["$[[ params.q ]]"]}}}}},
            "spec.tasks.s.dag.params.p[0]: `params.q`",
        ),
        ({"tasks": {"s": {"dag": {"name": "o"}, "script": {"shell": "x"}}}}, "script and dag exclude each other"),
        ({"tasks": {"s": {"dag": {"name": "o"}, "image": "x"}}}, "spec.tasks.s.image: dag tasks need no image"),
    ],
)
def test_what_a_dag_cannot_say_is_refused_with_the_field(spec: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid) as refused:
        defined(**{"tasks": TASKS, **spec})
    assert words in str(refused.value)
