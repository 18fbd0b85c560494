"""A DAG ready to run: its spec, its tasks with the defaults merged in, its graph, and what follows from them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from tradewind.model.dag import DAGSpec
from tradewind.model.duration import seconds
from tradewind.model.retries import Retries
from tradewind.model.task import Task
from tradewind.plan import places
from tradewind.plan.expression import Names, Scope, TaskNames, cel_name
from tradewind.plan.graph import Graph
from tradewind.plan.template import expressions

DEFAULT_PENDING_TIMEOUT = 600.0


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms attempts of a task are made, in seconds. No limit is None."""

    retries: Retries = Retries()
    pending_timeout: float = DEFAULT_PENDING_TIMEOUT
    total_timeout: float | None = None


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

    @cached_property
    def terms(self) -> dict[str, Terms]:
        """On what terms each task runs."""
        return {
            name: Terms(
                retries=task.retries or Retries(),
                pending_timeout=seconds(task.pending_timeout) if task.pending_timeout else DEFAULT_PENDING_TIMEOUT,
                total_timeout=seconds(task.total_timeout) if task.total_timeout else None,
            )
            for name, task in self.tasks.items()
        }

    @cached_property
    def names(self) -> Names:
        """What expressions may name."""
        return Names(
            params=tuple((name, param.type) for name, param in self.spec.params.items()),
            tasks={
                cel_name(name): TaskNames(
                    name,
                    task.for_each is not None,
                    tuple((key, output.type) for key, output in task.outputs.items()),
                    name in self.unknown,
                )
                for name, task in self.tasks.items()
            },
        )

    @cached_property
    def secrets(self) -> frozenset[str]:
        """Params that refer to Secrets."""
        return frozenset(name for name, param in self.spec.params.items() if param.type == "secret")

    def scope(self, task: str, item: bool = True, upstream: Callable[[str], bool] = _everything) -> Scope:
        """What the task's expressions may name; `item` is False for those that are evaluated before there are items."""
        for_each = self.tasks[task].for_each
        if for_each is None or not item:
            return Scope(self.names, upstream, fragment=self.fragment)
        return Scope(self.names, upstream, True, for_each.items_of or "", self.fragment)

    @cached_property
    def needs(self) -> dict[str, tuple[str, ...]]:
        """The tasks that a task's expressions name: it starts when they have ended, whatever its trigger rule says. Tasks without
        such expressions are left out."""
        found: dict[str, tuple[str, ...]] = {}
        for name, task in self.tasks.items():
            texts = [text for text, _, _ in places.conditions(task) if text]
            texts += [inner for _, text in places.templated(name, task) if "$[[" in text for inner in expressions(text)]
            scope = self.scope(name)
            named = {upstream.name: None for text in texts for upstream in scope.tasks(text)}
            if named:
                found[name] = tuple(named)
        return found
