"""The results of a successful run: its DAG's outputs."""

import json
from typing import Any

from tradewind.model.bounded import OutOfBounds, checked
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.expressions.scope import evaluate
from tradewind.plan.runs.task_ledger import TaskLedger

OUTPUTS_LIMIT = 512 * 1024
"""Bytes of outputs that one run can hold: its object must stay within what etcd stores."""


class NoResult(ValueError):
    """An output of the run can't be computed. The message names the field and says why."""


def results(ledger: TaskLedger) -> dict[str, Any]:
    """The values of `spec.outputs`. Only valid once all but the exit tasks have ended. Raises NoResult."""
    definition, found = ledger.definition, {}
    for name, expression in definition.spec.outputs.items():
        try:
            value = evaluate(expression, definition.final_scope, ledger.values_of_run, ledger.of_task)
            found[name] = checked(value, name=f"spec.outputs.{name}")
        except ExpressionError as error:
            raise NoResult(f"spec.outputs.{name}: {error}") from None
        except OutOfBounds as error:
            raise NoResult(f"{error.path}: {error.problem}") from None
    if found and _size(found) + sum(map(_size, ledger.outputs.values())) > OUTPUTS_LIMIT:
        raise NoResult(
            f"spec.outputs: with them the run would hold more than {OUTPUTS_LIMIT // 1024} KiB of outputs: hand on the path, size and "
            "checksum of big results"
        )
    return found


def _size(value: Any) -> int:
    return len(json.dumps(value, default=str, separators=(",", ":"), ensure_ascii=False).encode())
