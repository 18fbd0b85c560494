"""Typed values: params of a run, outputs of a task, and the messages about wrong ones."""

from typing import Any

import pytest
from tradewind.model.value import Output, Param
from tradewind.plan.dags.compile import define
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.expressions.typed_values import fits, from_text, outputs_problem, resolve
from worlds.hostile import NAMES

DECLARED = {
    "region": Param(type="string", enum=["north", "south"], default="north"),
    "year": Param(type="integer", min=2000, max=2100),
    "ratio": Param(type="number", default=1),
    "dry": Param(type="boolean", default=False),
    "name": Param(default="ab", min=2, max=5, pattern="^[a-z]+$"),
    "wait": Param(type="duration", default="5m", min="1m", max="2h"),
    "day": Param(type="date", default="2026-01-31", min="2026-01-01"),
    "files": Param(type="list", default=["x"], min=1, max=2),
    "options": Param(type="object", default={"a": 1}, max=1),
    "token": Param(type="secret", default={"name": "s", "key": "k"}),
}


def test_defaults_fill_what_is_not_given() -> None:
    values, problems = resolve(DECLARED, {"year": 2026})
    assert not problems and values["ratio"] == 1.0 and values["files"] == ["x"] and values["region"] == "north"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "spec.params.year: required; give an integer"),
        ({"year": "2026"}, "spec.params.year: '2026' is not an integer"),
        ({"year": True}, "spec.params.year: true is not an integer"),
        ({"year": 2**70}, "spec.params.year: is an integer beyond 64 bits"),
        ({"year": 1999}, "spec.params.year: 1999 is out of bounds; at least 2000"),
        ({"year": 2101}, "at most 2100"),
        ({"region": "east"}, "spec.params.region: 'east' is not allowed; write one of north, south"),
        ({"region": 3}, "is not a string; write a string (in YAML, quote it"),
        ({"nope": 1}, "spec.params.nope: no such param; the DAG declares: day, dry, files"),
        ({"dry": "yes"}, "is not true or false"),
        ({"ratio": "1"}, "is not a number"),
        ({"ratio": True}, "is not a number"),
        ({"ratio": 10**400}, "spec.params.ratio: is an integer beyond 64 bits"),
        ({"ratio": float("nan")}, "spec.params.ratio: is not a finite number"),
        ({"ratio": float("-inf")}, "spec.params.ratio: is not a finite number"),
        ({"name": "a"}, "'a' has 1 character; at least 2 characters"),
        ({"name": "abcdef"}, "has 6 characters; at most 5 characters"),
        ({"name": "AB"}, "'AB' does not match '^[a-z]+$'"),
        ({"wait": "soon"}, "is not a duration; write a number and a unit"),
        ({"wait": "59s"}, "'59s' is out of bounds; at least 1m"),
        ({"wait": "2h1s"}, "at most 2h"),
        ({"day": "31.01.2026"}, "is not a date such as 2026-01-31"),
        ({"day": "2026-02-30"}, "is not a date"),
        ({"day": "2025-12-31"}, "at least 2026-01-01"),
        ({"files": "x"}, "is not a list"),
        ({"files": []}, "has 0 items; at least 1 item"),
        ({"options": []}, "is not an object"),
        ({"options": {"a": 1, "b": 2}}, "has 2 keys; at most 1 key"),
        ({"token": "hunter2"}, "is not {name: SECRET, key: KEY}"),
        ({"token": {"name": "s"}}, "is not {name: SECRET, key: KEY}"),
    ],
)
def test_each_mistake_is_told_with_what_to_write(given: dict[str, Any], words: str) -> None:
    base = {} if given == {} else {"year": 2026}
    assert words in "\n".join(map(str, resolve(DECLARED, {**base, **given})[1]))


def test_a_pattern_that_would_take_for_ever_elsewhere_is_matched_at_once() -> None:
    declared = {"p": Param(pattern="^(a+)+$")}
    assert "does not match" in str(resolve(declared, {"p": "a" * 5_000 + "b"})[1][0])


