"""`$[[ CEL ]]`: what is rendered, and what a user reads when it can't be."""

import pytest
from tradewind.plan.expression import ExpressionError, Scope, check, evaluate, expressions, render, written

SCOPE = Scope((("region", "string"), ("year", "integer"), ("ratio", "number")), frozenset({"erp", "load-csv"}))
VALUES = {
    "params.region": "north",
    "params.year": 2026,
    "params.ratio": 1.0,
    "tasks.erp.outputs": {"rows": 5, "ok": True, "list": [1, {"a": None}], "text": 'a"b'},
    "tasks.load_csv.outputs": {},
    "run.name": "r1",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain ${HOME} $(date) {{ x }}", "plain ${HOME} $(date) {{ x }}"),
        ("$[[ params.region ]]", "north"),
        ("$[[params.year + 1]]", "2027"),
        ("$[[ tasks.erp.outputs.rows > 3 ]]", "true"),
        ("$[[ tasks.erp.outputs.list ]]", '[1,{"a":null}]'),
        ("a/$[[ params.region ]]/$[[ tasks.erp.outputs.text ]]", 'a/north/a"b'),
        ("$[[ params.ratio ]]", "1.0"),
        ("$[[ 'rows' in tasks.load_csv.outputs ]]", "false"),
        ("$[[ params.region == 'north' ? 'n' : 's' ]]", "n"),
    ],
)
def test_values_are_written_into_the_text(text: str, expected: str) -> None:
    assert render(text, SCOPE, VALUES, written) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("$[[ 1 + 'a' ]]", "no matching overload for '_+_' applied to '(int, string)'"),
        ("$[[ params.regoin ]]", "there is no params.regoin; declared are: params.region, params.year, params.ratio"),
        (
            "$[[ tasks.join.outputs.x ]]",
            "tasks.join is not upstream of this task; upstream are: tasks.erp, tasks.load_csv",
        ),
        ("$[[ tasks.erp.rows ]]", "write tasks.erp.outputs.NAME"),
        ("$[[ tasks['erp'].outputs ]]", "write tasks.NAME.outputs.KEY"),
        ("$[[ run.nmae ]]", "there are run.name"),
        ("$[[ foo ]]", "there is no 'foo'"),
        ("$[[ params.region", "close the expression"),
        ("$[[ ]]", "`"),
        ("$[[ params.region + params.year ]]", "no matching overload"),
        ("$[[ '" + "a" * 5000 + "' ]]", "longer than 4096 characters"),
    ],
)
def test_what_can_not_work_is_refused_when_the_dag_is_applied(text: str, words: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        check(text, SCOPE)
    assert words in str(caught.value) and len(str(caught.value)) < 6_000


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("tasks.erp.outputs.nope", "there is no key 'nope'; tasks.erp.outputs has list, ok, rows, text"),
        ("tasks.load_csv.outputs.nope", "tasks.load_csv.outputs has no keys"),
        ("params.year / 0", "divide by zero"),
        ("tasks.erp.outputs.rows + 'a'", "overload"),
        (
            "[1,2,3,4,5,6,7,8,9,0].all(a, [1,2,3,4,5,6,7,8,9,0].all(b, [1,2,3,4,5,6,7,8,9,0].all(c, [1,2,3,4,5,6,7,8,9,0].all(d,"
            " [1,2,3,4,5,6,7,8,9,0].all(e, [1,2,3,4,5,6,7,8,9,0].all(f, true))))))",
            "too much work",
        ),
    ],
)
def test_what_goes_wrong_at_run_time_says_what_there_is(expression: str, words: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(expression, SCOPE, VALUES)
    assert words in str(caught.value)


def test_positions_are_characters_of_the_expression() -> None:
    with pytest.raises(ExpressionError) as caught:
        check("$[[ params.region == ]]", SCOPE)
    assert caught.value.column and caught.value.column > 10


def test_expressions_are_found_in_order() -> None:
    assert expressions("a $[[ 1 ]] b $[[2]]") == ["1", "2"]
