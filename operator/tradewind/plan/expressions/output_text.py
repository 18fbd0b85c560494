"""Outputs of tasks that write text instead of a JSON object."""

from collections.abc import Mapping
from typing import Any

from tradewind.model.value import Element, Output
from tradewind.plan.documents.problem import Problem
from tradewind.plan.expressions.typed_values import from_text


def read_text(declared: Mapping[str, Output], text: str) -> dict[str, Any] | None:
    """The outputs in a file that holds text; None if the task writes JSON."""
    for name, output in declared.items():
        if output.from_ == "text":
            return {name: from_text(output, text.removesuffix("\n"))}
        if output.from_ == "lines":
            of = output.items or Element()
            return {name: [from_text(of, line) for line in text.removesuffix("\n").split("\n")] if text.strip() else []}
    return None


def source_problem(declared: Mapping[str, Output], name: str, path: str) -> Problem | None:
    """What is wrong with where an output comes from; None if nothing is."""
    output = declared[name]
    if output.from_ == "json":
        return None
    if len(declared) > 1:
        what = f"{output.from_} is the whole file, and {len(declared)} outputs are declared"
        return Problem(f"{path}.from", what, "declare this output only, or write a JSON object")
    if output.from_ == "lines" and output.type != "list":
        return Problem(f"{path}.from", f"lines are a list, this is of type {output.type}", "write type: list")
    return None
