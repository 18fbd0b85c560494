"""A DAG that is ready to run: its spec, its tasks merged with the defaults, its graph, and derived facts."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from tradewind.model.dag import DAGSpec
from tradewind.model.duration import seconds
from tradewind.model.retries import Retries
from tradewind.model.task import Task
from tradewind.model.value import Param
from tradewind.plan import pacing
from tradewind.plan.dags import expression_sites, task_outputs
from tradewind.plan.dags.graph import Graph, Links, links
from tradewind.plan.documents.knock_on import KEPT, UnreadOfDAG
from tradewind.plan.expressions.interpolation import expressions, secret
from tradewind.plan.expressions.scope import ATTEMPT, Names, Scope, TaskNames
from tradewind.plan.expressions.spelling import cel_name
from tradewind.plan.sensors.sensor import answers
from tradewind.plan.starts import start_values

DECLARED = {"params": "spec.params", "kept": "spec.keep", "config": "spec.config"}
"""The roots of names that a DAG declares -> where."""
DEFAULT_PENDING_TIMEOUT = 600.0


@dataclass(frozen=True, slots=True)
class Terms:
    """Limits for the attempts of a task, in seconds. None means no limit."""

    retries: Retries = Retries()
    pending_timeout: float = DEFAULT_PENDING_TIMEOUT
    total_timeout: float | None = None
    iterations: int = 0
    """Maximum iterations of a loop; 0 if the task has none."""
    delay: float = 0.0
    """Seconds between two iterations."""


def _everything(task: str) -> bool:
    return True


def _kind(param: Param) -> str:
    """The type of a param in expressions: an optional one may be null."""
    return "any" if param.optional and param.type != "secret" else param.type


def _nothing(task: str) -> bool:
    return False


@dataclass(frozen=True)
class Definition:
    """A valid DAG: its spec, its tasks with the defaults merged in, and its graph."""

    spec: DAGSpec
    tasks: Mapping[str, Task]
    graph: Graph
    unknown: frozenset[str] = frozenset()
    """Tasks of which little is known: their template is missing."""
    fragment: bool = False
    """Whether it is part of an unknown DAG: expressions may use unknown names."""
    unread: UnreadOfDAG = field(default_factory=UnreadOfDAG)
    """What could not be read."""
    unordered: frozenset[str] = frozenset()
    """Tasks whose dependencies could not be read, and those after them: any task may be upstream."""
    called: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Outputs of the DAGs that tasks call, as far as these DAGs are known."""
    local: "Mapping[str, Definition]" = field(default_factory=dict)
    """The DAGs in `spec.dags`, by name. These themselves have none."""

    @property
    def parts(self) -> "Iterator[tuple[str, Definition]]":
        """The DAG and its local DAGs, each with the path of its fields."""
        yield "spec", self
        yield from ((f"spec.dags.{name}", part) for name, part in self.local.items())

    @property
    def all_tasks(self) -> Iterator[tuple[str, Task]]:
        """The tasks of the DAG and of its local DAGs, each with the path of its fields."""
        for base, part in self.parts:
            yield from ((f"{base}.tasks.{name}", task) for name, task in part.tasks.items())

    @cached_property
    def terms(self) -> dict[str, Terms]:
        """The limits of each task."""
        return {
            name: Terms(
                retries=task.retries or Retries(),
                pending_timeout=seconds(task.pending_timeout) if task.pending_timeout else DEFAULT_PENDING_TIMEOUT,
                total_timeout=seconds(task.total_timeout) if task.total_timeout else None,
                iterations=task.loop.max_iterations if task.loop else 0,
                delay=seconds(task.loop.delay) if task.loop and task.loop.delay else 0.0,
            )
            for name, task in pacing.each(self.tasks.items())
        }

    @cached_property
    def names(self) -> Names:
        """The names for expressions."""
        return Names(
            params=tuple((name, self._type("", name, _kind(param))) for name, param in self.spec.params.items()),
            kept=tuple((name, self._type(KEPT, name, kept.type)) for name, kept in self.spec.keep.items()),
            config=tuple(self.spec.config),
            open=frozenset(root for root, field in DECLARED.items() if self.unread.holds(field)),
            tasks={
                cel_name(name): TaskNames(
                    name,
                    task.for_each is not None,
                    tuple((key, self._type(name, key, output.type)) for key, output in task.outputs.items()),
                    name in self.unknown,
                    None if name in self.unknown or name in self.unread.vague else self._keys(name, task),
                )
                for name, task in pacing.each(self.tasks.items())
            },
        )

    def _type(self, task: str, name: str, kind: str) -> str:
        return "any" if (task, name) in self.unread.murky else kind

    def _keys(self, name: str, task: Task) -> tuple[str, ...] | None:
        return (*task.outputs, *self.called[name]) if name in self.called else task_outputs.keys(task)

    @cached_property
    def start_values(self) -> start_values.Wanted:
        """What a run must read when it starts."""
        return start_values.wanted(self.spec)

    @cached_property
    def links(self) -> Links:
        """The tasks affected by a task's result."""
        return links(self.tasks, self.graph, self.needs)

    @cached_property
    def protected(self) -> frozenset[str]:
        """Tasks that run even if the run is cancelled or timed out: teardowns, exit tasks and handlers."""
        return frozenset(name for name, task in self.tasks.items() if task.teardown or task.on_exit) | self.handlers

    @cached_property
    def handlers(self) -> frozenset[str]:
        """Tasks that run for the ends of others."""
        return frozenset(name for name, task in self.tasks.items() if task.handles)

    @cached_property
    def aside(self) -> frozenset[str]:
        """Tasks that have no part in how a run ends: exit tasks and handlers."""
        return self.handlers.union(self.exits)

    @cached_property
    def exits(self) -> tuple[str, ...]:
        """Exit tasks, in order."""
        return tuple(name for name in self.graph.order if self.tasks[name].on_exit)

    @cached_property
    def deciding(self) -> frozenset[str]:
        """Tasks that decide how a run ends: those without dependents, not counting exit tasks, handlers, and teardowns that
        don't fail the run."""

        return frozenset(self.last_of(self.tasks.keys()))

    def last_of(self, tasks: Collection[str]) -> Iterator[str]:
        """Those of the given tasks that decide how a run of only these ends."""

        def silent(name: str) -> bool:
            task = self.tasks[name]
            return bool(task.on_exit or task.handles) or (task.teardown is not None and not task.teardown.fails_run)

        for name in tasks:
            if not silent(name) and all(silent(other) or other not in tasks for other in self.graph.downstream[name]):
                yield name

    def podless(self, secrets: bool = False, requests: bool = True) -> frozenset[str]:
        """Tasks that run without a pod. `requests`: whether http tasks may; `secrets`: whether those that refer to
        Secrets may too."""

        def needs_pod(task: Task) -> bool:
            if not task.http:
                return False
            return not requests or task.http.pod or bool(task.pools) or (not secrets and self._wants_secret(task))

        return frozenset(name for name, task in self.tasks.items() if task.podless and not needs_pod(task))

    def _wants_secret(self, task: Task) -> bool:
        return bool(task.env_from) or any(secret(text, self.secrets) for text in task.env.values())

    @cached_property
    def secrets(self) -> frozenset[str]:
        """Params that refer to Secrets."""
        return frozenset(name for name, param in self.spec.params.items() if param.type == "secret")

    def scope(self, task: str, item: bool = True, upstream: Callable[[str], bool] = _everything) -> Scope:
        """The scope of the task's expressions; `item` is False for those evaluated before the items are known."""
        for_each = self.tasks[task].for_each
        if self.tasks[task].handles:
            upstream = _nothing  # Other tasks may not have ended.
        vague = task in self.unread.astray
        if for_each is None or not item:
            ends = bool(self.tasks[task].on_exit)
            return Scope(self.names, upstream, ends=ends, fragment=self.fragment, vague=vague, of=task)
        return Scope(
            self.names,
            upstream,
            item=True,
            handles=bool(self.tasks[task].handles),
            counterpart=for_each.items_of or "",
            ends=bool(self.tasks[task].on_exit),
            fragment=self.fragment,
            vague=vague,
            of=task,
        )

    def attempt_scope(self, task: str, upstream: Callable[[str], bool] = _everything) -> Scope:
        """The scope of the values of an attempt."""
        return replace(self.scope(task, True, upstream), loops=self.tasks[task].loop is not None)

    def sensed_scope(self, task: str, upstream: Callable[[str], bool] = _everything) -> Scope:
        """The scope of the expression that decides whether a sensor has succeeded."""
        sensor = self.tasks[task].sensor
        return replace(self.attempt_scope(task, upstream), answer=answers(sensor) if sensor else ())

    def own_scope(self, task: str) -> Scope:
        """The scope of expressions about a task's outputs (whether its loop continues, which assets it produced):
        nothing that could change later, since an ended task stays ended."""
        body = self.tasks[task]
        declared = tuple((name, self._type(task, name, output.type)) for name, output in body.outputs.items())
        return Scope(
            self.names,
            lambda _: False,
            item=body.for_each is not None,
            handles=bool(body.handles),
            own=declared,
            fragment=self.fragment,
            vague=task in self.unread.astray,
            of=task,
        )

    def skip_scope(self, task: str) -> Scope:
        """The scope of `skipOn`: an attempt that has ended, and its outputs. Not its item: attempts are read before the
        items are known."""
        return replace(self.own_scope(task), item=False, answer=ATTEMPT)

    @cached_property
    def final_scope(self) -> Scope:
        """The scope of `spec.outputs`: all tasks but exit tasks, which run later."""
        return Scope(self.names, lambda task: task not in self.exits, fragment=self.fragment)

    @cached_property
    def waiting_scope(self) -> Scope:
        """The scope of `concurrencyKey` and `runLabels`: a run that has not started."""
        return Scope(self.names, lambda _: False, started=False)

    @cached_property
    def deadlines(self) -> list[tuple[float, str, str]]:
        """The deadlines of tasks, the earliest first: seconds, task, and the duration as written."""
        tasks = pacing.each(self.tasks.items())
        return sorted((seconds(task.deadline), name, task.deadline) for name, task in tasks if task.deadline)

    @cached_property
    def needs(self) -> dict[str, tuple[str, ...]]:
        """The tasks that a task's expressions name: it starts after they have ended, whatever its trigger rule. Tasks
        without such expressions are omitted."""
        found: dict[str, tuple[str, ...]] = {}
        for name, task in pacing.each(self.tasks.items()):
            texts = [text for text, _, _ in expression_sites.conditions(task) if text]
            texts += [
                inner
                for _, text in expression_sites.templated(name, task)
                if "$[[" in text
                for inner in expressions(text)
            ]
            scope = self.scope(name)
            named = {upstream.name: None for text in texts for upstream in scope.tasks(text)}
            named |= dict.fromkeys(self._setups.get(name, ()))
            if named:
                found[name] = tuple(named)
        return found

    @cached_property
    def _setups(self) -> dict[str, set[str]]:
        """The setups of each task that needs some: they may run again after the tasks in between have succeeded."""
        found: dict[str, set[str]] = {}
        for name, task in pacing.each(self.tasks.items()):
            setups = set(task.teardown.of) if task.teardown else set()
            for other in set(self.graph.upstream[name]) - setups if setups else ():
                found.setdefault(other, set()).update(setups)
        return found
