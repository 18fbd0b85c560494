"""How tasks of other runs have ended."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from weakref import WeakValueDictionary

from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dagrun.state import RunState, picture
from tradewind.kube.client import Object
from tradewind.kube.errors import NotFound
from tradewind.model.pool import PoolClaim
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.dags.definition import Definition
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.outcomes.attempt import key, parse_key
from tradewind.plan.outcomes.state import FINAL, State
from tradewind.plan.runs.planner import Planner

Load = Callable[[str, str], Awaitable[Definition]]
"""The definition in a revision, by namespace and name. Raises NotFound and Invalid."""
RUNS_KEPT, STATES_KEPT = 4_096, 100_000
"""Ended runs of which the states of tasks are in memory, and the number of all these states."""
AGAIN = 60.0
"""Seconds after which a run is read again that could not be read, or not in the time of one pass."""


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


class TasksUnreadable(Exception):
    """How a task of a run has ended can't be found; the message says why."""


class NoSuchTask(TasksUnreadable):
    """The run's DAG has no such task, or the fan-out no such item."""


class Known(Protocol):
    """What is known of the tasks of a run."""

    def task(self, name: str) -> State | None:
        """The state of a task; None if there is none."""

    def items(self, name: str) -> int | None:
        """The number of items of a fan-out, as far as they are known; None if it is none."""

    def item(self, name: str, index: int) -> State | None:
        """The state of an item; None if there is none."""


@dataclass(frozen=True, slots=True)
class Active:
    """The tasks of a run whose planner is in memory."""

    planner: Planner

    def task(self, name: str) -> State | None:
        """The state of a task; None if there is none."""
        return self.planner.ledger.states.get(name)

    def items(self, name: str) -> int | None:
        """The number of items of a fan-out, as far as they are known; None if it is none."""
        group = self.planner.ledger.groups.get(name)
        return None if group is None else len(group.units or ())

    def item(self, name: str, index: int) -> State | None:
        """The state of an item; None if there is none."""
        unit = self.planner.ledger.units.get(key(name, index))
        return None if unit is None else unit.state


@dataclass(frozen=True, slots=True)
class Pictured:
    """The tasks of an ended run: what is kept of its planner, which takes a hundred times as much."""

    tasks: Mapping[str, State] = field(default_factory=dict)
    fan_outs: Mapping[str, Mapping[int, State]] = field(default_factory=dict)
    unsettled: bool = False
    """Whether some states would take more computing than one pass allows."""
    problem: str = ""
    """Why they can't be read, if so."""

    @classmethod
    def of(cls, planner: Planner) -> "Pictured":
        """What a planner has decided."""
        unsettled = planner.decide(0.0).unsettled
        ledger = planner.ledger
        items = {
            name: {unit.index or 0: unit.state for unit in group.units or ()} for name, group in ledger.groups.items()
        }
        return cls(dict(ledger.states), items, unsettled)

    @property
    def size(self) -> int:
        """The number of states."""
        return len(self.tasks) + sum(map(len, self.fan_outs.values()))

    @property
    def passing(self) -> bool:
        """Whether another look may find more."""
        return self.unsettled or bool(self.problem)

    def task(self, name: str) -> State | None:
        """The state of a task; None if there is none."""
        return self.tasks.get(name)

    def items(self, name: str) -> int | None:
        """The number of items of a fan-out; None if it is none."""
        return None if name not in self.fan_outs else len(self.fan_outs[name])

    def item(self, name: str, index: int) -> State | None:
        """The state of an item; None if there is none."""
        return self.fan_outs[name].get(index)


@dataclass(frozen=True, slots=True)
class TaskEnds:
    """How the tasks of a run have ended. `known` is None while nothing is known of them."""

    run: str
    """The run's name."""
    dag: str
    final: bool
    """Whether the run has ended."""
    known: Known | None = None
    news: frozenset[str] = frozenset()
    """Tasks with an end that is not on record: until it is, another operator may see it otherwise."""

    def of(self, name: str) -> str:
        """The final state of a task or item; empty before its end. A run that ends without having run a task cancels it. Raises
        TasksUnreadable."""
        if self.known is None:
            return State.CANCELLED if self.final else ""
        found = "" if parse_key(name)[0] in self.news else self._end(self.known, name)
        if found or not self.final:
            return found
        if isinstance(self.known, Pictured) and self.known.unsettled:
            raise TasksUnreadable(f"the expressions of run {self.run} need more CPU time than one pass allows")
        return State.CANCELLED

    def _end(self, known: Known, name: str) -> str:
        """The final state of a task or item, as far as it is known. Raises NoSuchTask."""
        task, index = parse_key(name)
        state = known.task(task)
        if state is None:
            raise NoSuchTask(f"run {self.run} of DAG {self.dag} has no task {task}")
        if index is None:
            return state if state in FINAL else ""
        items = known.items(task)
        if items is None:
            raise NoSuchTask(f"{task} of run {self.run} is no fan-out: name it without an index")
        found = known.item(task, index)
        if found is None and items and state in FINAL:
            raise NoSuchTask(f"{task} of run {self.run} has {items} items, counted from 0")
        found = found or state
        return found if found in FINAL else ""


