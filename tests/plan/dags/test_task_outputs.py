"""An expression that names an output that its task does not declare is refused, in any field."""

import re
from typing import Any

import pytest
from tradewind.plan.documents.problem import Invalid

from plan.game import defined

WORDS = "there is no output 'row' of task a; did you mean rows? declared are: rows"
A = {"outputs": {"rows": {"type": "integer"}}}
EACH = {**A, "forEach": {"items": [1, 2]}}


def said(tasks: dict[str, Any], **spec: Any) -> str:
    try:
        defined(tasks, **spec)
    except Invalid as error:
        return "\n".join(map(str, error.problems))
    return ""


@pytest.mark.parametrize(
    "task",
    [
        {"when": "tasks.a.outputs.row > 1"},
        {"when": "tasks.a.outputs['row'] > 1"},
        {"env": {"X": "$[[ tasks.a.outputs.row ]]"}},
        {"args": ["$[[ string(tasks.a.outputs.row) ]]"]},
        {"forEach": {"items": "$[[ tasks.a.outputs.row ]]"}},
        {"forEach": {"range": {"stop": "$[[ tasks.a.outputs.row ]]"}}},
        {"compute": {"x": "tasks.a.outputs.row"}, "image": ""},
        {"dag": {"name": "d", "params": {"x": "$[[ tasks.a.outputs.row ]]"}}, "image": ""},
        {"podTemplate": {"spec": {"hostname": "$[[ tasks.a.outputs.row ]]"}}},
    ],
)
def test_in_any_field_of_a_task(task: dict[str, Any]) -> None:
    assert WORDS in said({"a": A, "b": {"dependsOn": ["a"], **task}})


def test_in_outputs_and_assets_of_the_dag() -> None:
    assert WORDS in said({"a": A}, outputs={"x": "tasks.a.outputs.row"})
    assert WORDS in said({"a": A}, produces=[{"name": "x", "metadata": {"r": "$[[ tasks.a.outputs.row ]]"}}])


def test_in_what_a_task_says_of_itself() -> None:
    assert WORDS in said({"a": {**A, "loop": {"until": "outputs.row > 1", "maxIterations": 2}}})
    loop = {"until": "outputs.rows > 1", "maxIterations": 2}
    assert WORDS in said({"a": {**A, "loop": loop, "env": {"X": "$[[ previous.row ]]"}}})
    assert WORDS in said({"a": {**A, "produces": [{"name": "x", "partition": "$[[ outputs.row ]]"}]}})


@pytest.mark.parametrize(
    "expression",
    [
        "tasks.a.outputs[0].row",
        "tasks.a.outputs.map(o, o.row)",
        "tasks.a.outputs.filter(o, o != null).map(o, o.row)",
        "tasks.a.outputs.filter(o, o != null && o.rows > 1).filter(o, o.row > 2)",
        "tasks.a.outputs.filter(o, o != null).first().row",
        "tasks.a.outputs.slice(0, 1).map(o, o.row)",
        "[1].map(x, tasks.a.outputs.exists(o, o.row == x))",
    ],
)
def test_of_items(expression: str) -> None:
    b = {"dependsOn": ["a"], "compute": {"x": expression}, "image": ""}
    assert WORDS in said({"a": EACH, "b": b})
    assert said({"a": EACH, "b": {**b, "compute": {"x": re.sub(r"\.row\b", ".rows", expression)}}}) == ""


def test_of_the_same_item() -> None:
    b = {"dependsOn": ["a"], "forEach": {"itemsOf": "a"}}
    assert WORDS in said({"a": EACH, "b": {**b, "when": "tasks.a.outputs.row > 1"}})
    assert said({"a": EACH, "b": {**b, "when": "tasks.a.outputs.rows > 1"}}) == ""


@pytest.mark.parametrize(
    "expression",
    [
        "has(tasks.a.outputs.row) ? tasks.a.outputs.row : 0",
        "'row' in tasks.a.outputs ? tasks.a.outputs['row'] : 0",
        "tasks.a.outputs.map(k, k)",
        "size(tasks.a.outputs)",
        "tasks.a.outputs == {'row': 1}",
    ],
)
def test_what_is_asked_for_first_may_be_another(expression: str) -> None:
    """A task may write outputs that it does not declare."""
    assert said({"a": A, "b": {"dependsOn": ["a"], "compute": {"x": expression}, "image": ""}}) == ""


def test_nothing_is_said_where_nothing_is_declared() -> None:
    assert said({"a": {}, "b": {"dependsOn": ["a"], "when": "tasks.a.outputs.row > 1"}}) == ""
    assert (
        said({"a": {"dag": {"name": "x"}, "image": ""}, "b": {"dependsOn": ["a"], "when": "tasks.a.outputs.row > 1"}})
        == ""
    )


@pytest.mark.parametrize(
    ("task", "wrong", "words"),
    [
        ({"compute": {"rows": "1"}}, "row", "did you mean rows? declared are: rows"),
        ({"http": {"url": "https://example.com"}}, "boby", "did you mean body? declared are: body, status"),
        (
            {"approval": {"message": "Go?"}},
            "answer",
            "did you mean answers? declared are: answers, approved, by, comment",
        ),
        ({"sensor": {"run": {"dag": "x"}}}, "result", "did you mean results? declared are: name, phase, results"),
    ],
)
def test_tasks_whose_outputs_are_known_anyway(task: dict[str, Any], wrong: str, words: str) -> None:
    b = {"dependsOn": ["a"], "when": f"tasks.a.outputs.{wrong} != null"}
    assert words in said({"a": {"image": "", **task}, "b": b})


def test_artifacts_are_outputs() -> None:
    a = {**A, "artifacts": {"outputs": {"model": {"path": "/work/model"}}}}
    b = {"dependsOn": ["a"], "when": "tasks.a.outputs.artifacts.model.size > 1"}
    store = {"store": {"volume": {"claimName": "x"}}}
    assert "no output" not in said({"a": a, "b": b}, artifacts=store)
