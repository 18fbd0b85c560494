"""Rendering: turns a DAG that uses templates into one that uses none.

It happens once, before a run begins. The rendered spec remembers where each part of it was written."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tradewind.model.base import Model
from tradewind.model.bounded import OutOfBounds, checked
from tradewind.model.dag import DAGSpec
from tradewind.model.task import Task
from tradewind.model.template import DAGTemplateSpec, TaskTemplateSpec, TemplateSpec, TemplateUse
from tradewind.plan import pacing
from tradewind.plan.documents import budget
from tradewind.plan.documents.parts import bodies, replaced, tasks
from tradewind.plan.documents.place import Place
from tradewind.plan.documents.problem import Invalid, Problem
from tradewind.plan.documents.read import read
from tradewind.plan.templates.inputs import Inputs, given
from tradewind.plan.templates.overlay import BY_NAME, overlaid
from tradewind.plan.templates.substitute import Substitution, with_references
from tradewind.plan.templates.text_walk import size_of

DEPTH = 8
"""Nesting levels of templates."""
STUB = {"image": "not-known"}
"""Replaces a task whose template is missing, so that the rest can be checked."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A template, by kind and name."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def cluster(self) -> bool:
        """Whether it is cluster-scoped."""
        return self.kind.startswith("Cluster")


Find = Callable[[Ref], Any]
"""The spec of a template; None if it doesn't exist. It raises Invalid for a template that can't be used, with the
reason."""


def nowhere(_: Ref) -> None:
    """Finds no templates."""


@dataclass(frozen=True, slots=True)
class Sort:
    """How tasks and DAGs differ with regard to templates."""

    kind: str
    field: str
    model: type[Model]
    spec: type[TemplateSpec]


TASK = Sort("TaskTemplate", "task", Task, TaskTemplateSpec)
DAG = Sort("DAGTemplate", "dag", DAGSpec, DAGTemplateSpec)
SORTS = {"TaskTemplate": TASK, "ClusterTaskTemplate": TASK, "DAGTemplate": DAG, "ClusterDAGTemplate": DAG}


SIZE_LIMIT = 1_400_000
"""Bytes of a run's revision, which must fit into an object with room for the object's own fields."""


def too_large() -> Problem:
    """The problem of a DAG whose templates make it too large."""
    what = f"more than {SIZE_LIMIT / 1e6:.1f} MB with its templates filled in; a Kubernetes object has at most 1.5 MB"
    return Problem("spec", what, "use one task for many items (forEach), or several DAGs")


@dataclass(frozen=True)
class Rendering:
    """A DAG's spec without templates, and its origin."""

    spec: Any
    problems: Sequence[Problem] = ()
    missing: Mapping[Ref, Place] = field(default_factory=dict)
    """Missing templates, and where each is first used."""
    unknown: frozenset[str] = frozenset()
    """Tasks of which little is known, since their template is missing; DAG/TASK in local DAGs."""
    origins: Mapping[str, Place] = field(default_factory=dict)
    sampled: frozenset[Place] = frozenset()
    """Places whose values are samples."""
    whole: bool = True
    """Whether it was rendered to its end."""

    def place(self, path: str) -> Place:
        """Where a field of the rendered spec was written."""
        return _place(self.origins, path)

    def told(self, problem: Problem) -> Problem:
        """A problem of the rendered spec, moved to where the value was written."""
        place = self.place(problem.path)
        return (
            problem if place.path == problem.path and not place.user else place.problem(problem.what, problem.instead)
        )


def _place(origins: Mapping[str, Place], path: str) -> Place:
    head = path
    while head:
        if head in origins:
            return origins[head].at(path[len(head) :])
        head = head[: max(head.rfind("."), head.rfind("["), 0)]
    return Place(path)


def uses_templates(spec: Any) -> bool:
    """Whether a DAG's spec uses templates."""
    return isinstance(spec, dict) and ("template" in spec or any("template" in task for _, task in tasks(spec)))


def render(spec: Any, find: Find = nowhere) -> Rendering:
    """The DAG's spec, rendered as far as possible."""
    if not uses_templates(spec):
        return Rendering(spec)
    try:
        with budget.document():
            return Renderer(find).dag(checked(spec, name="spec"), Place("spec"))
    except OutOfBounds as error:
        return Rendering(spec, [Problem(error.path, error.problem)], whole=False)