async def claims(load: Load, body: Object, tasks: Collection[str]) -> Mapping[str, Sequence[PoolClaim]]:
    """What some tasks of a run claim, given its object: nothing if it is bound to no revision, or to none that can be read. Raises errors
    of the API."""
    try:
        run = read_run(body)
        definition = await load(run.namespace, str(run.status.get("revision") or ""))
        ledger = Planner(definition, run.facts).ledger
        return {name: ledger.pools(name) for name in tasks if name in definition.tasks}
    except (NotFound, Invalid, ExpressionError, ValueError):
        return {}


class TaskStates:
    """Reads how tasks of runs have ended. `begun` gives the state of a run that is active, by its uid: only that knows which attempts
    are live. The states of an ended run follow from its status and its revision: each version is read once for all that ask, since
    thousands may ask for the same run of thousands of items."""

    def __init__(
        self, load: Load, begun: Callable[[str], RunState | None], clock: Callable[[], float] = _loop_time
    ) -> None:
        self._load, self._begun, self._clock = load, begun, clock
        self._kept: OrderedDict[tuple[str, int], tuple[TaskEnds, Pictured, float]] = OrderedDict()
        """By uid and version: the ends, and until when they hold."""
        self._size = 0
        self._locks: WeakValueDictionary[tuple[str, int], asyncio.Lock] = WeakValueDictionary()

    def remembered(self, uid: str, version: int) -> TaskEnds | None:
        """How the tasks of a version of an ended run have ended, if that is in memory. Raises TasksUnreadable."""
        found = self._kept.get((uid, version))
        if found is None or found[2] < self._clock():
            return None
        self._kept.move_to_end((uid, version))
        if found[1].problem:
            raise TasksUnreadable(found[1].problem)
        return found[0]

    async def read(self, run: Run) -> TaskEnds:
        """How the tasks of a run have ended. Raises TasksUnreadable, and errors of the API."""
        if not run.final:
            state = self._begun(run.uid)
            if state is None or state.stale or state.planner is None:
                return TaskEnds(run.name, run.dag, run.final)
            news = frozenset(parse_key(name)[0] for name, _ in state.attempts.news)
            return TaskEnds(run.name, run.dag, run.final, Active(state.planner), news)
        if not run.status.get("revision"):
            return TaskEnds(run.name, run.dag, run.final)
        async with self._locks.setdefault((run.uid, run.version), asyncio.Lock()):
            if found := self.remembered(run.uid, run.version):
                return found
            pictured = await self._picture(run)
            ends = TaskEnds(run.name, run.dag, run.final, pictured)
            self._keep((run.uid, run.version), ends, pictured)
        if pictured.problem:
            raise TasksUnreadable(pictured.problem)
        return ends

    async def _picture(self, run: Run) -> Pictured:
        try:
            definition = await self._load(run.namespace, str(run.status["revision"]))
            planner = picture(run, definition, {}).planner
        except (NotFound, Invalid, ValueError) as error:
            return Pictured(problem=f"the tasks of run {run.name} can't be read: {error}")
        assert planner is not None  # noqa: S101 - a picture has one
        return Pictured.of(planner)

    def _keep(self, version: tuple[str, int], ends: TaskEnds, pictured: Pictured) -> None:
        if before := self._kept.pop(version, None):
            self._size -= before[1].size
        self._kept[version] = ends, pictured, self._clock() + AGAIN if pictured.passing else float("inf")
        self._size += pictured.size
        while len(self._kept) > 1 and (len(self._kept) > RUNS_KEPT or self._size > STATES_KEPT):
            self._size -= self._kept.popitem(last=False)[1][1].size
