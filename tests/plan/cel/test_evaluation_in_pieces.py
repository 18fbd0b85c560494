"""`map` and `filter` over a long list are evaluated in pieces, since the engine keeps the result of every turn: with
the same result, and in little memory. What would still take too much is refused."""

import subprocess
import sys
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.plan.cel import evaluation
from tradewind.plan.cel.compiler import ExpressionError, Variables, compiled, run

VARIABLES: Variables = (("params.skip", "integer"), ("tasks.a.outputs", "object"), ("tasks.b.outputs.rows", "list"))
EXPRESSIONS = [
    "tasks.a.outputs.list.map(x, x + 1)",
    "tasks.a.outputs.list.filter(x, x != params.skip).map(y, {'n': [y], 'text': '.map(' + string(y)})",
    "tasks.a.outputs.list.map(x, x > params.skip, x * 2).size() + 1",
    "size(tasks.a.outputs.list.filter(x, x in tasks.b.outputs.rows.map(r, r.n)))",
    "tasks.b.outputs.rows.map(r, r.tags.map(t, t + '!')) + tasks.a.outputs.list.map(x, [string(x)])",
    "tasks.a.outputs.list.size() > 3 ? tasks.b.outputs.rows.filter(r, r.n > 1) : []",
    "tasks.b.outputs.rows.all(r, tasks.a.outputs.list.filter(x, x == r.n).size() < 2)",
    "tasks . b . outputs . rows . map ( r , r.n == 0 ? dyn(null) : dyn(1.5) )",
    "tasks.b.outputs.rows.map(r, tasks.b.outputs.rows.size() + r.n)",
    "tasks.b.outputs.rows.map(r, 10 / r.n)",
    "tasks.b.outputs.rows.filter(r, r.missing == 1)",
]


def outcome(expression: str, values: dict[str, Any], piece: int) -> Any:
    program = compiled(expression, VARIABLES, str)
    with mock.patch.multiple(evaluation, PIECE=piece, LIGHT_MEMORY=-1, FEW_BYTES=-1):
        try:
            return run(program, values)
        except ExpressionError as error:
            return str(error)


@given(st.sampled_from(EXPRESSIONS), st.lists(st.integers(0, 9), max_size=12), st.integers(1, 4))
def test_the_result_is_the_same_in_pieces_and_errors_quote_what_was_written(
    expression: str, numbers: list[int], piece: int
) -> None:
    rows = [{"n": number, "tags": ["a", "b"][: number % 3]} for number in numbers]
    values = {"params.skip": 3, "tasks.a.outputs": {"list": numbers}, "tasks.b.outputs.rows": rows}
    assert outcome(expression, values, piece) == outcome(expression, values, 10_000)


TEN_THOUSAND = """
import resource, sys
from tradewind.plan.cel.compiler import compiled, run
rows = [{"n": number, "name": f"row-{number}", "tags": ["a", "b"]} for number in range(10_000)]
program = compiled(sys.argv[1], (("tasks.b.outputs.rows", "list"), ("params.big", "string")), str)
try:
    run(program, {"tasks.b.outputs.rows": rows, "params.big": "x" * 400_000})
except ValueError as error:
    print(error)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if sys.platform == "linux":  # What it says there begins with what the process had that started this one.
    peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(peak)
"""


@pytest.mark.parametrize(
    ("expression", "refused"),
    [
        ("tasks.b.outputs.rows.filter(r, r.n % 2 == 0).map(r, r.name + '.csv')", ""),
        ("tasks.b.outputs.rows.map(r, r.tags.map(t, t + r.name)).size() > 3", ""),
        ("tasks.b.outputs.rows.map(r, params.big)", "gives too large a value"),
        ("[params.big, params.big].map(x, tasks.b.outputs.rows.map(r, r.n))", "goes over too long a list"),
    ],
)
def test_ten_thousand_elements_take_some_megabytes_or_are_refused(expression: str, refused: str) -> None:
    done = subprocess.run([sys.executable, "-c", TEN_THOUSAND, expression], capture_output=True, text=True, check=True)
    *said, peak = done.stdout.splitlines()
    assert refused in "".join(said) and bool(said) == bool(refused)
    unit = 1 if sys.platform == "darwin" else 1_024
    assert int(peak) * unit < 400 * 2**20, "in one piece it takes 1.6 GB"
