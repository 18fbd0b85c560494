"""Constant parts of an expression that always fail: a division by zero, an invalid regular expression."""

import json
import re

from tradewind.model.duration import absent_day
from tradewind.plan import pacing
from tradewind.plan.cel import compiler
from tradewind.plan.cel.error import ExpressionError
from tradewind.plan.cel.program import Program
from tradewind.plan.cel.tree import Call, Const, nodes
from tradewind.plan.dags import expression_sites
from tradewind.plan.dags.definition import Definition
from tradewind.plan.documents import budget
from tradewind.plan.expressions.literal import OPEN
from tradewind.plan.expressions.regex import TOO_DEAR, regex_fault

TRIED = 200.0
"""Microseconds charged for trying a part that is not a regular expression."""
_SUSPECT = re.compile(r"matches|regex\.|[/%]|duration|timestamp")


def suspect(definition: Definition) -> bool:
    """Whether a DAG's expressions may contain such a part."""
    texts = [*definition.spec.outputs.values(), definition.spec.concurrency_key, *definition.spec.run_labels.values()]
    for name, task in pacing.each(definition.tasks.items()):
        texts += [text for text, _, _ in expression_sites.conditions(task)]
        texts += [text for _, text in expression_sites.templated(name, task) if OPEN in text]
    return any(text and _SUSPECT.search(text) for text in texts)


def check(program: Program) -> None:
    """Raises ExpressionError for an expression that contains such a part."""
    if not _SUSPECT.search(program.expression):
        return
    for node in pacing.each(nodes(program.tree.root)):
        if isinstance(node, Call) and (words := _wrong(node)):
            raise ExpressionError(program.expression, words)


def _wrong(call: Call) -> str:
    pattern = call.function.startswith("regex.")
    last = call.args[1 if pattern else -1] if call.args else None
    if not isinstance(last, Const):
        return ""
    if call.function in ("_/_", "_%_") and last.kind == "int" and last.value == 0:
        return "divide by zero; write another divisor"
    if not isinstance(last.value, str):
        return ""
    quoted = json.dumps(last.value)
    match call.function:
        case "matches" | "regex.extract" | "regex.extractAll" | "regex.replace" if words := regex_fault(last.value):
            if words == TOO_DEAR:
                return words
            return f"{last.value[:80]!r} is not a regular expression that can be used: {words}"
        case "duration" | "tradewind_duration" if _fault(f"duration({quoted})"):
            return f"{last.value[:80]!r} is not a duration; write one such as 90s, 1h30m or 2d"
        case "timestamp" if _fault(f"timestamp({quoted})"):
            if words := absent_day(last.value):
                return f"{last.value[:80]!r}: {words}"
            return f"{last.value[:80]!r} is not a point in time; write one such as 2026-01-31T06:00:00Z"
        case _:
            return ""


def _fault(expression: str) -> str:
    """Why an expression without variables can't be evaluated; empty if it can, or if the document's budget is used up."""
    if not budget.current().attempt(expression, TRIED):
        return ""
    try:
        compiler.run(compiler.compiled(expression, (), str), {})
    except ExpressionError as error:
        return error.problem
    return ""