class Renderer:
    """Renders one document."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._problems: list[Problem] = []
        self._read: dict[Ref, Any] = {}
        """Templates that were used before."""
        self._missing: dict[Ref, Place] = {}
        self._unknown: set[str] = set()
        self._origins: dict[str, Place] = {}
        self._told: dict[str, Place] = {}
        """Origins of the task that is being rendered."""
        self._sampled: set[Place] = set()
        self._whole = True

    def dag(self, spec: dict[str, Any], place: Place) -> Rendering:
        """A DAG's spec whose source is `place`."""
        kept = {name: value for name, value in spec.items() if name in ("description", "params")}
        return self._around(self._resolved(DAG, spec, "spec", place, ()), kept, ())

    def sample(self, ref: Ref, body: Any, inputs: Inputs) -> Rendering:
        """The body of a template alone; a task's body becomes the DAG's only task besides its dependencies."""
        with budget.document():
            return self._sample(ref, body, inputs)

    def _sample(self, ref: Ref, body: Any, inputs: Inputs) -> Rendering:
        sort = SORTS[ref.kind]
        substitution = Substitution(inputs, Place(f"spec.{sort.field}"))
        if sort is DAG:
            found = self._filled(DAG, substitution, body, "spec", (ref,))
            return self._around(found and overlaid({"defaults": STUB}, found), {}, (ref,))
        task = self._filled(TASK, substitution, body, "spec.tasks.task", (ref,))
        self._settle()
        if task is None:
            task = STUB
            self._unknown.add("task")
        said = task.get("dependsOn")
        upstream = [
            name for name in (said if isinstance(said, list) else ()) if isinstance(name, str) and name != "task"
        ]
        self._unknown.update(upstream)
        tasks = {"task": task, **dict.fromkeys(upstream, STUB)}
        return self._rendering({"defaults": STUB, "tasks": tasks})

    def _around(self, known: dict[str, Any] | None, kept: dict[str, Any], chain: tuple[Ref, ...]) -> Rendering:
        """A DAG whose fields are all known except for the templates of its tasks, or one with only some fields `kept`."""
        self._settle()
        result = known
        if result is None:
            result = {**kept, "tasks": {"unknown": STUB}}
            self._unknown.add("unknown")
        return self._rendering(replaced(result, dict(self._rendered_tasks(result, chain))))

    def _rendering(self, spec: Any) -> Rendering:
        return Rendering(
            spec,
            self._problems,
            self._missing,
            frozenset(self._unknown),
            self._origins,
            frozenset(self._sampled),
            self._whole,
        )

    def _rendered_tasks(self, spec: Any, chain: tuple[Ref, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
        left = float(SIZE_LIMIT)
        for base, task in pacing.each(tasks(spec)):
            if "template" in task:
                found = self._task(task, base, _place(self._origins, base), chain)
                left -= size_of(found, left)
                if left < 0:  # ten thousand tasks can use a template of a megabyte
                    self._problems.append(too_large())
                    self._whole = False
                    return
                yield base, found

    def _task(self, task: dict[str, Any], base: str, place: Place, chain: tuple[Ref, ...]) -> dict[str, Any]:
        """A task whose source is `place` and that will be at `base`."""
        found = self._resolved(TASK, task, base, place, chain)
        self._settle()
        if found is not None:
            return found
        self._unknown.add(_unknown_name(base))
        own = {field: value for field, value in task.items() if field != "template"}
        return overlaid(STUB, own)

    def _settle(self) -> None:
        self._origins |= self._told
        self._told = {}

    def _resolved(
        self, sort: Sort, body: dict[str, Any], base: str, place: Place, chain: tuple[Ref, ...]
    ) -> dict[str, Any] | None:
        """`body` over the template that it uses; None if there is a problem."""
        own = {name: value for name, value in body.items() if name != "template"}
        below: dict[str, Any] = {}
        if body.get("template") is not None:
            if sort is DAG and "tasks" in own:
                self._problems.append(place.problem("template and tasks exclude each other", "write one of them"))
            found = self._used(sort, body["template"], base, place.at("template"), chain)
            if found is None:
                return None
            below = found
        self._told.setdefault(base, place)  # a missing field is reported where most of the task is written
        self._remember(own, base, place)
        return overlaid(below, own) if below else own

    def _used(self, sort: Sort, said: Any, base: str, place: Place, chain: tuple[Ref, ...]) -> dict[str, Any] | None:
        """What a template gives its user."""
        try:
            use = read(TemplateUse, said, "")
        except Invalid as error:
            self._problems += [
                place.at(problem.path).problem(problem.what, problem.instead) for problem in error.problems
            ]
            return None
        ref = Ref(f"Cluster{sort.kind}" if use.cluster else sort.kind, use.name)
        if problem := _bad_link(ref, chain, place):
            self._problems.append(problem)
            return None
        try:
            spec = self._find(ref)
        except Invalid as error:
            self._problems += [place.problem(problem.what, problem.instead) for problem in error.problems]
            return None
        if spec is None:
            self._missing.setdefault(ref, place)
            return None
        try:
            template = self._read.get(ref) or self._read.setdefault(ref, read(sort.spec, spec))
        except Invalid as error:
            there = Place("", str(ref), place)
            self._problems += [
                Place(problem.path, there.document, there.user).problem(problem.what, problem.instead)
                for problem in error.problems
            ]
            return None
        sampled = frozenset(name for name in use.params if place.at(f"params.{name}") in self._sampled)
        inputs, problems = given(template, use, Place("spec", str(ref), place), place, sampled)
        if problems:
            self._problems += problems
            return None
        substitution = Substitution(inputs, Place(f"spec.{sort.field}", str(ref), place))
        return self._filled(sort, substitution, getattr(template, sort.field), base, (*chain, ref))

    def _filled(
        self, sort: Sort, substitution: Substitution, body: Any, base: str, chain: tuple[Ref, ...]
    ) -> dict[str, Any] | None:
        """A template's body with its inputs filled in, over the templates that it uses itself."""
        text = substitution.body(sort.model, body)
        self._problems += substitution.problems
        self._sampled |= substitution.sampled
        text = with_references(text)
        if sort is DAG:
            for path, part in [*bodies(text)]:
                if isinstance(part.get("defaults"), dict):
                    text = replaced(text, {f"{path}.defaults": with_references(part["defaults"])})
            text = replaced(text, {path: with_references(task) for path, task in tasks(text)})
        return self._resolved(sort, text, base, substitution.place, chain)

    def _remember(self, said: Mapping[str, Any], base: str, place: Place) -> None:
        """Records where the fields at `base` were written, over earlier records."""
        for field_, value in said.items():
            path = f"{base}.{field_}"
            if isinstance(value, dict) and field_ in BY_NAME:
                self._told |= {f"{path}.{name}": place.at(f"{field_}.{name}") for name in value}
            elif isinstance(value, dict) and field_ == "defaults":
                self._remember(value, path, place.at(field_))
            else:
                for inner in [known for known in self._told if known.startswith((f"{path}.", f"{path}["))]:
                    del self._told[inner]
                self._told[path] = place.at(field_)


def _unknown_name(path: str) -> str:
    """The task at a path: its name, after that of its local DAG and a slash if it is in one."""
    dag, _, task = path.removeprefix("spec.dags.").removeprefix("spec.").rpartition("tasks.")
    return f"{dag.removesuffix('.')}/{task}" if dag else task


def _bad_link(ref: Ref, chain: tuple[Ref, ...], place: Place) -> Problem | None:
    """The problem if a template can't be used here."""
    within = place.document.startswith("Cluster") or (chain and chain[-1].cluster)
    if within and not ref.cluster:
        what = f"a template of the whole cluster can't use {ref}, which each namespace may have or not"
        return place.problem(what, f"use one of the whole cluster (cluster: true, a Cluster{ref.kind})")
    if ref in chain:
        circle = " -> ".join([known.name for known in chain[chain.index(ref) :]] + [ref.name])
        return place.problem(f"templates use each other in a cycle: {circle}", "remove one of these uses")
    if len(chain) >= DEPTH:
        shown = " -> ".join([known.name for known in chain] + [ref.name])
        return place.problem(f"more than {DEPTH} templates use each other: {shown}", "shorten the chain")
    return None
