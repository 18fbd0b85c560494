"""The values that a run reads once, when it starts. Its status records them, so that they stay the same."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tradewind.model.dag import DAGSpec
from tradewind.model.start_values import KeptValue
from tradewind.plan import pacing
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.cel.tokens import MAX_LENGTH
from tradewind.plan.documents.problem import Invalid, Problem
from tradewind.plan.expressions.interpolation import expressions
from tradewind.plan.expressions.typed_values import problem_with

_GAP = r"(?:[\s()`]|//[^\n]*\n)*+"
"""What may stand between two names beside the dot, as `(run).latest` says the same: only an expression is searched, which is
short, since a text may begin a comment at each of its words."""
_DOT = rf"{_GAP}\.{_GAP}"
"""The dot between two names."""
_MADE = re.compile(rf"\brun{_DOT}(latest|nextDate|trigger)\b")
_PAST = re.compile(rf"\brun{_DOT}(previous|lastSuccess)\b({_DOT}outputs\b)?")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The earlier runs that a DAG needs to know: `previous`, `lastSuccess`, or none; whether it reads their outputs; and more."""

    past: frozenset[str] = frozenset()
    outputs: bool = False
    made: frozenset[str] = frozenset()
    """What it needs to know of what made a run: latest, nextDate, trigger, or nothing."""


def wanted(spec: DAGSpec) -> Wanted:
    """What the expressions of a DAG name, and its kept values need."""
    named, made = list[tuple[str, str]](), set[str]()
    for text in _texts(spec.model_dump(mode="json", exclude_defaults=True)):
        for expression in _expressions(text):
            named += _PAST.findall(expression)
            made.update(_MADE.findall(expression))
    past = {root for root, _ in named} | ({"lastSuccess"} if spec.keep else set())
    return Wanted(frozenset(past), any(outputs for _, outputs in named), frozenset(made))


def _expressions(text: str) -> list[str]:
    """The parts of a text that can be expressions."""
    if "run" not in text:
        return []
    if len(text) <= MAX_LENGTH:
        return [text]
    try:
        return [*pacing.each(expressions(text))]
    except ExpressionError:
        return []


def _texts(data: Any) -> Iterator[str]:
    """All texts in data."""
    left = [data]
    while left:
        pacing.pause()
        match left.pop():
            case str(text):
                yield text
            case dict(values):
                left += values.values()
            case list(values):
                left += values


def described(name: str, phase: str, logical_date: str, outputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """An earlier run, as expressions see it. All values are empty if there is none."""
    return {"name": name, "phase": phase, "logicalDate": logical_date, "outputs": dict(outputs)}


def kept_values(declared: Mapping[str, KeptValue], left: Mapping[str, Any], run: str) -> Mapping[str, Any]:
    """The values of `kept`: those that `run` left, and the initial ones. Raises Invalid for one that does not fit its declaration."""
    found = {name: left.get(name, kept.initial) for name, kept in declared.items()}
    problems = []
    for name, kept in declared.items():
        if problem := problem_with(kept, found[name], ""):
            what = f"{problem.what}, and run {run} has left that"
            problems.append(
                Problem(f"spec.keep.{name}", what, "declare the value under another name, or change its type back")
            )
    if problems:
        raise Invalid(problems)
    return found


def variables(bound: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The values in a run's status, by the names that expressions use."""
    for root in ("previous", "lastSuccess"):
        if isinstance(run := bound.get(root), Mapping):
            yield from ((f"run.{root}.{field}", value) for field, value in run.items())
    for field, kind in (("latest", bool), ("nextDate", str)):
        if isinstance(value := bound.get(field), kind):
            yield f"run.{field}", value
    if isinstance(trigger := bound.get("trigger"), Mapping):
        yield from ((f"run.trigger.{field}", str(trigger.get(field) or "")) for field in ("type", "name"))
    for root in ("kept", "config"):
        if isinstance(values := bound.get(root), Mapping):
            yield from ((f"{root}.{name}", value) for name, value in values.items())
