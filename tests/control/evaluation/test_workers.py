"""The worker process: state that one namespace leaves in it harms no other."""

import sys
from collections.abc import AsyncIterator

import pytest
from tradewind.control.evaluation.workers import Evaluator
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.pacing import Evaluation

FORGETFUL = """
import os, sys, msgspec
from tradewind.control.evaluation.child import LENGTH, read
answered = 0
while (raw := read(sys.stdin.buffer)) is not None:
    expression = msgspec.msgpack.decode(raw)[0]
    if expression == "dies" and answered:
        os._exit(1)
    found = ("memory", "takes too much", 0.0) if expression == "huge" or answered else ("value", os.getpid(), 0.0)
    answered += 1
    out = msgspec.msgpack.encode(found)
    sys.stdout.buffer.write(LENGTH.pack(len(out)) + out)
    sys.stdout.buffer.flush()
"""
"""Has memory for one evaluation only, and for no huge one."""


@pytest.fixture
async def evaluator() -> AsyncIterator[Evaluator]:
    made = Evaluator(command=(sys.executable, "-c", FORGETFUL))
    yield made
    await made.close()


async def pid(evaluator: Evaluator, expression: str = "fits") -> object:
    return (await evaluator.evaluate("ns", Evaluation(expression, (), {})))[0]


@pytest.mark.parametrize("expression", ["fits", "dies"])
async def test_memory_that_others_have_left_behind_fails_no_evaluation(evaluator: Evaluator, expression: str) -> None:
    first = await pid(evaluator)
    assert await pid(evaluator, expression) != first


async def test_what_takes_too_much_by_itself_fails(evaluator: Evaluator) -> None:
    for _ in range(2):
        with pytest.raises(ExpressionError, match="takes too much"):
            await pid(evaluator, "huge")
    assert await pid(evaluator)
