"""What a successful run leaves: its DAG's outputs, and values for later runs."""

import json
from typing import Any

from tradewind.model.bounded import OutOfBounds, checked
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.expressions.scope import evaluate
from tradewind.plan.expressions.typed_values import problem_with
from tradewind.plan.runs.task_ledger import TaskLedger

KEPT_LIMIT = 16 * 1024
"""Bytes of values that a run can leave to later runs."""
OUTPUTS_LIMIT = 512 * 1024
"""Bytes of outputs that one run can hold: its object must stay within what etcd stores."""


class NoResult(ValueError):
    """An output, or a value for later runs, can't be computed. The message names the field and says why."""


def results(ledger: TaskLedger) -> dict[str, Any]:
    """The values of `spec.outputs`. Only valid once all but the exit tasks have ended. Raises NoResult."""
    definition, found = ledger.definition, {}
    for name, expression in definition.spec.outputs.items():
        found[name] = _computed(ledger, f"spec.outputs.{name}", expression)
    if found and _size(found) + sum(map(_size, ledger.outputs.values())) > OUTPUTS_LIMIT:
        raise NoResult(
            f"spec.outputs: with them the run would hold more than {OUTPUTS_LIMIT // 1024} KiB of outputs: hand on the path, size and "
            "checksum of big results"
        )
    return found


def kept(ledger: TaskLedger) -> dict[str, Any]:
    """The values of `spec.keep`. Only valid once all but the exit tasks have ended. Raises NoResult."""
    definition, found = ledger.definition, {}
    for name, declared in definition.spec.keep.items():
        path = f"spec.keep.{name}.value"
        found[name] = _computed(ledger, path, declared.value)
        if problem := problem_with(declared, found[name], path):
            raise NoResult(str(problem))
    if found and _size(found) > KEPT_LIMIT:
        raise NoResult(f"spec.keep: the values have more than {KEPT_LIMIT // 1024} KiB: keep what identifies them")
    return found


def _computed(ledger: TaskLedger, path: str, expression: str) -> Any:
    """The plain value of an expression over all tasks but the exit tasks. Raises NoResult."""
    try:
        value = evaluate(expression, ledger.definition.final_scope, ledger.values_of_run, ledger.of_task)
        return checked(value, name=path)
    except ExpressionError as error:
        raise NoResult(f"{path}: {error}") from None
    except OutOfBounds as error:
        raise NoResult(f"{error.path}: {error.problem}") from None


def _size(value: Any) -> int:
    return len(json.dumps(value, default=str, separators=(",", ":"), ensure_ascii=False).encode())
