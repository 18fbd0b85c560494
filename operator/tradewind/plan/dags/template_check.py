"""Checks a template on its own: rendered with its defaults, and with samples for required params."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tradewind.model.base import IDENTIFIER
from tradewind.model.template import TemplateSpec
from tradewind.plan.dags import validate
from tradewind.plan.dags.compile import TemplateNotFound, examined
from tradewind.plan.dags.definition import Definition
from tradewind.plan.documents import budget
from tradewind.plan.documents.problem import Invalid, Problem
from tradewind.plan.documents.read import read_partly
from tradewind.plan.documents.unread import Unread
from tradewind.plan.templates.inputs import samples, unfit
from tradewind.plan.templates.render import SORTS, TASK, Find, Ref, Renderer, Rendering, nowhere

_PARAM = re.compile(r"spec\.params\.([^.\[]+)")
_INPUT = re.compile(r"\binputs\.(\w+)")


@dataclass(frozen=True, slots=True)
class Sample:
    """A template rendered with samples, and its definition, if the samples are good enough for one."""

    spec: TemplateSpec
    rendering: Rendering
    definition: Definition | None
    problems: Sequence[Problem] = ()
    """Everything that is wrong, by the template's field paths."""
    unread: Unread = field(default_factory=Unread)


def sample(ref: Ref, data: Any, find: Find = nowhere) -> Sample:
    """A template's `spec`, checked. Raises Invalid with everything that is wrong, and TemplateNotFound for templates that it
    uses and `find` doesn't know."""
    found = sampled(ref, data, find)
    if found.problems:
        raise Invalid(found.problems)
    if found.rendering.missing:
        raise TemplateNotFound(found.rendering.missing)
    return found


@budget.document()
def sampled(ref: Ref, data: Any, find: Find = nowhere) -> Sample:
    """The same, as far as it can be read. Raises Invalid if nothing can."""
    sort = SORTS[ref.kind]
    reading = read_partly(sort.spec, data)
    spec, unread = reading.value, Unread(reading.unread, reading.meant)
    if spec is None:
        raise Invalid(reading.problems)
    wrong = unread.without_followers(_params(spec))
    problems = [*reading.problems, *wrong]
    if any(map(unread.holds, ("spec.params", f"spec.{sort.field}"))):
        return Sample(spec, Rendering(None), None, problems, unread)
    rendering = Renderer(find).sample(ref, getattr(spec, sort.field), samples(spec))
    seen = examined(rendering, fragment=sort is TASK)
    strange = {match[1] for path in (*unread.paths, *(item.path for item in wrong)) if (match := _PARAM.match(path))}
    problems += [problem for problem in seen.problems if not _uses(data, problem.path, strange)]
    return Sample(spec, rendering, seen.definition if seen.sound else None, problems, unread)


def _uses(data: Any, path: str, inputs: Collection[str]) -> bool:
    """Whether the value at a path uses one of these inputs: what is in their place is no value of the author's."""
    for step in re.findall(r"[^.\[\]]+", path.removeprefix("spec")) if inputs else ():
        at = int(step) if isinstance(data, list) and step.isdecimal() else step
        if not ((isinstance(data, dict) and at in data) or (isinstance(data, list) and at in range(len(data)))):
            break
        data = data[at]
    return bool(inputs) and any(name in inputs for name in _INPUT.findall(str(data)))


def _params(spec: TemplateSpec) -> Iterator[Problem]:
    for name in spec.params:
        if not re.fullmatch(IDENTIFIER, name):
            yield Problem(f"spec.params.{name[:80]}", "not a param name", "use at most 63 letters, digits and '_'")
    yield from validate.booleans("spec", params=spec.params)
    yield from validate.declared(spec.params, lambda param: unfit(param, param.default))


def signature(spec: TemplateSpec) -> str:
    """A template's params for a table: required ones first, then optional ones with a `?`."""
    required = sorted(name for name, param in spec.params.items() if param.required)
    return ", ".join([*required, *(f"{name}?" for name in sorted(spec.params.keys() - set(required)))])
