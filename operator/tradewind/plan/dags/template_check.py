"""Checks a template on its own: rendered with its defaults, and with samples for required params."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tradewind.model.base import IDENTIFIER
from tradewind.model.template import TemplateSpec
from tradewind.plan.dags import validate
from tradewind.plan.dags.compile import TemplateNotFound, checked
from tradewind.plan.dags.definition import Definition
from tradewind.plan.documents.problem import Invalid, Problem
from tradewind.plan.documents.read import read
from tradewind.plan.templates.inputs import samples, unfit
from tradewind.plan.templates.render import SORTS, TASK, Find, Ref, Renderer, Rendering, nowhere


@dataclass(frozen=True, slots=True)
class Sample:
    """A template rendered with samples, and its definition, if the samples are good enough for one."""

    spec: TemplateSpec
    rendering: Rendering
    definition: Definition | None


def sample(ref: Ref, data: Any, find: Find = nowhere, complete: bool = True) -> Sample:
    """Checks a template's `spec`. Raises Invalid with everything that is wrong, by the template's field paths, and, if
    it has to be `complete`, TemplateNotFound for templates that it uses and `find` doesn't know."""
    sort = SORTS[ref.kind]
    spec = read(sort.spec, data)
    if problems := list(_params(spec)):
        raise Invalid(problems)
    rendering = Renderer(find).sample(ref, getattr(spec, sort.field), samples(spec))
    if rendering.problems:
        raise Invalid(rendering.problems)
    if rendering.missing and complete:
        raise TemplateNotFound(rendering.missing)
    return Sample(spec, rendering, checked(rendering, fragment=sort is TASK))


def _params(spec: TemplateSpec) -> Iterator[Problem]:
    for name in spec.params:
        if not re.fullmatch(IDENTIFIER, name):
            yield Problem(f"spec.params.{name[:80]}", "not a param name", "use at most 63 letters, digits and '_'")
    yield from validate.booleans("spec", params=spec.params)
    yield from validate.declared(spec.params, lambda param: unfit(param, param.default))


def signature(spec: TemplateSpec) -> str:
    """A template's params for a table: required ones first, then optional ones with a `?`."""
    required = sorted(name for name, param in spec.params.items() if param.default is None)
    return ", ".join([*required, *(f"{name}?" for name in sorted(spec.params.keys() - set(required)))])