@pytest.mark.parametrize(
    ("param", "words"),
    [
        ({"default": 3}, "spec.params.p.default: 3 is not a string"),
        ({"type": "integer", "enum": ["x"]}, "spec.params.p.enum[0]: 'x' is not an integer"),
        ({"type": "integer", "min": "1"}, "spec.params.p.min: '1' is not an integer"),
        ({"type": "list", "max": 1.5}, "spec.params.p.max: 1.5 is not an integer"),
        ({"type": "integer", "min": 3, "max": 1}, "spec.params.p.min: 3 is above max; swap them"),
        ({"type": "boolean", "min": 1}, "spec.params.p.min: a boolean has no bounds"),
        ({"type": "integer", "pattern": "x"}, "spec.params.p.pattern: a pattern is for strings"),
        ({"pattern": "("}, "spec.params.p.pattern: "),
        ({"pattern": "a", "default": "b"}, "spec.params.p.default: 'b' does not match 'a'"),
        ({"type": "text"}, "spec.params.p.type: 'text' is not known; write one of string, integer"),
        ({"required": True}, "spec.params.p.required: unknown field"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(param: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid) as caught:
        define({"params": {"p": param}, "tasks": {"a": {"image": "x"}}})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", "3", "3"),
        ("integer", "3", 3),
        ("integer", "x", "x"),
        ("number", "1.5", 1.5),
        ("number", "x", "x"),
        ("boolean", "True", True),
        ("boolean", "yes", "yes"),
        ("list", '["a", 1]', ["a", 1]),
        ("list", "a,b", ["a", "b"]),
        ("list", "a, b ", ["a", "b"]),
        ("list", "5", ["5"]),
        ("list", "true", ["true"]),
        ("list", " ", []),
        ("list", "[1,", "[1,"),
        ("list", "[users, orders]", "[users, orders]"),
        ("list", '{"a": 1},{"b": 2}', '{"a": 1},{"b": 2}'),
        ("object", '{"a": 1}', {"a": 1}),
        ("object", "x", "x"),
        ("secret", "db/password", {"name": "db", "key": "password"}),
        ("secret", "x", "x"),
        ("date", "2026-01-31", "2026-01-31"),
    ],
)
def test_a_command_line_types_values_as_they_are_declared(kind: Any, text: str, value: Any) -> None:
    assert from_text(Param(type=kind), text) == value


@pytest.mark.parametrize(
    ("outputs", "problem"),
    [
        ({"rows": 5, "more": "x"}, ""),
        ({"more": 1}, "output 'rows' is missing; the task wrote: more"),
        ({}, "output 'rows' is missing; the task wrote: none"),
        ({"rows": "5"}, "output 'rows': '5' is not an integer; write an integer"),
        ({"rows": -1}, "output 'rows': -1 is out of bounds; at least 0"),
    ],
)
def test_declared_outputs_are_checked_and_others_allowed(outputs: dict[str, Any], problem: str) -> None:
    assert outputs_problem({"rows": Output(type="integer", min=0)}, outputs) == problem


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ({"rows": {"type": "int"}}, "spec.tasks.a.outputs.rows.type: 'int' is not known; did you mean integer?"),
        ({"a-b": {}}, "spec.tasks.a.outputs.a-b: not an output name"),
        ({"rows": {"type": "integer", "min": "x"}}, "spec.tasks.a.outputs.rows.min: 'x' is not an integer"),
    ],
)
def test_an_output_that_can_not_be_is_refused(output: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid) as caught:
        define({"tasks": {"a": {"image": "x", "outputs": output}}})
    assert words in str(caught.value)


def test_secrets_are_whole_values_of_variables_and_nothing_else() -> None:
    spec = {"params": {"t": {"type": "secret"}}, "tasks": {"a": {"image": "x", "env": {"T": "$[[ params.t ]]"}}}}
    assert define(spec).secrets == {"t"}
    for field, value in (
        ("env", {"T": "x$[[ params.t ]]"}),
        ("args", ["$[[ params.t ]]"]),
        ("when", "params.t.name == 's'"),
    ):
        with pytest.raises(Invalid, match=r"params\.t is a secret"):
            define({**spec, "tasks": {"a": {"image": "x", field: value}}})


@pytest.mark.parametrize("part", ["name", "key"])
@pytest.mark.parametrize("text", [*NAMES, "A", "", "x" * 254, "a\n", 7, None, ["a"]])
def test_a_secret_is_named_by_what_can_be_one(part: str, text: object) -> None:
    if part == "key" and text in ("..", "A"):
        return
    assert not fits("secret", {"name": "db", "key": "password", part: text})
    assert fits("secret", {"name": "db.main", "key": "_Pass.word-1"})


def test_a_text_that_can_not_be_held_against_its_pattern_is_told() -> None:
    """An expression can't read a text with U+0000; a task may output one anyway."""
    problem = outputs_problem({"a": Output(type="string", pattern="^a")}, {"a": "a\0"})
    assert "can't be held against '^a': it is given a text that contains the character U+0000" in problem
