"""A DAG that is ready to run: its spec, its tasks merged with the defaults, its graph, and derived facts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from tradewind.model.dag import DAGSpec
from tradewind.model.duration import seconds
from tradewind.model.retries import Retries
from tradewind.model.task import Task
from tradewind.plan import pacing
from tradewind.plan.dags import expression_sites, task_outputs
from tradewind.plan.dags.graph import Graph
from tradewind.plan.dags.links import Links, links
from tradewind.plan.expressions.interpolation import expressions, secret
from tradewind.plan.expressions.scope import Names, Scope, TaskNames
from tradewind.plan.expressions.spelling import cel_name
from tradewind.plan.sensors.sensor import ANSWERS

DEFAULT_PENDING_TIMEOUT = 600.0


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms attempts of a task are made, in seconds. No limit is None."""

    retries: Retries = Retries()
    pending_timeout: float = DEFAULT_PENDING_TIMEOUT
    total_timeout: float | None = None
    iterations: int = 0
    """How often a loop runs at most; 0 for what is none."""
    delay: float = 0.0
    """Between two iterations."""


def _everything(task: str) -> bool:
    return True


@dataclass(frozen=True)
class Definition:
    """A valid DAG: its spec, its tasks with the defaults merged in, and its graph."""

    spec: DAGSpec
    tasks: Mapping[str, Task]
    graph: Graph
    unknown: frozenset[str] = frozenset()
    """Tasks of which little is known: their template is not at hand."""
    fragment: bool = False
    """Whether it is a part of a DAG that is not at hand: expressions may name more than there is."""
    vague: frozenset[str] = frozenset()
    """Tasks of which not all could be read: they may have more outputs than are declared."""
    astray: frozenset[str] = frozenset()
    """Tasks whose dependencies or items could not be read: their expressions may name more than there is."""
    murky: frozenset[str] = frozenset()
    """Params of which not all could be read: they may have any type."""
    called: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Outputs of the DAGs that tasks run, as far as these DAGs are at hand."""

    @cached_property
    def terms(self) -> dict[str, Terms]:
        """On what terms each task runs."""
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
        """What expressions may name."""
        return Names(
            params=(
                *((name, param.type) for name, param in self.spec.params.items() if name not in self.murky),
                *((name, "any") for name in self.murky),
            ),
            tasks={
                cel_name(name): TaskNames(
                    name,
                    task.for_each is not None,
                    tuple((key, output.type) for key, output in task.outputs.items()),
                    name in self.unknown,
                    None if name in self.unknown or name in self.vague else self._keys(name, task),
                )
                for name, task in pacing.each(self.tasks.items())
            },
        )

    def _keys(self, name: str, task: Task) -> tuple[str, ...] | None:
        return (*task.outputs, *self.called[name]) if name in self.called else task_outputs.keys(task)

    @cached_property
    def links(self) -> Links:
        """Who is concerned by what becomes of a task."""
        return links(self.tasks, self.graph, self.needs)

    @cached_property
    def protected(self) -> frozenset[str]:
        """Tasks that run also when the run is cancelled or out of time: teardowns and exit tasks."""
        return frozenset(name for name, task in self.tasks.items() if task.teardown or task.on_exit)

    @cached_property
    def exits(self) -> tuple[str, ...]:
        """Exit tasks, in order."""
        return tuple(name for name in self.graph.order if self.tasks[name].on_exit)

    @cached_property
    def deciding(self) -> frozenset[str]:
        """Tasks that decide how a run ends: those that nothing depends on, but for exit tasks and teardowns that don't fail it."""

        def silent(name: str) -> bool:
            task = self.tasks[name]
            return bool(task.on_exit) or (task.teardown is not None and not task.teardown.fails_run)

        return frozenset(
            name
            for name in self.tasks
            if not silent(name) and all(silent(other) for other in self.graph.downstream[name])
        )

    def podless(self, secrets: bool = False, requests: bool = True) -> frozenset[str]:
        """Tasks that run without a pod. `requests` says whether requests may, `secrets` whether those that refer to Secrets may too."""

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
        """What the task's expressions may name; `item` is False for those that are evaluated before there are items."""
        for_each = self.tasks[task].for_each
        vague = task in self.astray
        if for_each is None or not item:
            ends = bool(self.tasks[task].on_exit)
            return Scope(self.names, upstream, ends=ends, fragment=self.fragment, vague=vague, of=task)
        return Scope(
            self.names,
            upstream,
            item=True,
            counterpart=for_each.items_of or "",
            ends=bool(self.tasks[task].on_exit),
            fragment=self.fragment,
            vague=vague,
            of=task,
        )

    def attempt_scope(self, task: str, upstream: Callable[[str], bool] = _everything) -> Scope:
        """What the values of an attempt may name."""
        return replace(self.scope(task, True, upstream), loops=self.tasks[task].loop is not None)

    def sensed_scope(self, task: str, upstream: Callable[[str], bool] = _everything) -> Scope:
        """What decides whether a sensor has found something may name."""
        sensor = self.tasks[task].sensor
        return replace(self.attempt_scope(task, upstream), answer=ANSWERS.get(sensor.kind, ()) if sensor else ())

    def own_scope(self, task: str) -> Scope:
        """What may be named by expressions about what a task handed on (whether its loop goes on, which assets it made): nothing that
        could change later, for a task that has ended stays so."""
        body = self.tasks[task]
        declared = tuple((name, output.type) for name, output in body.outputs.items())
        return Scope(
            self.names,
            lambda _: False,
            item=body.for_each is not None,
            own=declared,
            fragment=self.fragment,
            vague=task in self.astray,
            of=task,
        )

    @cached_property
    def final_scope(self) -> Scope:
        """What `spec.outputs` may name: all tasks but exit tasks, for these come after."""
        return Scope(self.names, lambda task: task not in self.exits, fragment=self.fragment)

    @cached_property
    def needs(self) -> dict[str, tuple[str, ...]]:
        """The tasks that a task's expressions name: it starts when they have ended, whatever its trigger rule says. Tasks without
        such expressions are left out."""
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
        """The setups of each task that needs some: they may run again after what lies between has succeeded."""
        found: dict[str, set[str]] = {}
        for name, task in pacing.each(self.tasks.items()):
            setups = set(task.teardown.of) if task.teardown else set()
            for other in set(self.graph.upstream[name]) - setups if setups else ():
                found.setdefault(other, set()).update(setups)
        return found
