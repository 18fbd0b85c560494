"""Params that may be left out, points in time, values of any type, and what the elements of a list must be."""

from typing import Any

import pytest
from tradewind.cli.prompt_params import hint
from tradewind.model.value import Element, Output, Param
from tradewind.plan.dags.compile import define
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.expressions.typed_values import from_text, outputs_problem, resolve

DECLARED = {
    "note": Param(optional=True),
    "limit": Param(type="integer", optional=True, min=1),
    "at": Param(type="datetime", default="2026-01-31T08:00:00Z", min="2026-01-01T00:00:00+01:00"),
    "years": Param(type="list", default=[], items=Element(type="integer", min=2000)),
    "pairs": Param(type="list", default=[], items=Element(type="object", min=1)),
    "free": Param(type="any", default=1),
}


def test_an_optional_param_is_null_unless_it_is_given() -> None:
    values, problems = resolve(DECLARED, {"limit": None})
    assert not problems and values["note"] is None and values["limit"] is None
    assert resolve(DECLARED, {"note": "x", "limit": 3})[0]["limit"] == 3


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"limit": 0}, "spec.params.limit: 0 is out of bounds; at least 1"),
        ({"at": "2026-01-31"}, "'2026-01-31' is not a point in time such as 2026-01-31T08:00:00Z"),
        ({"at": "2025-12-31T22:59:59Z"}, "is out of bounds; at least 2026-01-01T00:00:00+01:00"),
        ({"at": None}, "null is not a point in time"),
        ({"years": [2026, "2027"]}, "spec.params.years[1]: '2027' is not an integer"),
        ({"years": [1999]}, "spec.params.years[0]: 1999 is out of bounds; at least 2000"),
        ({"pairs": [{"a": 1}, {}]}, "spec.params.pairs[1]: {} has 0 keys; at least 1 key"),
    ],
)
def test_what_does_not_fit_is_told(given: dict[str, Any], words: str) -> None:
    assert any(words in str(problem) for problem in resolve(DECLARED, given)[1]), resolve(DECLARED, given)[1]


@pytest.mark.parametrize("value", [None, 1, "x", [1, "x"], {"a": None}])
def test_any_value_fits_any(value: Any) -> None:
    assert resolve({"free": Param(type="any", optional=True)}, {"free": value}) == ({"free": value}, [])


def test_outputs_have_elements_too() -> None:
    declared = {"names": Output(type="list", items=Element(pattern="^[a-z]+$"))}
    assert outputs_problem(declared, {"names": ["ab"]}) == ""
    assert "output 'names'[1]: 'B' does not match" in outputs_problem(declared, {"names": ["a", "B"]})


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("years", "2026,2027", [2026, 2027]),
        ("years", "[2026]", [2026]),
        ("free", '{"a": 1}', {"a": 1}),
        ("free", "plain text", "plain text"),
        ("at", "2026-01-31T08:00:00Z", "2026-01-31T08:00:00Z"),
    ],
)
def test_the_command_line_converts(name: str, text: str, value: Any) -> None:
    assert from_text(DECLARED[name], text) == value


def test_a_prompt_shows_title_and_examples() -> None:
    asked = Param(title="Country code", description="ISO 3166", examples=["FR", "DE"])
    assert hint("country", asked) == "country (Country code) [a string, e.g. FR, DE]"


@pytest.mark.parametrize(
    ("param", "words"),
    [
        ({"type": "secret", "optional": True}, "spec.params.p.optional: a secret can't be left out"),
        ({"items": {"type": "integer"}}, "spec.params.p.items: items are for lists, this is a string; remove it"),
        ({"type": "list", "items": {"min": "x"}, "default": []}, "spec.params.p.items.min: 'x' is not an integer"),
        ({"type": "any", "min": 1, "default": 1}, "spec.params.p.min: a value of any type has no bounds; remove it"),
        ({"type": "datetime", "default": "now"}, "spec.params.p.default: 'now' is not a point in time"),
        ({"type": "list", "items": {"type": "list"}, "default": []}, "spec.params.p.items.type"),
    ],
)
def test_mistakes_are_told(param: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid) as caught:
        define({"params": {"p": param}, "tasks": {"a": {"image": "x"}}})
    assert any(words in str(problem) for problem in caught.value.problems), caught.value.problems


@pytest.mark.parametrize(
    "expression",
    ["params.note == null ? 'none' : params.note", "params.limit != null && params.limit > 1", "params.at"],
)
def test_expressions_test_for_null(expression: str) -> None:
    params = {"note": {"optional": True}, "limit": {"type": "integer", "optional": True}, "at": {"type": "datetime"}}
    define({"params": params, "tasks": {"a": {"compute": {"x": expression}}}})
