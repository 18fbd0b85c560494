"""Messages for missing values."""

import re
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from tradewind.plan.cel.compiler_words import evaluator_message
from tradewind.plan.documents.nearest import listed

_TASK = re.compile(r"\btasks\.`?([A-Za-z0-9_]+)")
_CHAIN = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?:\.\w+)*")
_STATES = {
    "Skipped": "was skipped",
    "Failed": "failed",
    "Lost": "was lost",
    "UpstreamFailed": "did not run for a failure",
    "Cancelled": "was cancelled",
}


def missing(problem: str, expression: str, values: Mapping[str, Any]) -> str:
    """The evaluator's message; for a missing output, why it is missing, or which outputs exist. `values` are the
    expression's variables, by dotted name."""
    if problem.startswith("No value with name"):
        name = problem.partition('"')[2].partition('"')[0]
        return _never_written(name, values) or f"{name} has no value: the task did not write it"
    if "non-message type" in problem and (words := _null_items(expression, values)):
        return words
    if not problem.startswith("Key not found"):
        problem = evaluator_message(problem)
        named = _named(expression)
        inputs = ", ".join(f"{name}: {_type(value)}" for name, value in values.items() if name in named)
        return f"{problem}; inputs: {inputs}" if inputs else problem
    missing = problem.rpartition(": ")[2].strip('"')
    tasks = [*dict.fromkeys(_TASK.findall(expression))]
    if words := next(
        (words for task in tasks if (words := _never_written(f"tasks.{task}.outputs.{missing}", values))), ""
    ):
        return words
    there = [
        f"tasks.{task}.outputs has {listed(outputs) if outputs else 'no keys'}"
        for task in tasks
        if isinstance(outputs := values.get(f"tasks.{task}.outputs"), Mapping)
    ]
    return "; ".join([f"there is no key {missing!r}", *there])


def _never_written(name: str, values: Mapping[str, Any]) -> str:
    """Why a task that this run leaves out, or that did not succeed, has not written an output; empty if it succeeded."""
    task, _, output = name.partition(".outputs.")
    if output and values.get(f"{task}.leftOut"):
        word = task.removeprefix("tasks.")
        return f"{name} has no value: this run leaves {word} out; give it by `--given {word}.{output}=VALUE`"
    state = values.get(f"{task}.state", "Succeeded")
    if not output or state == "Succeeded":
        return ""
    return f"{task} {_STATES.get(state, state)}, so it has no output {output!r}: check `has({name})` first"


def _null_items(expression: str, values: Mapping[str, Any]) -> str:
    """The fan-out whose item has no outputs although the expression uses them."""
    for task in dict.fromkeys(_TASK.findall(expression)):
        root = f"tasks.{task}"
        if None in (outputs := values.get(f"{root}.outputs") or ()) and isinstance(outputs, list):
            index = outputs.index(None)
            state = values[f"{root}.states"][index]
            words = f"item {index} of {root} {_STATES.get(state, state)}, so that its outputs are null"
            return f"{words}: leave such items out with `{root}.outputs.filter(o, o != null)`"
    return ""


def _named(expression: str) -> set[str]:
    """The dotted names in an expression, and their prefixes."""
    found: set[str] = set()
    for chain in _CHAIN.findall(expression):
        found.update(accumulate(chain.split("."), "{}.{}".format))
    return found


def _type(value: object) -> str:
    """The type of a value, for people; for an object, its keys too."""
    match value:
        case Mapping():
            keys = [f"{key}: {_type(item)}" for key, item in list(value.items())[:8]]
            return "{" + ", ".join(keys) + (", ..." if len(value) > 8 else "") + "}"
        case list():
            return f"list of {len(value)}"
        case _:
            names = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
            return names.get(type(value), type(value).__name__)
