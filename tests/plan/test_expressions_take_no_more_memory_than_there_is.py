"""What evaluating may take is bounded from the engine's checked tree, however an expression is written."""

from typing import Any

import pytest
from tradewind.plan import cel
from tradewind.plan.cel import ExpressionError

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
    return cel.run(cel.compiled(expression, VARIABLES, str), VALUES)


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
