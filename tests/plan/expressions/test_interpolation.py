"""`$[[ CEL ]]`: what is rendered, and the message when it can't be."""

from copy import copy
from typing import Any

import pytest
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.expressions.interpolation import check, expressions, render, render_tree, whole, written
from tradewind.plan.expressions.room import Room
from tradewind.plan.expressions.scope import Names, Scope, TaskNames, evaluate

NAMES = Names(
    (("region", "string"), ("year", "integer"), ("ratio", "number"), ("key", "secret"), ("l", "list"), ("day", "date")),
    {
        "erp": TaskNames("erp", outputs=(("rows", "integer"),)),
        "load_csv": TaskNames("load-csv"),
        "fan": TaskNames("fan", fan_out=True),
        "join": TaskNames("join"),
    },
)
SCOPE = Scope(NAMES, lambda task: task != "join")
ITEM = Scope(NAMES, lambda task: task != "join", item=True, counterpart="fan")
VALUES = {
    "params.region": "north",
    "params.year": 2026,
    "params.ratio": 1.0,
    "params.l": [1, 2],
    "params.day": "2026-01-31",
    "run.name": "r1",
    "item": {"id": 7},
    "index": 3,
}
OUTPUTS = {
    "erp": {"rows": 5, "ok": True, "list": [1, {"a": None}], "text": 'a"b'},
    "load-csv": {},
}


def of_task(name: str) -> dict[str, Any]:
    root = f"tasks.{name.replace('-', '_')}"
    if name == "fan":
        return {
            f"{root}.state": "Failed",
            f"{root}.states": ["Succeeded", "Failed"],
            f"{root}.outputs": [{"n": 1}, None],
        }
    declared = {f"{root}.outputs.rows": 5} if name == "erp" else {}
    return {f"{root}.state": "Succeeded", f"{root}.outputs": OUTPUTS[name], **declared}


def value(expression: str, scope: Scope = SCOPE) -> Any:
    return evaluate(expression, scope, VALUES, of_task)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain ${HOME} $(date) {{ x }}", "plain ${HOME} $(date) {{ x }}"),
        ("$[[ params.region ]]", "north"),
        ("$[[params.year + 1]]", "2027"),
        ("$[[ tasks.erp.outputs.rows > 3 ]]", "true"),
        ("$[[ tasks.erp.outputs.list ]]", '[1,{"a":null}]'),
        ("a/$[[ params.region ]]/$[[ tasks.erp.outputs.text ]]", 'a/north/a"b'),
        ("$[[ params.ratio ]]", "1"),
        ("$[[ params.ratio * 0.5 ]]", "0.5"),
        ("$[[ 'rows' in tasks.load_csv.outputs ]]", "false"),
        ("$[[ params.region == 'north' ? 'n' : 's' ]]", "n"),
    ],
)
def test_values_are_written_into_the_text(text: str, expected: str) -> None:
    assert render(text, value, written) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("$[[ 1 + 'a' ]]", "+ can't be used between an integer and text; convert one"),
        (
            "$[[ params.regoin ]]",
            "there is no params.regoin; did you mean params.region? declared are: params.day, params.key",
        ),
        (
            "$[[ tasks.join.outputs.x ]]",
            "tasks.join is not upstream of this task; upstream are: tasks.erp, tasks.fan, tasks.load_csv",
        ),
        ("$[[ tasks.erp.rows ]]", "write tasks.erp.outputs.NAME"),
        ("$[[ tasks[params.region].outputs ]]", "write tasks.NAME.outputs.KEY"),
        ("$[[ run.nmae ]]", "there are run.name"),
        ("$[[ foo ]]", "there is no 'foo'"),
        ("$[[ tasks.erp.outputs.rows + 'a' ]]", "+ can't be used between an integer and text; convert one"),
        ("$[[ tasks.erp.state == 3 ]]", "can't be used between text and an integer"),
        ("$[[ tasks.fan.nope ]]", "tasks.fan has only `outputs`, `state`, `states` and `failures`"),
        ("$[[ params.key ]]", "params.key is a secret: it can only be the whole value of an environment variable"),
        ("$[[ item ]]", "there is no item here: only expressions of a task with forEach can use it"),
        ("$[[ params.region", "close the expression"),
        ("$[[ ]]", "`"),
        ("$[[ params.region + params.year ]]", "can't be used between text and an integer"),
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
        ("tasks.erp.outputs.text + 1", "overload"),
        ("params.year / 0", "inputs: params.year: integer"),
        ("tasks.fan.outputs[1].n", "item 1 of tasks.fan failed, so that its outputs are null"),
        (
            "[1,2,3,4,5,6,7,8,9,0].all(a, [1,2,3,4,5,6,7,8,9,0].all(b, [1,2,3,4,5,6,7,8,9,0].all(c, [1,2,3,4,5,6,7,8,9,0].all(d,"
            " [1,2,3,4,5,6,7,8,9,0].all(e, [1,2,3,4,5,6,7,8,9,0].all(f, true))))))",
            "too much work",
        ),
    ],
)
def test_what_goes_wrong_at_run_time_says_what_there_is(expression: str, words: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        value(expression)
    assert words in str(caught.value)


def test_positions_are_characters_of_the_expression() -> None:
    with pytest.raises(ExpressionError) as caught:
        check("$[[ params.region == ]]", SCOPE)
    assert caught.value.column and caught.value.column > 10


def test_expressions_are_found_in_order() -> None:
    assert expressions("a $[[ 1 ]] b $[[2]]") == ["1", "2"]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("tasks.erp.outputs.rows + 1", 6),
        ("tasks.erp.state", "Succeeded"),
        ("tasks.fan.outputs.filter(o, o != null).map(o, o.n)", [1]),
        ("tasks.fan.states.exists(s, s == 'Failed')", True),
        ("has(tasks.load_csv.outputs.x) ? 1 : 2", 2),
        ("params.l.map(x, x * 2)", [2, 4]),
        ("timestamp(params.day + 'T00:00:00Z').getFullYear()", 2026),
        ("duration('90m') > duration('1h')", True),
        ("'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab'.matches('(a+)+$')", False),
    ],
)
def test_expressions_know_params_tasks_and_the_run(expression: str, expected: Any) -> None:
    assert value(expression) == expected


