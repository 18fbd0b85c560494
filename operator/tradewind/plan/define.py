"""From plain data to a definition: rendered, read, merged with the defaults, checked and put in order."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from tradewind.model.base import MAX_TASKS
from tradewind.model.dag import DAGSpec
from tradewind.model.task import Task, merged
from tradewind.plan import artifacts, check, lifecycle, pace
from tradewind.plan.definition import Definition
from tradewind.plan.graph import Cycle, graph
from tradewind.plan.place import Place
from tradewind.plan.problem import Invalid, Problem
from tradewind.plan.read import read
from tradewind.plan.render import SIZE_LIMIT, Find, Ref, Rendering, nowhere, render, too_large
from tradewind.plan.walk import size_of


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
    if rendering.origins and size_of(rendering.spec, SIZE_LIMIT) > SIZE_LIMIT:
        raise Invalid([too_large()])
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


def read_spec(data: Any) -> DAGSpec:
    """A DAG's spec, its tasks one by one. Raises Invalid with everything that is wrong."""
    tasks = data.get("tasks") if isinstance(data, dict) else None
    if not isinstance(tasks, dict) or not 0 < len(tasks) <= MAX_TASKS:
        return read(DAGSpec, data)
    problems: list[Problem] = []
    found: dict[str, Task] = {}
    some = dict(islice(tasks.items(), 1))
    try:
        spec: DAGSpec | None = read(DAGSpec, {**data, "tasks": some})
    except Invalid as error:
        spec, problems = None, [problem for problem in error.problems if not problem.path.startswith("spec.tasks.")]
    for name, body in pace.each(tasks.items()):
        try:
            found[name] = read(Task, body, f"spec.tasks.{name}")
        except Invalid as error:
            problems += error.problems
    if spec is None or problems:
        raise Invalid(problems)
    return spec.model_copy(update={"tasks": found})


def _defined(data: Any, unknown: frozenset[str], fragment: bool) -> Definition:
    spec = read_spec(data)
    if not spec.tasks:
        raise Invalid([Problem("spec.tasks", "required", "write tasks, or the template that has them (spec.template)")])
    tasks = {name: merged(spec.defaults, task) for name, task in pace.each(spec.tasks.items())}
    if found := lifecycle.too_many(tasks):
        raise Invalid([found])
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
