"""A DAG ready to run: the spec read, checked and put in order. The same checks serve the operator and the CLI."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from pydantic import ValidationError

from tradewind.model.base import DNS_LABEL, IDENTIFIER, Model
from tradewind.model.dag import DAGSpec
from tradewind.model.duration import seconds
from tradewind.model.task import Retries, Task, merged
from tradewind.plan.expression import ExpressionError, Scope, check
from tradewind.plan.graph import Cycle, Graph, graph
from tradewind.plan.params import problem_with
from tradewind.plan.planner import Terms
from tradewind.plan.problem import Invalid, Problem

DEFAULT_PENDING_TIMEOUT = 600.0
M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Definition:
    """A valid DAG: its spec, its tasks with the defaults merged in, and its graph."""

    spec: DAGSpec
    tasks: Mapping[str, Task]
    graph: Graph

    @cached_property
    def terms(self) -> dict[str, Terms]:
        """On what terms each task runs."""
        return {
            name: Terms(
                retries=task.retries or Retries(),
                pending_timeout=seconds(task.pending_timeout) if task.pending_timeout else DEFAULT_PENDING_TIMEOUT,
            )
            for name, task in self.tasks.items()
        }

    def scope(self, task: str) -> Scope:
        """What the task's expressions may name."""
        return Scope(
            params=tuple((name, param.type) for name, param in self.spec.params.items()),
            tasks=self.graph.ancestors(task),
        )


def read(kind: type[M], data: Any, root: str = "spec") -> M:
    """A document from plain data. Raises Invalid with a problem per field."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise Invalid([_problem(detail, root) for detail in error.errors(include_url=False)]) from None


def _problem(detail: Any, root: str) -> Problem:
    path = root + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"])
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
    problems = [*_names(spec), *_dangling(tasks), *_params(spec), *_contents(tasks)]
    try:
        order = graph({name: task.depends_on for name, task in tasks.items()})
    except Cycle as cycle:
        first = cycle.tasks[0]
        raise Invalid(
            [*problems, Problem(f"spec.tasks.{first}.dependsOn", str(cycle), "remove one of these dependencies")]
        ) from None
    definition = Definition(spec, tasks, order)
    problems.extend(_expressions(definition))
    if problems:
        raise Invalid(problems)
    return definition


def _dangling(tasks: Mapping[str, Task]) -> Iterator[Problem]:
    for name, task in tasks.items():
        for index, dependency in enumerate(task.depends_on):
            if dependency not in tasks:
                there = ", ".join(sorted(tasks)[:20])
                yield Problem(
                    f"spec.tasks.{name}.dependsOn[{index}]", f"there is no task {dependency!r}", f"there are: {there}"
                )


def _params(spec: DAGSpec) -> Iterator[Problem]:
    for name, param in spec.params.items():
        if param.default is not None and (problem := problem_with(param, param.default, f"spec.params.{name}.default")):
            yield problem
        for index, value in enumerate(param.enum):
            bare = param.model_copy(update={"enum": []})
            if problem := problem_with(bare, value, f"spec.params.{name}.enum[{index}]"):
                yield problem


def _names(spec: DAGSpec) -> Iterator[Problem]:
    for name in spec.tasks:
        if not re.match(DNS_LABEL, name):
            yield Problem(
                f"spec.tasks.{name[:80]}",
                "not a task name",
                "use at most 63 lower-case letters, digits and '-', with a letter or digit at both ends",
            )
    for name in spec.params:
        if not re.match(IDENTIFIER, name):
            yield Problem(f"spec.params.{name[:80]}", "not a param name", "use at most 63 letters, digits and '_'")


def _contents(tasks: Mapping[str, Task]) -> Iterator[Problem]:
    for name, task in tasks.items():
        path = f"spec.tasks.{name}"
        ways = [way for way in ("script", "http") if getattr(task, way)]
        if task.command or task.args:
            ways.append("command/args")
        if len(ways) > 1:
            yield Problem(
                path, f"{' and '.join(ways)} exclude each other", "write one of script, http and command/args"
            )
        if task.script and bool(task.script.python) == bool(task.script.shell):
            yield Problem(f"{path}.script", "needs one program", "write either python or shell")
        for variable, source in task.env_from.items():
            if bool(source.secret_key_ref) == bool(source.config_map_key_ref):
                yield Problem(f"{path}.envFrom.{variable}", "needs one source", "write secretKeyRef or configMapKeyRef")
        for variable in sorted(task.env.keys() & task.env_from.keys()):
            yield Problem(f"{path}.envFrom.{variable}", "set in env too", "set each variable in one place")
        if task.image and task.http:
            yield Problem(f"{path}.image", "an http task runs in Tradewind's own image", "remove it")
        if not task.image and not task.http and not _template_image(task):
            yield Problem(f"{path}.image", "required", "name an image here or in spec.defaults.image")


def _template_image(task: Task) -> bool:
    spec = (task.pod_template or {}).get("spec")
    containers = spec.get("containers") if isinstance(spec, dict) else None
    return any(
        isinstance(container, dict) and container.get("name") == "main" and container.get("image")
        for container in (containers if isinstance(containers, list) else [])
    )


def templated(name: str, task: Task) -> Iterator[tuple[str, str]]:
    """Path and text of every value of a task in which expressions are rendered."""
    path = f"spec.tasks.{name}"
    for variable, text in task.env.items():
        yield f"{path}.env.{variable}", text
    for field in ("command", "args"):
        for index, text in enumerate(getattr(task, field)):
            yield f"{path}.{field}[{index}]", text
    if task.http:
        yield f"{path}.http.url", task.http.url
        yield f"{path}.http.body", task.http.body
        for header, text in task.http.headers.items():
            yield f"{path}.http.headers.{header}", text


def _expressions(definition: Definition) -> Iterator[Problem]:
    for name, task in definition.tasks.items():
        texts = [(path, text) for path, text in templated(name, task) if "$[[" in text]
        if not texts:
            continue
        scope = definition.scope(name)
        for path, text in texts:
            try:
                check(text, scope)
            except ExpressionError as error:
                yield Problem(path, str(error))
