"""The cost of an evaluation is bounded by the engine's checked tree, however an expression is written."""

from typing import Any

import pytest
from tradewind.plan import pacing
from tradewind.plan.cel import compiler
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.cel.sizes import KEPT, Sizes
from tradewind.plan.expressions.scope import search

FILES = [f"s3://bucket/a/path/that/is/not/short/file-{number}.csv" for number in range(10_000)]
ROWS = [{"name": f"n{number}", "kind": "k" * 50, "n": number, "tags": ["a", "b"]} for number in range(10_000)]
VALUES: dict[str, Any] = {
    "params.prefix": "out/",
    "params.big": "x" * 1_000_000,
    "params.n": 3,
    "params.words": "ü" * 100,
    "params.xs": list(range(80)),
    "tasks.list.outputs": {"files": FILES, "rows": ROWS, "note": "y" * 100_000},
    "item": "one",
}
VARIABLES = tuple((name, "any") for name in VALUES)


def run(expression: str) -> Any:
    return compiler.run(compiler.compiled(expression, VARIABLES, str), VALUES)


@pytest.mark.parametrize(
    "expression",
    [
        "params.n + 1",
        "params.prefix + item + '.csv'",
        "(params.big + params.big).size()",
        "tasks.list.outputs.files.map(f, f + '.gz')",
        "tasks.list.outputs.files.filter(f, f.endsWith('+.csv')).map(f, params.prefix + f + '.gz')",
        'tasks.list.outputs.rows.map(r, r.kind + "-" + r.name)',
        "tasks.list.outputs.rows.map(r, 'n' + string(r.n + 1))",
        "tasks.list.outputs.rows.filter(r, r.n + params.n > 5).size() + 1",
        "tasks.list.outputs.files + tasks.list.outputs.files",
        "tasks.list.outputs.rows.map(r, r.tags + ['c'])",
        "'''a+b'''.size() > 2 && params.words.contains('+')",
        "true || tasks.list.outputs.files.map(f, f.missing).size() > 3",
        "params.xs // a comment, with 'a quote\n.map(x, x + 1)",
    ],
)
def test_what_people_write_about_ten_thousand_items_passes(expression: str) -> None:
    run(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "tasks.list.outputs.files.map(f, params.big + f)",
        "tasks.list.outputs.files.map(f, tasks.list.outputs.files + [f])",
        "tasks.list.outputs.files.map(f, (tasks.list.outputs.files) + (tasks.list.outputs.files))",
        "tasks.list.outputs.files.map(f, tasks.list.outputs.files.map(g, f + params.big))",
        "tasks.list.outputs.files.map(f, tasks.list.outputs['files'] + [f])",
        "params.xs.map(x, params.xs.map(y, params.big + params.big)).size() > 0",
        "// '\nparams.xs.map(x, params.xs.map(y, params.big + params.big)).size() > 0 // '",
        "params.xs. // \n map // \n (x, params.xs.map(y, params.big + params.big)).size() > 0",
        "params.xs.map(x, r'\"' + params.xs.map(y, params.big + params.big)[0] + r'\"').size() > 0",
        "params.xs.map(x, '''\"''' + params.xs.map(y, params.big + params.big)[0] + '\"').size() > 0",
        "params.xs.exists(x, params.xs.map(y, [params.big + params.big].map(z, z + z)[0]).size() == 0)",
        "params.xs.all(x, (params.big + params.big).matches('y'))",
    ],
)  # fmt: skip
def test_what_joins_something_long_in_every_turn_does_not(expression: str) -> None:
    with pytest.raises(
        ExpressionError,
        match=r"(may make|gives) too large a value|gives what can|too much work",
    ):
        run(expression)


class Elsewhere:
    """Records what is handed on."""

    spent = False

    def __init__(self) -> None:
        self.asked: list[str] = []

    def pause(self) -> None:
        pass

    def evaluate(self, asked: pacing.Evaluation) -> Any:
        self.asked.append(asked.expression)
        return True


@pytest.mark.parametrize(
    ("pattern", "long"),
    [
        ("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", False),
        ("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", False),
        ("(?i)error|warning", False),
        (r"(?i)\\pL{400}", True),
        (r"(\\pL?){400}", True),
        (r"(?i)(\\pL|\\pN){300}", True),
        ("((a{1,100}){1,100}){1,100}", True),
    ],
)
def test_a_pattern_that_is_dear_to_compile_is_not_compiled_in_place(pattern: str, long: bool) -> None:
    there = Elsewhere()
    with pacing.at(there):
        run(f"'a'.matches('{pattern}')")
        run("||".join(f"params.prefix.matches('{pattern}{number}')" for number in range(3)))
        search(pattern.replace("\\\\", "\\"), "x")
    assert len(there.asked) == (3 if long else 0)


@pytest.mark.parametrize(
    ("pattern", "long"),
    [
        ("^[a-z]+$", False),
        ("[.]csv([.]gz)?$", False),
        ("(a|b)*a(a|b){500}c", True),
        ("[ab]*a[ab]{990}c", True),
        ("(?:[ab]*a[ab]{300}c){3}", True),
    ],
)
def test_a_pattern_that_leads_to_more_states_than_are_kept_is_not_looked_for_in_place(pattern: str, long: bool) -> None:
    there = Elsewhere()
    with pacing.at(there):
        compiler.run(
            compiler.compiled(f"text.matches('{pattern}')", (("text", "string"),), str), {"text": "ab" * 1_000}
        )
    assert len(there.asked) == long


def test_lists_that_are_joined_again_and_again_are_not_joined_in_place() -> None:
    there = Elsewhere()
    with pacing.at(there):
        for turns in (5, 200):
            compiler.run(
                compiler.compiled(f"range({turns}).map(i, xs + xs).size()", (("xs", "list"),), str), {"xs": [1] * 400}
            )
    assert len(there.asked) == 1


@pytest.mark.parametrize("zone", ["'/dev/stdout'", "params.prefix + '/../zone'"])
def test_a_time_zone_is_no_file(zone: str) -> None:
    with pytest.raises(ExpressionError, match="there is no time zone"):
        run(f"timestamp('2026-01-01T00:00:00Z').getHours({zone})")
    with pytest.raises(ExpressionError, match="in a loop needs its time zone written out"):
        run("params.xs.map(x, timestamp('2026-01-01T00:00:00Z').getHours('/dev/' + string(x)))")
    assert run("timestamp('2026-01-01T00:00:00Z').getHours('Europe/' + 'Paris')") == 1
    assert run("timestamp('2026-01-01T00:00:00Z').getHours('-03:30')") == 20


def test_sizes_are_kept_of_so_many_bytes_of_values() -> None:
    sizes, values = Sizes(), [["a" * 100_000, str(number)] for number in range(100)]
    for value in values:
        sizes.of(value)
    assert sum(size.bytes for _, size in sizes._kept.values()) <= KEPT
    assert id(values[-1]) in sizes._kept and id(values[0]) not in sizes._kept
    sizes.of(large := ["a" * KEPT])
    assert id(large) not in sizes._kept and id(values[-1]) in sizes._kept
