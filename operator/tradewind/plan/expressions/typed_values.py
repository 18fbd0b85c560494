"""Checks typed values against their declarations: the params of a run, the outputs of a task."""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from tradewind.model.base import DATA_KEY, DNS_SUBDOMAIN
from tradewind.model.bounded import PARAMS_LIMIT, OutOfBounds, checked, params_problem, read_json
from tradewind.model.duration import instant, seconds
from tradewind.model.shown import counted
from tradewind.model.start_values import KeptValue
from tradewind.model.value import Bounds, Element, Output, Param
from tradewind.plan import pacing
from tradewind.plan.cel.error import ExpressionError
from tradewind.plan.documents import budget
from tradewind.plan.documents.nearest import choose, listed
from tradewind.plan.documents.problem import Problem, at_most
from tradewind.plan.documents.wording import quoted
from tradewind.plan.expressions.regex import TOO_DEAR, regex_fault
from tradewind.plan.expressions.scope import search

_ARTICLE = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "duration": "a duration such as 90s or 1h30m",
    "date": "a date such as 2026-01-31",
    "datetime": "a point in time such as 2026-01-31T08:00:00Z",
    "any": "any value",
    "list": "a list",
    "object": "an object",
    "secret": "{name: SECRET, key: KEY}",
}
NO_SUCH_PARAM = "no such param"
"""The problem of an undeclared param."""
_LIKE = {"list": """ such as ["a", "b"]""", "object": """ such as {"a": 1}"""}
_QUOTED = frozenset({"string", "duration", "date", "datetime"})
_TIMES = ("duration", "date", "datetime")
_SIZED = frozenset({"string", "list", "object"})


def fits(kind: str, value: Any) -> bool:
    """Whether a value is of a type. JSON does not distinguish 3 from 3.0; YAML users write 3."""
    match kind:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
        case "list":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case "secret":
            return _is_reference(value)
        case "any":
            return True
        case _:
            return isinstance(value, str) and parsed(kind, value) is not None


def _is_reference(value: Any) -> bool:
    """Whether a value refers to a key of a Secret."""
    if not isinstance(value, dict) or value.keys() != {"name", "key"} or not all(map(_is_short, value.values())):
        return False
    return bool(re.fullmatch(DNS_SUBDOMAIN, value["name"]) and re.fullmatch(DATA_KEY, value["key"]))


def _is_short(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 253


def parsed(kind: str, value: str) -> float | date | None:
    """The seconds of a duration or of a point in time, or a date; None for an invalid text."""
    try:
        if kind == "duration":
            return seconds(value)
        if kind == "datetime":
            return instant(value)
        return date.fromisoformat(value) if re.fullmatch(r"\d{4}-\d\d-\d\d", value) else None
    except ValueError:
        return None


def problem_with(declared: Param | Output | KeptValue | Element, value: Any, path: str) -> Problem | None:
    """What is wrong with a value; None if it is valid."""
    kind = declared.type
    if value is None and isinstance(declared, Param) and declared.optional:
        return None
    # A secret given here by mistake must not appear in a status or an Event.
    shown = "what is given" if kind == "secret" else _shown(value)
    if kind == "duration" and isinstance(value, str) and (words := _no_duration(value)):
        what, _, instead = words.rpartition(": write ")
        return Problem(path, what, f"write {instead}")
    if not fits(kind, value):
        hint = ' (in YAML, quote it: "...")' if kind in _QUOTED and not isinstance(value, str) else ""
        hint = hint or _LIKE.get(kind, "")
        return Problem(path, f"{shown} is not {_ARTICLE[kind]}", f"write {_ARTICLE[kind]}{hint}")
    if declared.enum and value not in declared.enum:
        return Problem(path, f"{shown} is not allowed", f"write one of {', '.join(map(str, declared.enum))}")
    for bound, beyond, words in (("min", -1, "at least"), ("max", 1, "at most")):
        limit = getattr(declared, bound)
        if limit is not None and _compare(kind, value, limit) == beyond:
            what = f"has {counted(len(value), _part(kind))}" if kind in _SIZED else "is out of bounds"
            return Problem(
                path, f"{shown} {what}", f"{words} {counted(limit, _part(kind)) if kind in _SIZED else limit}"
            )
    if isinstance(declared, Param | Output) and declared.items:
        for index, element in enumerate(pacing.each(value)):
            if problem := problem_with(declared.items, element, f"{path}[{index}]"):
                return problem
    return _mismatch(declared.pattern, value, path, shown) if declared.pattern else None


def _mismatch(pattern: str, value: str, path: str, shown: str) -> Problem | None:
    """The problem of a value that does not match a pattern; a value that can't be searched does not match."""
    try:
        if search(pattern, value):
            return None
    except ExpressionError as error:
        return Problem(path, f"{shown} can't be held against {pattern!r}: it {error.problem}", "write another value")
    return Problem(path, f"{shown} does not match {pattern!r}", "write a value that does")


def _shown(value: Any) -> str:
    """A value as quoted in messages: text unchanged, anything else as JSON."""
    return repr(value)[:80] if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)[:80]


def _no_duration(text: str) -> str:
    try:
        seconds(text)
    except ValueError as error:
        return str(error)
    return ""


def needed(declared: Param) -> str:
    """What to write for a param, for people."""
    return _ARTICLE[declared.type]


def _part(kind: str) -> str:
    return "character" if kind == "string" else "item" if kind == "list" else "key"


def _compare(kind: str, value: Any, limit: Any) -> int:
    """-1, 0 or 1 for a value below, at or above the limit."""
    if kind in _SIZED:
        value = len(value)
    elif kind in _TIMES:
        value, limit = parsed(kind, value), parsed(kind, limit)
    return int(value > limit) - int(value < limit)


