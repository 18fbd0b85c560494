"""From plain data to a definition: rendered, read, merged with the defaults, checked and put in order."""

import json
from collections.abc import Mapping
from typing import Any

from tradewind.model.dag import DAGSpec
from tradewind.model.task import merged
from tradewind.plan import artifacts, check, lifecycle
from tradewind.plan.definition import Definition
from tradewind.plan.graph import Cycle, graph
from tradewind.plan.place import Place
from tradewind.plan.problem import Invalid, Problem
from tradewind.plan.read import read
from tradewind.plan.render import Find, Ref, Rendering, nowhere, render

SIZE_LIMIT = 1_400_000
"""Bytes of what a run is bound to, which has to fit into an object with room for the object's own fields."""


class TemplateNotFound(Invalid):
    """A DAG uses templates that are not there. `missing` says where."""

    def __init__(self, missing: Mapping[Ref, Place]) -> None:
        self.missing = tuple(missing)
        super().__init__([place.problem(f"there is no {ref}", "apply it") for ref, place in missing.items()])


def define(data: Any, find: Find = nowhere) -> Definition:
    """The definition of a DAG's `spec`, which may use the templates that `find` knows. Raises Invalid with everything that is wrong,
    as far as it can be read, and TemplateNotFound."""
    return defined(render(data, find))


def defined(rendering: Rendering) -> Definition:
    """The definition of a DAG that is rendered already. Raises as `define` does."""
    if rendering.problems:
        raise Invalid(rendering.problems)
    if rendering.missing:
        raise TemplateNotFound(rendering.missing)
    if rendering.origins and (size := len(json.dumps(rendering.spec, ensure_ascii=False).encode())) > SIZE_LIMIT:
        what = f"{size / 1e6:.1f} MB with its templates filled in; a Kubernetes object has at most 1.5 MB"
        raise Invalid([Problem("spec", what, "use one task for many items (forEach), or several DAGs")])
    definition = checked(rendering)
    assert definition is not None  # noqa: S101 (nothing is sampled)
    return definition


def checked(rendering: Rendering, fragment: bool = False) -> Definition | None:
    """The definition of what is known; None when samples are all that keeps it from being one. Of a `fragment`, expressions may name
    what is not there. Raises Invalid."""
    try:
        return _defined(rendering.spec, rendering.unknown, fragment)
    except Invalid as error:
        found = [p for p in error.problems if not rendering.sampled or rendering.place(p.path) not in rendering.sampled]
        if found:
            raise Invalid([rendering.told(problem) for problem in found]) from None
        return None


def _defined(data: Any, unknown: frozenset[str], fragment: bool) -> Definition:
    spec = read(DAGSpec, data)
    if not spec.tasks:
        raise Invalid([Problem("spec.tasks", "required", "write tasks, or the template that has them (spec.template)")])
    tasks = {name: merged(spec.defaults, task) for name, task in spec.tasks.items()}
    problems = [*check.names(spec), *check.dangling(tasks), *check.params(spec), *check.contents(tasks, unknown)]
    problems += [*lifecycle.problems(tasks), *artifacts.problems(spec, tasks)]
    try:
        order = graph(lifecycle.dependencies(tasks))
    except Cycle as cycle:
        first = cycle.tasks[0]
        raise Invalid(
            [*problems, Problem(f"spec.tasks.{first}.dependsOn", str(cycle), "remove one of these dependencies")]
        ) from None
    definition = Definition(spec, tasks, order, unknown, fragment)
    problems.extend(check.expressions(definition))
    if problems:
        raise Invalid(problems)
    return definition
