"""Outputs of tasks that write text instead of JSON."""

from typing import Any

import pytest
from tradewind.model.value import Element, Output
from tradewind.plan.dags.compile import define
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.expressions.output_text import read_text
from tradewind.plan.expressions.typed_values import accepted


def output(**more: Any) -> dict[str, Output]:
    return {"x": Output.model_validate(more)}


@pytest.mark.parametrize(
    ("declared", "text", "value"),
    [
        (output(**{"from": "text"}), "a\nb\n", "a\nb"),
        (output(**{"from": "text"}), "", ""),
        (output(type="integer", **{"from": "text"}), "42\n", 42),
        (output(type="number", **{"from": "text"}), "3\n", 3.0),
        (output(type="boolean", **{"from": "text"}), "true", True),
        (output(type="object", **{"from": "text"}), '{"a": 1}', {"a": 1}),
        (output(type="list", **{"from": "lines"}), "a\n\nb\n", ["a", "", "b"]),
        (output(type="list", **{"from": "lines"}), "\n", []),
        ({"x": Output(type="list", from_="lines", items=Element(type="integer"))}, "1\n2", [1, 2]),
    ],
)
def test_text_becomes_the_one_output(declared: dict[str, Output], text: str, value: Any) -> None:
    assert read_text(declared, text) == {"x": value}
    assert accepted(declared, {"x": value}) == ({"x": value}, "")


def test_a_task_that_writes_json_is_read_as_before() -> None:
    assert read_text(output(), "{}") is None and read_text({}, "x") is None


def test_text_that_does_not_fit_is_told() -> None:
    declared = output(type="integer", **{"from": "text"})
    found = read_text(declared, "many\n")
    assert found is not None
    assert accepted(declared, found)[1] == "output 'x': 'many' is not an integer; write an integer"


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        (
            {"x": {"from": "text"}, "y": {}},
            "spec.tasks.a.outputs.x.from: text is the whole file, and 2 outputs are declared; declare this output only",
        ),
        (
            {"x": {"from": "lines"}},
            "spec.tasks.a.outputs.x.from: lines are a list, this is of type string; write type: list",
        ),
        ({"x": {"from": "stdout"}}, "spec.tasks.a.outputs.x.from: 'stdout' is not known"),
    ],
)
def test_mistakes_are_told(outputs: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid) as caught:
        define({"tasks": {"a": {"image": "x", "outputs": outputs}}})
    assert any(words in str(problem) for problem in caught.value.problems), caught.value.problems
