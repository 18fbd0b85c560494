"""Functions of expressions: each documented one does what its page says, within bounds that are known in advance."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tradewind.plan.cel.bounds import bound
from tradewind.plan.cel.compiler import ExpressionError, compiled, run
from tradewind.plan.cel.functions.prices import PRICES
from tradewind.plan.cel.sizes import VALUE_BYTES_LIMIT, Size, Sizes
from tradewind.plan.cel.tree import Call, nodes
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.expressions.interpolation import written

from plan.game import defined

PAGE = (Path(__file__).parents[3] / "docs/functions.md").read_text()
ROWS = re.findall(r"^\| `(.+)` \| `(.+)` \|$", PAGE, re.MULTILINE)
VARIABLES = (("d", "any"), ("l", "list"), ("t", "string"), ("n", "integer"))
BIG = "ab, c" * 20_000
MANY = [f"item {at % 7}" for at in range(3_000)]


def value(expression: str, **given: Any) -> Any:
    return run(compiled(expression, VARIABLES, str), given)


@pytest.mark.parametrize(("expression", "gives"), ROWS, ids=[row[0] for row in ROWS])
def test_the_page_of_functions_is_true(expression: str, gives: str) -> None:
    found = value(expression)
    assert written(found) == (json.loads(gives) if isinstance(found, str) else gives)


def test_every_function_is_on_the_page() -> None:
    called = {
        node.function
        for expression, _ in ROWS
        for node in nodes(compiled(expression, VARIABLES, str).tree.root)
        if isinstance(node, Call)
    }
    assert PRICES.keys() <= called


GROWING = {
    "t.replace('', 'xyz')": BIG[:1_000],
    "t.replace('a', 'xyz')": BIG,
    "t.split('')": BIG[:5_000],
    "t.split(',')": BIG,
    "t.split(',').join('---')": BIG,
    "t.split('').distinct().sort()": BIG[:5_000],
    "strings.quote(t)": '"\\\n' * 1_000,
    "'%s %s %.300f'.format([t, t, 1.5])": BIG,
    "t.upperAscii().reverse().trim().substring(3)": BIG,
    "regex.extract(t, '.*')": BIG,
    "regex.extractAll(t, 'a?')": BIG[:3_000],
    "regex.replace(t, '', 'xyz')": BIG[:3_000],
    "regex.replace(t, '(.*)', '\\\\1\\\\1\\\\0')": BIG[:3_000],
    "base64.encode(bytes(t))": BIG,
    "string(base64.decode(t))": "YWJj" * 1_000,
    "json.parse(t)": json.dumps([[{"a": [1] * 50}] * 20] * 20),
    "json.format([t, t])": '"\\\n' * 1_000,
    "range(n).map(i, i * 2)": 900,
    "range(10000)": 0,
    "l.sort()": MANY,
    "l.sortBy(x, x)": MANY[:600],
    "l.sortBy(x, l.sortBy(y, y).first() + x)": MANY[:50],
    "l.distinct()": MANY,
    "l.slice(5, 2000)": MANY,
    "[l, l].flatten()": MANY,
    "[l.first(), l.last(), l.min(), l.max()]": MANY,
    "l.map(x, x.split('')).flatten().distinct()": MANY[:50],
    "l.sum()": [1.5] * 3_000,
}


@pytest.mark.parametrize("expression", GROWING)
def test_what_a_function_gives_is_no_larger_than_was_worked_out_before(expression: str) -> None:
    given = dict.fromkeys("tln", GROWING[expression])
    program = compiled(expression, VARIABLES, str)
    found = bound(program.tree.root, lambda name, path: None if path else Sizes().of(given[name]))
    result = run(program, given)
    assert Sizes().of(result).bytes <= found.result.bytes
    assert found.time < float("inf") and found.memory < float("inf")


@pytest.mark.parametrize(
    "expression",
    [
        "t.replace('', t)",
        "t.split('').map(a, t.split('').map(b, t))",
        "t.format([t])",
        "range(10000).map(i, t).join(t)",
        "json.format(range(10000).map(i, t))",
        "[t, t, t].map(a, [t, t, t].map(b, a.replace('a', t)))",
    ],
)
def test_what_would_become_too_large_is_refused_before(expression: str) -> None:
    with pytest.raises(ExpressionError, match=r"too large|too long|too much|may take"):
        value(expression, t=BIG)
    program = compiled(expression, VARIABLES, str)
    assert bound(program.tree.root, lambda name, path: Size(1e5, 1e5, None, True)).memory > VALUE_BYTES_LIMIT


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("[].first()", "first: the list is empty"),
        ("[1, 'a'].sort()", "sort: the elements can't be compared: they have to be all numbers, or all texts"),
        ("[{'a': 1}].max()", "max: the elements can't be compared"),
        ("['a'].sum()", "sum: the elements have to be numbers"),
        ("[{'a': 1}, {'a': 'x'}].sortBy(x, x.a)", "sortBy: the keys can't be compared: they have to be all numbers"),
        ("[9223372036854775807, 1].sum()", "integer overflow"),
        ("[1].slice(1, 3)", "slice: 1 to 3 is not within a list of 1"),
        ("range(10001)", "range: 10001 is not from 0 to 10000"),
        ("regex.extract('a', '(')", "'(' is not a regular expression that can be used: missing )"),
        ("regex.extract('a', '\\\\\\\\\\\\C')", "\\C matches parts of characters"),
        ("regex.extract('a', '(a)(b)')", "regex.extract: the regular expression has 2 groups; write (?:...)"),
        ("regex.replace('a', '(a)', '\\\\2')", "there is no group 2; the regular expression has 1"),
        ("regex.replace('a', 'a', '\\\\x')", "\\ stands before the number of a group"),
        ("json.parse('{')", "json.parse: the text is not JSON"),
        ("json.parse('18446744073709551616')", "is an integer beyond 64 bits"),
        ("json.parse('\"a\\\\u0000\"')", "contains the character U+0000"),
        ("json.format(b'a')", "json.format can't be used with bytes"),
        ("['a\\u0000b'].sort()", "contains the character U+0000"),
        ("duration('1 day')", "'1 day' is not a duration: write one like 1d, 1h30m or 90s"),
        ("duration('999999999999d')", "is too long"),
        (f"duration('{'1h' * 101}')", "is not a duration"),
        ("'%.1001f'.format([1.0])", "exceeds maximum"),
        ("[timestamp('2026-01-01T00:00:00Z')].sort()", "functions of lists can't give points in time"),
        ("[type(1)].distinct()", "functions of lists can't give points in time, durations or types"),
        ("[{1.5: 2}]", "a mapping has texts, integers or booleans as keys"),
        ("{timestamp('2026-01-01T00:00:00Z'): 2}", "a mapping has texts, integers or booleans as keys"),
    ],
)
def test_what_a_function_can_not_do_is_said(expression: str, words: str) -> None:
    with pytest.raises(ExpressionError, match=re.escape(words)):
        value(expression)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("'a'.splitt(',')", "there is no function 'splitt'; did you mean split?"),
        ("params.p.upper()", "there is no function 'upper'; did you mean upperAscii?"),
        ("[1].sorted()", "did you mean sort?"),
        ("[1].sortBy(x)", "sortBy begins with a name for each entry, and has one key; write LIST.sortBy(x, x.KEY)"),
        ("[1].sortBy(x, x, x)", "sortBy begins with a name for each entry"),
        ("len([1])", "there is no function 'len'; did you mean size?"),
        ("json.loads('1')", "did you mean json.parse?"),
        ("now()", "there is no function 'now'; times are facts of the run: run.startedAt, run.logicalDate"),
        ("'a'.frobnicate()", "there is no function 'frobnicate'"),
    ],
)
def test_an_unknown_function_is_told_with_the_nearest(expression: str, words: str) -> None:
    with pytest.raises(Invalid, match=re.escape(words)):
        defined({"a": {"compute": {"x": expression}, "image": ""}}, params={"p": {"default": "x"}})


def test_looking_for_groups_has_the_price_of_the_states_that_there_may_be() -> None:
    def price(pattern: str) -> float:
        program = compiled(f"regex.extract(t, '{pattern}')", VARIABLES, str)
        return bound(program.tree.root, lambda name, path: Sizes().of(BIG)).time

    assert price("(.{0,500}c)") > 100 * price("(.c)") and price("(\\\\pL+)") > 20 * price("(.+)")
    assert price("' + t + '") > 5 * price("(.{0,500}c)")


def test_lists_are_sorted_within_each_other() -> None:
    entries = [{"n": 2, "of": [3, 1]}, {"n": 1, "of": [2, 4]}, {"n": 1, "of": []}]
    inner = "l.sortBy(x, x.n).map(x, x.of.sortBy( y , -y ))"
    assert value(inner, l=entries) == [[4, 2], [], [3, 1]]
    assert value("l.sortBy(x, x.of.sortBy(y, y).size())", l=entries) == [entries[2], entries[0], entries[1]]
    assert value("['sortBy(x, 1)', 'a'].sortBy(x, x.contains(')') ? 2 : 1)") == ["a", "sortBy(x, 1)"]


def test_lengths_of_time_are_those_that_params_have() -> None:
    for text, expected in (
        ("1d", "24h0m0s"),
        ("1.5h", "1h30m0s"),
        ("-1h", "-1h0m0s"),
        ("1d12h30m", "36h30m0s"),
        ("20ms", "20ms"),
    ):
        assert value("duration(t)", t=text) == expected
    assert value("duration(duration('1h'))") == "1h0m0s"


def test_values_that_are_equal_to_json_are_distinct_once() -> None:
    assert value("d.distinct()", d=[1, 1.0, True, "1", [1], [1.0], {"b": 1, "a": 2}, {"a": 2, "b": 1}, None]) == [
        1,
        True,
        "1",
        [1],
        {"a": 2, "b": 1},
        None,
    ]
