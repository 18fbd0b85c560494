"""Compiles plain data to a definition: rendered, parsed, merged with the defaults, checked and sorted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tradewind.model.base import MAX_TASKS
from tradewind.model.dag import DAGSpec
from tradewind.model.task import Task, merged
from tradewind.plan import pacing
from tradewind.plan.dags import artifacts, lifecycle, local_dags, validate
from tradewind.plan.dags.definition import Definition
from tradewind.plan.dags.graph import Cycle, Graph, graph, reach
from tradewind.plan.documents import budget, knock_on
from tradewind.plan.documents.knock_on import UnreadOfDAG
from tradewind.plan.documents.parts import held
from tradewind.plan.documents.place import Place
from tradewind.plan.documents.problem import ENOUGH, Invalid, Problem, at_most
from tradewind.plan.documents.read import MOST_UNREAD, ROUNDS, read_partly
from tradewind.plan.starts import run_labels
from tradewind.plan.templates.render import SIZE_LIMIT, Find, Ref, Rendering, nowhere, render, too_large
from tradewind.plan.templates.text_walk import size_of

CYCLES = 10
"""Cycles reported per DAG."""


class TemplateNotFound(Invalid):
    """A DAG uses templates that don't exist. `missing` says where."""

    def __init__(self, missing: Mapping[Ref, Place]) -> None:
        self.missing = tuple(missing)
        super().__init__([place.problem(f"there is no {ref}", "apply it") for ref, place in missing.items()])


def define(data: Any, find: Find = nowhere) -> Definition:
    """The definition of a DAG's `spec`, which may use the templates that `find` knows. Raises Invalid with everything
    that is wrong, as far as it can be read, and TemplateNotFound."""
    return defined(render(data, find))


def defined(rendering: Rendering) -> Definition:
    """The definition of a rendered DAG. Raises the errors of `define`."""
    ready(rendering)
    definition = checked(rendering)
    assert definition is not None  # noqa: S101 (nothing is sampled)
    return definition


def ready(rendering: Rendering) -> None:
    """Raises the errors of `define` for an incomplete rendering."""
    if rendering.problems:
        raise Invalid(rendering.problems)
    if rendering.missing:
        raise TemplateNotFound(rendering.missing)
    if rendering.origins and size_of(rendering.spec, SIZE_LIMIT) > SIZE_LIMIT:
        raise Invalid([too_large()])


def checked(rendering: Rendering, fragment: bool = False) -> Definition | None:
    """The definition from what is known; None if only samples prevent one. In a `fragment`, expressions may use unknown
    names. Raises Invalid."""
    found = examined(rendering, fragment)
    if found.problems:
        raise Invalid(found.problems)
    return found.definition if found.sound else None


@dataclass(frozen=True, slots=True)
class Examined:
    """The result of examining a DAG."""

    definition: Definition | None
    """The definition from the parts that could be read; None if they are too few."""
    problems: Sequence[Problem] = ()
    sound: bool = True
    """Whether samples were good enough."""


def examined(rendering: Rendering, fragment: bool = False) -> Examined:
    """Everything that is wrong with a DAG, and as much of its definition as possible."""
    if not rendering.whole:
        return Examined(None, rendering.problems)
    with budget.document():
        definition, problems = _defined(rendering.spec, rendering.unknown, fragment)
    real = [p for p in problems if not rendering.sampled or rendering.place(p.path) not in rendering.sampled]
    found = [*rendering.problems, *map(rendering.told, real)]
    return Examined(definition, found, len(real) == len(problems))


@dataclass(frozen=True, slots=True)
class _Spec:
    """A DAG's spec as far as it could be read."""

    spec: DAGSpec | None
    problems: list[Problem]
    unread: UnreadOfDAG


def read_spec(data: Any) -> DAGSpec:
    """A DAG's spec, its tasks read one by one. Raises Invalid with everything that is wrong."""
    found = _read_spec(data)
    if found.spec is None or found.problems:
        raise Invalid(found.problems)
    return found.spec


def _read_spec(data: Any) -> _Spec:
    tasks = data.get("tasks") if isinstance(data, dict) else None
    if not isinstance(tasks, dict) or not 0 < len(tasks) <= MAX_TASKS:
        whole = read_partly(DAGSpec, data)
        return _Spec(whole.value, [*whole.problems], UnreadOfDAG(whole.unread, whole.meant))
    rest = read_partly(DAGSpec, {key: value for key, value in data.items() if key != "tasks"})
    problems, unread, meant = [*rest.problems], [*rest.unread], [*rest.meant]
    found: dict[str, Task] = {}
    for name, body in pacing.each(tasks.items()):
        rounds = ROUNDS if len(unread) <= MOST_UNREAD else 1
        reading = read_partly(Task, body, f"spec.tasks.{name}", rounds)
        if len(problems) <= ENOUGH:
            problems += reading.problems
        unread += reading.unread if reading.value else [f"spec.tasks.{name}"]
        meant += reading.meant
        found[name] = reading.value or Task()
    spec = rest.value and rest.value.model_copy(update={"tasks": found})
    return _Spec(spec, problems, UnreadOfDAG(unread, meant))


