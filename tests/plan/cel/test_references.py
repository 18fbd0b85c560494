"""Evaluating leaves nothing behind in the process, and never ends it."""

import gc
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import tradewind
from tradewind.plan.cel import evaluation
from tradewind.plan.cel.compiler import compiled
from tradewind.plan.cel.error import ExpressionError

NULLS = """
from tradewind.plan.cel import evaluation
from tradewind.plan.cel.compiler import compiled
program = compiled("params.l.map(x, null)", (("params", "any"),), str)
for _ in range(20):
    assert evaluation.in_place(program, {"params": {"l": [1] * 3_000}}) == [None] * 3_000
"""
NUMBERS = [*range(1_000, 2_000)]
WORDS = ",".join(f"word-{number}" for number in range(300))
CALLS: dict[str, dict[str, Any]] = {
    "range(1000)": {},
    "range(1000).size()": {},
    "params.l.distinct()": {"l": NUMBERS},
    "params.l.sort().sum()": {"l": NUMBERS},
    "json.parse(params.t).size()": {"t": str(NUMBERS)},
    "json.format(params.l).size()": {"l": NUMBERS},
    "regex.extractAll(params.t, '[0-9]+')": {"t": WORDS},
    "regex.replace(params.t, '[0-9]', 'x')": {"t": WORDS},
    "range(50).map(x, range(20)).flatten().size()": {},
    "params.m.map(k, k)": {"m": {f"key-{number}": number for number in range(500)}},
    "params.l.map(x, x + 0.5).sum()": {"l": NUMBERS[:90]},
    "range(1000)[5000]": {},
    "json.parse(params.t)": {"t": "[" + WORDS},
    "Succeeded(params.t)": {"t": WORDS},
}


def worked_out(expression: str, params: dict[str, Any]) -> Any:
    program = compiled(expression, (("params", "any"),), str)
    try:
        return evaluation.in_place(program, {"params": params})
    except ExpressionError as error:
        return error.problem


@pytest.mark.parametrize("expression", CALLS)
def test_a_call_of_a_function_leaves_nothing_behind(expression: str) -> None:
    params = CALLS[expression]
    first = worked_out(expression, params)
    for _ in range(5):
        worked_out(expression, params)
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(40):
        assert worked_out(expression, params) == first
    gc.collect()
    assert sys.getallocatedblocks() - before < 40 * 20


def test_nulls_in_results_do_not_end_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", NULLS], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_threads_evaluate_beside_each_other() -> None:
    found: dict[int, Any] = {}

    def work(number: int) -> None:
        for _ in range(50):
            found[number] = worked_out("params.l.distinct().sort().sum()", {"l": [*range(number), *range(number)]})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(10, 18)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: sum(range(number)) for number in range(10, 18)}


def test_all_functions_are_declared_so() -> None:
    root = Path(tradewind.__file__).parent
    assert [path.name for path in root.rglob("*.py") if "cel.Overload(" in path.read_text()] == ["references.py"]