def problem_with_bounds(declared: Param | Output | KeptValue | Element, path: str) -> Problem | None:
    """What is wrong with the bounds themselves; None if they are valid."""
    kind = declared.type
    for bound in ("min", "max"):
        limit = getattr(declared, bound)
        if limit is None:
            continue
        if kind in ("boolean", "secret", "any"):
            what = "a value of any type" if kind == "any" else f"a {kind}"
            return Problem(f"{path}.{bound}", f"{what} has no bounds", "remove it")
        wanted = "integer" if kind in _SIZED else kind
        if not fits(wanted, limit):
            return Problem(f"{path}.{bound}", f"{_shown(limit)} is not {_ARTICLE[wanted]}", f"write {_ARTICLE[wanted]}")
    low, high = declared.min, declared.max
    if low is not None and high is not None and _above(kind, low, high):
        return Problem(f"{path}.min", f"{_shown(low)} is above max", "swap them")
    if declared.pattern and kind != "string":
        return Problem(f"{path}.pattern", f"a pattern is for strings, this is {_ARTICLE[kind]}", "remove it")
    if declared.pattern and (words := regex_fault(declared.pattern)):
        return Problem(f"{path}.pattern", words, "" if words == TOO_DEAR else "write a regular expression (RE2)")
    if isinstance(declared, Param | Output) and declared.items:
        if kind != "list":
            return Problem(f"{path}.items", f"items are for lists, this is {_ARTICLE[kind]}", "remove it")
        if problem := problem_with_bounds(declared.items, f"{path}.items"):
            return problem
    bare = declared.model_copy(update={"enum": [], "min": None, "max": None, "pattern": ""})
    for index, value in enumerate(declared.enum):
        if problem := problem_with(bare, value, f"{path}.enum[{index}]"):
            return problem
    return None


def _above(kind: str, low: Any, high: Any) -> bool:
    if kind in _TIMES:
        low, high = parsed(kind, low), parsed(kind, high)
    return bool(low > high)


def resolve(
    declared: Mapping[str, Param],
    given: Mapping[str, Any],
    root: str = "spec.params",
    there_are: str = "the DAG declares",
) -> tuple[dict[str, Any], list[Problem]]:
    """The effective values, and what is wrong with the given ones, or with the size of all together. `root` is their
    path; `there_are` begins the list of declared params in a message."""
    values, problems = resolve_each(declared, given, root, there_are)
    if not problems and (words := params_problem(values)):
        problems.append(Problem(root, words))
    return values, problems


def resolve_each(
    declared: Mapping[str, Param], given: Mapping[str, Any], root: str, there_are: str
) -> tuple[dict[str, Any], list[Problem]]:
    """The same without the size of all together: its cost is that of the given ones, however long defaults are."""
    problems: list[Problem] = []
    try:
        given = checked(dict(given), name=root)
    except OutOfBounds as error:
        return {}, [Problem(error.path, error.problem)]
    with budget.document():
        problems += at_most(_strangers(declared, given, root, there_are), root)
    values: dict[str, Any] = {}
    for name, param in declared.items():
        if name in given:
            value = given[name]
            if problem := problem_with(param, value, f"{root}.{name}"):
                problems.append(problem)
        elif param.default is not None or param.optional:
            value = param.default
        else:
            problems.append(Problem(f"{root}.{name}", "required", f"give {_ARTICLE[param.type]}"))
            continue
        values[name] = float(value) if param.type == "number" and fits("number", value) else value
    return values, problems


def _strangers(declared: Mapping[str, Param], given: Mapping[str, Any], root: str, there_are: str) -> Iterator[Problem]:
    """Values of undeclared params."""
    there = ""
    for name in pacing.each(given):
        if name not in declared:
            there = there or f"{there_are}: {listed(declared)}"
            yield Problem(f"{root}.{name}", NO_SUCH_PARAM, quoted(name) or choose(name, declared, there))


def accepted(declared: Mapping[str, Output], outputs: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The outputs of a task without a pod, as plain data, and what is wrong with them (empty if nothing is)."""
    try:
        plain = checked(dict(outputs))
    except OutOfBounds as error:
        return {}, f"output {error}"
    problem = outputs_problem(declared, plain)
    return {} if problem else plain, problem


def outputs_problem(declared: Mapping[str, Output], outputs: Mapping[str, Any]) -> str:
    """What is wrong with the outputs that a task wrote; empty if nothing is."""
    for name, output in declared.items():
        if name not in outputs:
            return f"output {name!r} is missing; the task wrote: {listed(outputs)}"
        if problem := problem_with(output, outputs[name], f"output {name!r}"):
            return str(problem)
    return ""


def from_text(param: Bounds, text: str) -> Any:
    """A value from a command line, converted to the param's type; unchanged if that fails."""
    match getattr(param, "type", "string"):
        case "boolean":
            return {"true": True, "false": False}.get(text.lower(), text)
        case "integer":
            try:
                return int(text)
            except ValueError:
                return text
        case "number":
            try:
                return float(text)
            except ValueError:
                return text
        case "list" if not text.lstrip().startswith(("[", "{", '"')):
            of = getattr(param, "items", None) or Element()
            return [from_text(of, item.strip()) for item in text.split(",")] if text.strip() else []
        case "list" | "object" | "any":
            try:
                return read_json(text, limit=PARAMS_LIMIT)
            except OutOfBounds:
                return text  # it is text, or was meant to be JSON and is not
        case "secret":
            name, slash, key = text.partition("/")
            return {"name": name, "key": key} if slash else text
        case _:
            return text