def _defined(data: Any, unknown: frozenset[str], fragment: bool) -> tuple[Definition | None, list[Problem]]:
    """The definition of a DAG with its local DAGs. `unknown` names their tasks as DAG/TASK."""
    if not isinstance(data, dict) or "dags" not in data:
        return _part(data, unknown, fragment, {}, frozenset(), lifecycle.PAIRS)
    names = held(data)
    outputs = {name: _output_names(body) for name, body in names.items()}
    own = {field: value for field, value in data.items() if field != "dags"}
    definition, problems = _part(own, unknown, fragment, outputs, frozenset(), lifecycle.PAIRS)
    wrong = frozenset(field for field in local_dags.INHERITED if any(_is_in(item.path, field) for item in problems))
    problems += local_dags.shape(data)
    if any(problem.path == "spec.dags" for problem in problems):
        return definition, problems
    left = lifecycle.PAIRS - (lifecycle.pairs(definition.tasks) if definition else 0)
    local: dict[str, Definition] = {}
    for name in names:
        base = f"spec.dags.{name}"
        spec, strange = local_dags.alone(data, name, wrong)
        problems += [problem.moved(base) for problem in strange]
        if spec is None:
            continue
        inside = frozenset(task.partition("/")[2] for task in unknown if task.startswith(f"{name}/"))
        part, found = _part(spec, inside, fragment, outputs, wrong, left)
        problems += [problem.moved(base) for problem in found]
        if part:
            local[name] = part
            left -= lifecycle.pairs(part.tasks)
    if definition is None:
        return None, problems
    unread = [definition.unread, *(_moved(part.unread, f"spec.dags.{name}") for name, part in local.items())]
    whole = UnreadOfDAG(
        *(frozenset().union(*sets) for sets in zip(*((one.paths, one.all) for one in unread), strict=True))
    )
    definition = replace(definition, local=local, unread=whole)
    unread_names = frozenset(names.keys() - local.keys())
    more = at_most(local_dags.problems(definition, unread_names), "spec.dags")
    return definition, [*problems, *more]


def _output_names(body: Any) -> tuple[str, ...] | None:
    """The results of a local DAG as written; None if they can't be read."""
    outputs = body.get("outputs", {}) if isinstance(body, dict) else None
    return tuple(map(str, outputs)) if isinstance(outputs, dict) else None


def _is_in(path: str, field: str) -> bool:
    return path == f"spec.{field}" or path.startswith((f"spec.{field}.", f"spec.{field}["))


def _moved(unread: UnreadOfDAG, base: str) -> UnreadOfDAG:
    def at(paths: Iterable[str]) -> list[str]:
        return [Problem(path, "").moved(base).path for path in paths]

    return UnreadOfDAG(at(unread.paths), at(unread.all))


def _part(
    data: Any,
    unknown: frozenset[str],
    fragment: bool,
    outputs: Mapping[str, tuple[str, ...] | None],
    without: frozenset[str],
    left: int,
) -> tuple[Definition | None, list[Problem]]:
    """The definition of a DAG without its local DAGs, or of a local one. `outputs` are those of the local DAGs that its tasks
    can call, fields `without` which it is read are not known, and `left` is what other DAGs leave of the implicit
    dependencies."""
    reading = _read_spec(data)
    spec, problems, unread = reading.spec, reading.problems, reading.unread
    if without:
        unread = UnreadOfDAG([*unread.paths, *(f"spec.{field}" for field in without)], unread.all)
    if spec is None:
        return None, problems
    if not spec.tasks:
        missing = Problem("spec.tasks", "required", "write either spec.tasks or spec.template")
        return None, problems if unread.touches("spec.tasks") or unread.holds("spec.template") else [*problems, missing]
    unknown |= unread.shapeless
    tasks = {name: merged(spec.defaults, task) for name, task in pacing.each(spec.tasks.items())}
    if found := lifecycle.too_many(tasks, left):
        return None, [*problems, found]
    kinds = (
        validate.names(spec),
        validate.of_booleans(spec),
        validate.dangling(tasks),
        validate.params(spec),
        run_labels.check(spec.run_labels),
        validate.contents(tasks, unknown),
        lifecycle.problems(tasks),
        artifacts.problems(spec, tasks),
    )
    more = [problem for kind in kinds for problem in at_most(kind, "spec")]
    order, cycles = _ordered(lifecycle.dependencies(tasks))
    unordered = unread.unordered.union(*(cycle.tasks for cycle in cycles))
    unordered |= reach(unordered, order.downstream)
    called = {
        name: known for name, task in tasks.items() if task.dag and (known := outputs.get(task.dag.local)) is not None
    }
    definition = Definition(spec, tasks, order, unknown, fragment, unread, unordered, called)
    more += [*map(_cycle_problem, cycles), *at_most(validate.expressions(definition), "spec.tasks")]
    return definition, [*knock_on.without_refused_names(problems, tasks), *unread.without_followers(more)]


def _ordered(dependencies: Mapping[str, set[str]]) -> tuple[Graph, list[Cycle]]:
    """The graph, and the cycles that were broken to get one."""
    cycles: list[Cycle] = []
    kept = dependencies
    while True:
        try:
            return graph(kept), cycles
        except Cycle as cycle:
            cycles.append(cycle)
            if len(cycles) == CYCLES:
                return graph({name: set() for name in kept}), cycles
            members = set(cycle.tasks)
            kept = {name: above - members if name in members else above for name, above in kept.items()}


def _cycle_problem(cycle: Cycle) -> Problem:
    path = f"spec.tasks.{cycle.tasks[0]}.dependsOn"
    rests = tuple(f"spec.tasks.{task}.{field}" for task in cycle.tasks for field in ("handles", "onExit", "teardown"))
    return Problem(path, str(cycle), "remove one of these dependencies", rests=rests)
