"""The params of a run: what was given, checked against what is declared."""

from collections.abc import Mapping
from typing import Any

from tradewind.model.dag import Param
from tradewind.plan.problem import Problem

_ARTICLE = {"string": "a string", "integer": "an integer", "number": "a number", "boolean": "true or false"}


def fits(kind: str, value: Any) -> bool:
    """Whether a value is of a param's type. JSON knows no difference between 3 and 3.0; YAML users write 3."""
    match kind:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63
        case _:
            return isinstance(value, int | float) and not isinstance(value, bool)


def problem_with(param: Param, value: Any, path: str) -> Problem | None:
    """What is wrong with a value, if anything."""
    shown = repr(value)[:80]
    if not fits(param.type, value):
        hint = ' (in YAML, quote it: "...")' if param.type == "string" else ""
        return Problem(path, f"{shown} is not {_ARTICLE[param.type]}", f"write {_ARTICLE[param.type]}{hint}")
    if param.enum and value not in param.enum:
        return Problem(path, f"{shown} is not allowed", f"write one of {', '.join(map(str, param.enum))}")
    return None


def resolve(declared: Mapping[str, Param], given: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """The params in force, and what is wrong with those given."""
    problems: list[Problem] = []
    for name in given:
        if name not in declared:
            there = ", ".join(sorted(declared)) or "none"
            problems.append(Problem(f"spec.params.{name}", "no such param", f"the DAG declares: {there}"))
    values: dict[str, Any] = {}
    for name, param in declared.items():
        if name in given:
            value = given[name]
            if problem := problem_with(param, value, f"spec.params.{name}"):
                problems.append(problem)
        elif param.default is not None:
            value = param.default
        else:
            problems.append(Problem(f"spec.params.{name}", "required", f"give {_ARTICLE[param.type]}"))
            continue
        values[name] = float(value) if param.type == "number" and fits("number", value) else value
    return values, problems


def from_text(param: Param, text: str) -> Any:
    """A value typed on a command line, as the param's type; unchanged when it can't be."""
    match param.type:
        case "boolean":
            return {"true": True, "false": False}.get(text.lower(), text)
        case "integer" | "number":
            try:
                return int(text) if param.type == "integer" else float(text)
            except ValueError:
                return text
        case _:
            return text
