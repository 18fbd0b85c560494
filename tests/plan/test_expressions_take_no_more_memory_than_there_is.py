"""What `+` may make is bounded before an expression is evaluated; what people write about long lists passes."""

from typing import Any

import pytest
from tradewind.plan.growth import LARGEST, bound

FILES = [f"s3://bucket/a/path/that/is/not/short/file-{number}.csv" for number in range(10_000)]
ROWS = [{"name": f"n{number}", "kind": "k" * 50, "n": number, "tags": ["a", "b"]} for number in range(10_000)]
VALUES: dict[str, Any] = {
    "params": {"prefix": "out/", "big": "x" * 1_000_000, "n": 3, "words": "ü" * 100},
    "tasks": {"list": {"outputs": {"files": FILES, "rows": ROWS}}},
    "item": "one",
}


@pytest.mark.parametrize(
    "expression",
    [
        "params.n + 1",
        "params.prefix + item + '.csv'",
        "params.big + params.big",
        "tasks.list.outputs.files.map(f, f + '.gz')",
        "tasks.list.outputs.files.filter(f, f.endsWith('+.csv')).map(f, params.prefix + f + '.gz')",
        'tasks.list.outputs.rows.map(r, r.kind + "-" + r.name)',
        "tasks.list.outputs.rows.map(r, 'n' + string(r.n + 1))",
        "tasks.list.outputs.rows.filter(r, r.n + params.n > 5).size() + 1",
        "tasks.list.outputs.files + tasks.list.outputs.files",
        "tasks.list.outputs.rows.map(r, r.tags + ['c'])",
        "'''a+b'''.size() > 2 && params.words.contains('+')",
    ],
)
def test_what_people_write_about_ten_thousand_items_passes(expression: str) -> None:
    assert bound(expression, VALUES) <= LARGEST
    dotted = {"params": VALUES["params"], "tasks.list.outputs": VALUES["tasks"]["list"]["outputs"], "item": "one"}
    assert bound(expression, dotted) <= LARGEST, "variables have names with dots"


@pytest.mark.parametrize(
    "expression",
    [
        "tasks.list.outputs.files.map(f, params.big + f)",
        "tasks.list.outputs.files.map(f, tasks.list.outputs.files + [f])",
        "tasks.list.outputs.files.map(f, (tasks.list.outputs.files) + (tasks.list.outputs.files))",
        "tasks.list.outputs.files.map(f, tasks.list.outputs.files.map(g, f + params.big))",
        "tasks.list.outputs.files.map(f, tasks['list'].outputs.files + [f])",
    ],
)
def test_what_joins_something_long_in_every_turn_does_not(expression: str) -> None:
    assert bound(expression, VALUES) > LARGEST