def test_expressions_of_items_know_the_item_and_their_counterpart() -> None:
    seen = {"tasks.fan.state": "Succeeded", "tasks.fan.outputs": {"n": 1}}
    assert evaluate("item.id + index + tasks.fan.outputs.n", ITEM, VALUES, lambda _: seen) == 11


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("$[[ params.year ]]", 2026),
        ("x$[[ params.year ]]", "x2026"),
        (
            {"a": ["$[[ params.l ]]", 3, None], "b": {"c": "$[[ params.ratio ]]"}},
            {"a": [[1, 2], 3, None], "b": {"c": 1.0}},
        ),
        ("$[[ tasks.erp.outputs.ok ]]", True),
        ("$[[ 1 ]]$[[ 2 ]]", "12"),
    ],
)
def test_an_expression_that_is_the_whole_value_keeps_its_type(data: Any, expected: Any) -> None:
    assert render_tree(data, value) == expected


@pytest.mark.parametrize(
    ("text", "inner"), [("$[[ a ]]", "a"), (" $[[a]] ", "a"), ("x$[[ a ]]", ""), ("$[[ a ]]$[[ b ]]", ""), ("a", "")]
)
def test_whole_values_are_told_from_texts(text: str, inner: str) -> None:
    assert whole(text) == inner


def test_a_tree_takes_so_much_once_rendered() -> None:
    """However often it names a value, and whatever this holds: an empty list takes memory too."""
    room = Room(1_000_000, "the values here", "write less")
    for given in ("x" * 1_000, [[]] * 100, dict.fromkeys(map(str, range(50)))):
        with pytest.raises(
            ExpressionError, match=r"with it, the values here take more than 0 MiB together: write less"
        ):
            render_tree({"a": ["$[[ v ]]"] * 2_000}, lambda _, given=given: given, copy(room))  # type: ignore[misc]
    assert render_tree(["$[[ v ]]"] * 900, lambda _: "x" * 1_000, room)[-1] == "x" * 1_000
    with pytest.raises(ExpressionError, match="more than 1 MiB"):
        render_tree(["$[[ v ]]"] * 2, lambda _: "x" * 600_000)
