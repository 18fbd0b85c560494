"""Every valid name can be written in every expression, and `has` tests whether there is such a value."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.cel.tokens import MAX_LENGTH, TOKEN
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.expressions.interpolation import expressions
from tradewind.plan.expressions.literal import inner, literal, spans
from tradewind.plan.expressions.spelling import plain

from plan.game import Game, defined

NAMES = ["1st-load", "import", "in", "2", "a-b", "null"]


def values(tasks: dict[str, Any], expression: str, given: dict[str, Any] | None = None, **params: Any) -> Any:
    """The value of an expression of a task that comes after others."""
    last = {"dependsOn": list(tasks), "triggerRule": "AllDone", "compute": {"x": expression}}
    game = Game(defined({**tasks, "last": last}, params=params), given or {})
    game.play(outputs=lambda key: {"n": 2, "text": "", "no": False})
    return game.planner.ledger.evaluator("last", 1)(expression)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("quote", ['"', "'"])
def test_every_task_can_be_named(name: str, quote: str) -> None:
    assert values({name: {}}, f"tasks[{quote}{name}{quote}].outputs.n + 1") == 3
    assert values({name: {"outputs": {"n": {"type": "integer"}}}}, f"tasks [ {quote}{name}{quote} ] .outputs.n") == 2
    assert values({name: {}}, f"tasks[{quote}{name}{quote}].state == 'Succeeded' && true") is True


@pytest.mark.parametrize("name", ["import", "in", "null", "plain", "_x"])
def test_every_param_can_be_named(name: str) -> None:
    assert values({"a": {}}, f"params['{name}'] + 1", {name: 1}, **{name: {"type": "integer"}}) == 2


@pytest.mark.parametrize("name", NAMES)
def test_every_dependency_can_be_named_in_a_rule(name: str) -> None:
    written = "a_b" if name == "a-b" else f'tasks["{name}"]'
    for rule, state in ((f"Succeeded({written})", "Succeeded"), (f"Failed({written})", "Skipped")):
        game = Game(defined({name: {}, "b": {"dependsOn": [name], "triggerRule": rule}}))
        game.play()
        assert game.states()["b"] == state
    with pytest.raises(Invalid, match="dependencies are: " + written.replace("[", r"\[")):
        defined({name: {}, "b": {"dependsOn": [name], "triggerRule": "Failed(typo)"}})


def test_a_task_that_is_named_in_quotes_has_ended_before() -> None:
    spec = defined(
        {
            "a": {},
            "1st": {},
            "b": {"dependsOn": ["a", "1st"], "triggerRule": "OneSucceeded", "when": "tasks['1st'].state != ''"},
        }
    )
    assert spec.needs["b"] == ("1st",)


def test_a_wrong_name_is_told_as_names_are_written() -> None:
    with pytest.raises(Invalid, match=r"there is no task 'typo'; upstream are: tasks\.a_b, tasks\[\"1st\"\]"):
        values({"1st": {}, "a-b": {}}, "tasks['typo'].outputs.n")


@pytest.mark.parametrize(
    "text", ["'tasks[\"1st\"]'", "// tasks['1st']\n1", "x.tasks['1st']", "tasks['1st", "tasks['a' + 'b']"]
)
def test_what_is_no_name_stays_as_it_is(text: str) -> None:
    assert plain(text) == text


DECLARED = {"n": {"type": "integer"}, "text": {}, "no": {"type": "boolean"}}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("has(tasks.a.outputs.n) ? tasks.a.outputs.n : -1", 2),
        ("has( tasks.a.outputs.no )", True),
        ("has(tasks.a.outputs.text) && has(tasks.a . outputs.n)", True),
        ("has(tasks.s.outputs.n) ? tasks.s.outputs.n : -1", -1),
        ("!has(tasks.s.outputs.no)", True),
        ("has(tasks.a.outputs.undeclared)", False),
        ("has(params.o.k) || has(params.o)", True),
        ("has(params.flag)", True),
        ("'has(tasks.s.outputs.no)' + string(has(tasks['a'].outputs.n))", "has(tasks.s.outputs.no)true"),
    ],
)
def test_has_asks_whether_a_declared_value_is_there(expression: str, expected: Any) -> None:
    tasks = {"a": {"outputs": DECLARED}, "s": {"when": "false", "outputs": DECLARED}}
    params = {"o": {"type": "object"}, "flag": {"type": "boolean"}}
    assert values(tasks, expression, {"o": {}, "flag": False}, **params) == expected


@pytest.mark.parametrize(
    ("tasks", "expression", "words"),
    [
        (
            {"s": {"when": "false", "outputs": DECLARED}},
            "tasks.s.outputs.n",
            "tasks.s was skipped, so it has no output 'n'",
        ),
        ({"s": {"when": "false"}}, "tasks.s.outputs.n", r"was skipped, .*: check `has\(tasks.s.outputs.n\)` first"),
        (
            {"f": {"forEach": {"items": [1, 2]}, "when": "item == 1"}},
            "tasks.f.outputs.map(o, o.n)",
            "item 1 of tasks.f was skipped",
        ),
        ({"a": {}}, "tasks.a.outputs.m", "there is no key 'm'; tasks.a.outputs has n, no, text"),
    ],
)
def test_a_value_that_is_not_there_is_said_with_its_reason(tasks: dict[str, Any], expression: str, words: str) -> None:
    with pytest.raises(ExpressionError, match=words):
        values(tasks, expression)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$[[ [params.l[0]] ]]", ["[params.l[0]]"]),
        ("$[[ params.m[params.k[0]] ]] and $[[ 2 ]]", ["params.m[params.k[0]]", "2"]),
        ("$[[[[1, 2], [3]]]]", ["[[1, 2], [3]]"]),
        ("$[[ 'a]]b' + \"]]\" + r']]\\' ]]", ["'a]]b' + \"]]\" + r']]\\'"]),
        ("$[[ params.l[0]]]", ["params.l[0]"]),
        ("$[[ a // it's ]]\n ]] $[[ b ]]", ["a // it's ]]", "b"]),
        ("$[[ a // note ]] $[[ b ]]", ["a // note", "b"]),
        ("$[[ it's ]] $[[ 1 ]]", ["it's", "1"]),
    ],
)
def test_an_expression_ends_where_its_brackets_and_texts_do(text: str, found: list[str]) -> None:
    assert expressions(text) == found


@given(
    st.recursive(
        st.none() | st.integers(-99, 99) | st.text("[]$'\"\\ a", max_size=6),
        lambda inside: st.lists(inside, max_size=3),
    )
)
def test_whatever_value_is_written_into_a_text_is_found_as_one_expression(value: Any) -> None:
    text = f"]] $[[ {literal(value)} ]] ]]"
    if "$[[" not in str(value):
        assert [inner(text, span) for span in spans(text)] == [literal(value)]


def test_a_text_full_of_brackets_is_read_in_one_go() -> None:
    assert len([*spans("$[[ [0] ]]" * 50_000)]) == 50_000
    assert len([*spans("$[[ '" * 50_000 + "]]")]) == 1 and len("'" * MAX_LENGTH) == MAX_LENGTH


def test_ends_that_are_not_there_are_looked_for_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counts:
        tokens = 0

        def finditer(self, *where: Any) -> Any:
            for token in TOKEN.finditer(*where):
                self.tokens += 1
                yield token

    monkeypatch.setattr("tradewind.plan.expressions.literal.TOKEN", counts := Counts())
    text = "$[[" + "[" * 30 + " ]] "
    assert [inner(text * 5_000, span) for span in spans(text * 5_000)] == ["[" * 30] * 5_000
    assert counts.tokens < len(text * 5_000)
