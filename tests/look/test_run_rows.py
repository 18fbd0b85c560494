"""The rows of a run, including those of runs below it."""

from typing import Any, cast

from tradewind.look.run_rows import Part, Row, flat
from tradewind.plan.outcomes.state import State


def row(task: str, message: str, *below: Row) -> Row:
    parts = (Part(cast("Any", None), below),) if below else ()
    return Row(task, State.FAILED, 0, (), None, None, message, run="r", parts=parts)


def test_a_failure_that_callers_repeat_is_told_once() -> None:
    found = [row("t", "too deep", row("u", "too deep", row("t", "too deep"))), row("v", "refused", row("w", "exit 1"))]
    assert [(item.task, item.message) for item in flat(found)] == [
        ("t", ""),
        ("t/u", ""),
        ("t/u/t", "too deep"),
        ("v", "refused"),
        ("v/w", "exit 1"),
    ]
