"""Values for a template's params, checked, or samples if there are none yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tradewind.model.template import TemplateSpec, TemplateUse
from tradewind.model.value import Param
from tradewind.plan import pacing
from tradewind.plan.documents.nearest import listed
from tradewind.plan.documents.place import Place
from tradewind.plan.documents.problem import Problem
from tradewind.plan.documents.wording import quoted
from tradewind.plan.expressions import interpolation
from tradewind.plan.expressions.typed_values import fits, needed, problem_with, problem_with_bounds

_SAMPLES: Mapping[str, Any] = {
    "string": "sample",
    "integer": 1,
    "number": 1.0,
    "boolean": True,
    "duration": "1m",
    "date": "2026-01-31",
    "datetime": "2026-01-31T00:00:00Z",
    "any": "sample",
    "list": [],
    "object": {},
    "secret": {"name": "sample", "key": "sample"},
}
"""Values for a check without a user. They fit the types; problems of their contents are not reported."""


class Secret(dict[str, Any]):
    """Name and key of a Secret, which must not be written into a text."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """Values by name. Those in `sampled` replace values that a user has to give."""

    values: Mapping[str, Any]
    sampled: frozenset[str] = field(default=frozenset())


def given(
    declared: TemplateSpec, use: TemplateUse, place: Place, user: Place, sampled: frozenset[str] = frozenset()
) -> tuple[Inputs, list[Problem]]:
    """The values that a user gives, and what is wrong with them. `place` is that of the template's spec, `user` that of
    the use. Those `sampled` are samples themselves."""
    problems: list[Problem] = []
    params = declared.params
    what = ""
    for name in pacing.each(use.params):
        if name not in params:
            what = what or f"{place.document} declares: {listed(params)}"
            problems.append(user.at(f"params.{name}").problem("no such param", quoted(name) or what))
    values: dict[str, Any] = {}
    for name, param in params.items():
        there = Place(place.at(f"params.{name}").path, place.document, user.at(f"params.{name}"))
        value = use.params.get(name)
        if value is None:
            value = param.default
            if value is not None and (found := unfit(param, value)):
                declared_at = Place(there.path, place.document, user)
                problems.append(declared_at.problem(found.what, found.instead))
                continue
        elif name not in sampled and (found := unfit(param, value)):
            problems.append(there.problem(found.what, found.instead))
            continue
        if value is None and param.required:
            problems.append(there.problem("required", f"give {needed(param)}"))
            continue
        values[name] = _typed(param, value)
    return Inputs(values, sampled), problems


def samples(declared: TemplateSpec) -> Inputs:
    """Values to check a template with: its defaults, and samples for required params."""
    sampled = frozenset(name for name, param in declared.params.items() if param.required)
    return Inputs(
        {name: _typed(param, _sample(param)) for name, param in declared.params.items()},
        sampled,
    )


def unfit(param: Param, value: Any) -> Problem | None:
    """What is wrong with a value, as far as it is known: the value of an expression is known when a task starts."""
    if interpolation.leaves(value, "") and (
        param.type == "string" or (isinstance(value, str) and interpolation.whole(value)) or fits(param.type, value)
    ):
        return None
    if wrong := problem_with_bounds(param, ""):
        return Problem("", f"its own bounds don't fit ({wrong.path.lstrip('.')}: {wrong.what})", wrong.instead)
    return problem_with(param, value, "")


def _sample(param: Param) -> Any:
    if not param.required:
        return param.default
    return param.enum[0] if param.enum else _SAMPLES[param.type]


def _typed(param: Param, value: Any) -> Any:
    if param.type == "number" and fits("number", value):
        return float(value)
    return Secret(value) if param.type == "secret" and isinstance(value, dict) else value
