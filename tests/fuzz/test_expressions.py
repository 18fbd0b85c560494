"""Any text as an expression: a value or an error, with bounded work and memory."""

import resource
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.plan.cel import compiler
from tradewind.plan.cel.sizes import VALUE_BYTES_LIMIT
from tradewind.plan.expressions.cel_rule import trigger
from tradewind.plan.expressions.scope import Names, Scope, TaskNames, compile_in, retry_rule, search

from fuzz.garbage import JSON, MAPS, tries
from fuzz.targets import expression

TEN = "[1,2,3,4,5,6,7,8,9,0]"
WORDS = st.sampled_from(
    ["params.a", "params.n", "item", "tasks.t.outputs", ".b", ".rows", "[0]", "1", "-1", "0u", "1.5e308", "'x'", "b'\\xff'", '"""', "true", "null", "+", "-", "*", "/", "%", "!", "&&", "||", "?", ":", "==", "<", " in ", "(", ")", "[", "]", "{", "}", ",", ".map(x, ", ".filter(x, ", ".all(x, ", "x", "size(", "string(", "int(", "timestamp(", "duration('1s')", ".matches('(a*)*b')", "type(", "has(", "Failed(", "google.protobuf.Any{}", "\ud800", "\0", "é", "'" * 3, "//", "9223372036854775807"]
)  # fmt: skip
SCOPE = Scope(Names((("a", "any"), ("s", "secret")), {"t": TaskNames("t", outputs=(("rows", "integer"),))}), lambda _: True)  # fmt: skip
TOO_MUCH = [
    "(" * 2_000 + "1" + ")" * 2_000,
    "[" * 2_000 + "]" * 2_000,
    "+".join(["1"] * 2_000),
    "a" + ".a" * 2_000,
    f"{TEN}.map(a, " * 8 + "1" + ")" * 8,
    f"{TEN}.all(a, " * 8 + "true" + ")" * 8,
    "['x']" + ".map(b, b+b+b+b+b+b+b+b+b)" * 8,
    "[[1]]" + ".map(b, b+b+b+b+b+b+b+b)" * 8,
    "[params.a]" + ".map(b, b+b)" * 12,
    "[" + "1," * 999 + "1].map(i, params.a + params.a)",
    "'a'.matches('((a{1,100}){1,100}){1,100}')",
    "x" * 5_000,
]


@pytest.mark.parametrize("text", TOO_MUCH, ids=range(len(TOO_MUCH)))
def test_what_would_take_too_much_is_refused(text: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(compiler.ExpressionError):
        compiler.run(compiler.compiled(text, (("params.a", "any"),), str), {"params.a": "x" * 256 * 1024})
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2 * VALUE_BYTES_LIMIT // 1024


@pytest.mark.parametrize(
    "text",
    [
        "params.files.map(f, 's3://bucket/' + f + '/part')",
        "params.files.filter(f, f != 'x').map(f, f + '.csv').map(f, {'name': f, 'path': '/data/' + f})",
        "params.files.map(f, params.files.map(g, f + g))[0][0] + params.note",
    ],
)
def test_what_people_write_is_far_from_the_bound(text: str) -> None:
    values = {"params.files": [f"file-{n:04}" for n in range(90)], "params.note": "x" * 500}
    program = compiler.compiled(text, (("params.files", "any"), ("params.note", "any")), str)
    assert compiler.run(program, values)


@tries(600)
@given(st.lists(WORDS, max_size=14).map("".join) | st.text(max_size=60))
def test_any_text_is_an_expression_or_an_error(text: str) -> None:
    expression(text.encode(errors="surrogatepass"))
    for compile in (lambda: compile_in(text, SCOPE), lambda: retry_rule(text), lambda: trigger(text, ("a", "b-c"))):
        try:
            compile()
        except compiler.ExpressionError as error:
            assert error.problem


@tries(200)
@given(st.lists(WORDS, max_size=6).map(lambda words: "params.a" + "".join(words)) | st.just("params.a"), JSON | MAPS)
def test_values_of_any_shape_can_be_computed_with(text: str, value: Any) -> None:
    try:
        compiler.run(compiler.compiled(text, (("params.a", "any"),), str), {"params.a": value})
    except compiler.ExpressionError as error:
        assert error.problem


@tries(300)
@given(st.text(alphabet="ab()[]{}*+?|\\^$.1,0é\0", max_size=30), st.text(max_size=40))
def test_regular_expressions_of_any_form_match_or_are_refused(pattern: str, text: str) -> None:
    try:
        search(pattern, text)
    except compiler.ExpressionError as error:
        assert error.problem


def test_no_regular_expression_backtracks() -> None:
    assert not search("(a*)*(a*)*b", "a" * 100_000)
