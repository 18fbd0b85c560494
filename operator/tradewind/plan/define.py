"""From plain data to a definition: read, merged with the defaults, checked and put in order."""

from typing import Any, TypeVar

from pydantic import ValidationError

from tradewind.model.base import Model
from tradewind.model.dag import DAGSpec
from tradewind.model.task import merged
from tradewind.plan import artifacts, check, lifecycle
from tradewind.plan.definition import Definition
from tradewind.plan.graph import Cycle, graph
from tradewind.plan.problem import Invalid, Problem

M = TypeVar("M", bound=Model)


def read(kind: type[M], data: Any, root: str = "spec") -> M:
    """A document from plain data. Raises Invalid with a problem per field."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise Invalid([_problem(detail, root) for detail in error.errors(include_url=False)]) from None


def _problem(detail: Any, root: str) -> Problem:
    parts = [part for part in detail["loc"] if part not in ("int", "str")]
    path = root + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    match detail["type"]:
        case "extra_forbidden":
            return Problem(path, "unknown field", "remove it, or see `kubectl explain` for the fields there are")
        case "missing":
            return Problem(path, "required", "")
        case _:
            message = detail["msg"].removeprefix("Value error, ")
            return Problem(path, f"{message[0].lower()}{message[1:]}", "")


def define(data: Any) -> Definition:
    """The definition of a DAG's `spec`. Raises Invalid with everything that is wrong, as far as it can be read."""
    spec = read(DAGSpec, data)
    tasks = {name: merged(spec.defaults, task) for name, task in spec.tasks.items()}
    problems = [*check.names(spec), *check.dangling(tasks), *check.params(spec), *check.contents(tasks)]
    problems += [*lifecycle.problems(tasks), *artifacts.problems(spec, tasks)]
    try:
        order = graph(lifecycle.dependencies(tasks))
    except Cycle as cycle:
        first = cycle.tasks[0]
        raise Invalid(
            [*problems, Problem(f"spec.tasks.{first}.dependsOn", str(cycle), "remove one of these dependencies")]
        ) from None
    definition = Definition(spec, tasks, order)
    problems.extend(check.expressions(definition))
    if problems:
        raise Invalid(problems)
    return definition
