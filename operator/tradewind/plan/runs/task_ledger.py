"""The known state of a run's tasks and items, and its view for gates and expressions."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tradewind.model.bounded import TEXT_SHOWN
from tradewind.model.pool import PoolClaim
from tradewind.model.shown import brief
from tradewind.model.task import Task
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.dags import fan_out
from tradewind.plan.dags.definition import Definition
from tradewind.plan.expressions.interpolation import render, written
from tradewind.plan.expressions.scope import Scope, Values, evaluate, of_attempt
from tradewind.plan.expressions.spelling import cel_name
from tradewind.plan.outcomes.attempt import Attempt, parse_key
from tradewind.plan.outcomes.state import FINAL, LIVE, NONE_YET, State
from tradewind.plan.runs.decision import RunFacts
from tradewind.plan.runs.failure import failure, of_units
from tradewind.plan.runs.gate import Gate
from tradewind.plan.runs.item_group import Group
from tradewind.plan.runs.ready_queue import LaneKey, ReadyQueue, Way
from tradewind.plan.runs.unit import Unit
from tradewind.plan.starts import pool_names

UNIT = 1_600
"""Bytes of a unit, with what is kept of its state."""


AXIS = 48
"""Bytes of each value in a combination of a matrix."""


class TaskLedger:
    """Units, fan-outs, states and outputs of a run."""

    def __init__(
        self,
        definition: Definition,
        run: RunFacts,
        fixed: Callable[[str], bool],
        ends: Callable[[], Values],
        left_out: Collection[str],
    ) -> None:
        """`fixed` says whether a person, or another run, has set the final state of a task or item; `outcome` says how
        the run ends, and why: it is called once all but the exit tasks have ended."""
        self.definition, self.run, self.fixed, self.ends, self.left_out = definition, run, fixed, ends, left_out
        self.values_of_run = {**run.values(), **_fractions(definition, run)}
        self._named_by_run = {name for name, _, _ in pool_names.templated(definition.tasks)}
        self._claims: Mapping[str, tuple[PoolClaim, ...]] | None = None
        self.outputs: dict[str, Mapping[str, Any]] = {}
        """Outputs, by task or item."""
        self._loops: dict[str, tuple[Any, tuple[State, str] | None]] = {}
        """By task or item: how its loop was decided last, and about what. All units are visited when a run is stopped."""
        self._scopes: dict[str, Scope] = {}
        """Scopes of attempts, by task."""
        self.suspended = False
        """Whether nothing more is to start."""
        self.clear()

    def clear(self) -> None:
        """Forgets what follows from the facts."""
        order = self.definition.graph.order
        self.units: dict[str, Unit] = {}
        """Single tasks and known items, by key."""
        self.groups: dict[str, Group] = {}
        """Fan-outs, by task."""
        self.states: dict[str, State] = dict.fromkeys(order, State.BLOCKED)
        """The state of each task; of a fan-out as a whole."""
        self.item_room = fan_out.room()
        """The room for further items."""
        self._combined = 0
        self.total = len(order)
        """The number of tasks and items, as far as they are known."""
        self.tally: Counter[State] = Counter({**NONE_YET, State.BLOCKED: self.total})
        """The number of them in each state."""
        self.counts: dict[str, Counter[State]] = {task: Counter() for task in order}
        """For each task, the number of ended dependencies by state; an allowed failure counts as a success."""
        self.lanes: dict[LaneKey, ReadyQueue] = {}
        """Ready units."""
        self.alive = 0
        """Tasks and items with a pod, or with a run of another DAG."""

    # What changes.

    def expand(self, group: Group, units: list[Unit]) -> None:
        """Adds the items of a fan-out."""
        group.units = units
        if group.source.matrix:
            self._combined += AXIS * len(group.source.matrix.axes) * len(units)
        if units:
            self.total += len(units) - 1
            self.tally[group.state] -= 1
            self.tally[State.BLOCKED] += len(units)
            group.tally[State.BLOCKED] = len(units)
        for unit in units:
            self.units[unit.key] = unit

    def grow(self, group: Group, unit: Unit) -> None:
        """Adds an item to a handler."""
        if group.units is None:
            self.expand(group, [unit])
            return
        group.units.append(unit)
        self.units[unit.key] = unit
        self.total += 1
        self.tally[State.BLOCKED] += 1
        group.tally[State.BLOCKED] += 1

    def move(self, unit: Unit, before: State, way: Way) -> None:
        """Records a unit's new state: counts it, and queues it while it is ready."""
        state, task = unit.state, self.definition.tasks[unit.task]
        if way is not Way.FREE:
            self.alive += (state in LIVE) - (before in LIVE)
        if State.READY in (before, state):
            self._queue(unit, before, task, way)
        self.count(before, state)
        if unit.index is not None:
            group = self.groups[unit.task]
            group.tally[before] -= 1
            group.tally[state] += 1

    def _queue(self, unit: Unit, before: State, task: Task, way: Way) -> None:
        lane = (unit.task if unit.index is not None else "", self.pools(unit.task), way)
        entry = (-task.priority, self.definition.links.place[unit.task], -1 if unit.index is None else unit.index)
        if before is State.READY:
            self.lanes[lane].remove(entry)
            if not self.lanes[lane].entries:
                del self.lanes[lane]
        else:
            self.lanes.setdefault(lane, ReadyQueue()).add(entry, unit)

    def count(self, before: State, state: State) -> None:
        """Counts the change of one task or item from a state to another."""
        self.tally[before] -= 1
        self.tally[state] += 1

    def change(self, task: str, state: State) -> None:
        """Records the new state of a whole task and counts it for its dependents."""
        self.states[task] = state
        if state in FINAL:
            counted = self.counted(task, state)
            for name in self.definition.graph.downstream[task]:
                self.counts[name][counted] += 1

    # What there is.

    def pools(self, task: str) -> tuple[PoolClaim, ...]:
        """The slots that a task, or each of its items, claims in this run."""
        if task not in self._named_by_run:
            return tuple(self.definition.tasks[task].pools)
        if self._claims is None:  # Evaluated once it matters: not in a run that is stopped.
            self._claims = pool_names.claims(self.definition.tasks, self.definition.waiting_scope, self.values_of_run)
        return self._claims[task]

    @property
    def footprint(self) -> int:
        """About how many bytes the units of the run take."""
        return UNIT * len(self.units) + self.item_room.taken + self._combined

    def counted(self, task: str, state: State) -> State:
        """The state that an ended dependency counts as."""
        allowed = self.definition.tasks[task].allow_failure and state in (State.FAILED, State.LOST)
        return State.SUCCEEDED if allowed else state

    def members(self, task: str) -> Sequence[Unit]:
        """The units of a task: its items, or itself."""
        group = self.groups.get(task)
        return [self.units[task]] if group is None else group.units or []

    def item_name(self, unit: Unit) -> str:
        """An item's name for people: its own, or the item itself if it is short."""
        task = self.definition.tasks[unit.task]
        name = task.for_each.name if task.for_each else ""
        values, others = self.values(unit.task, unit.index, unit.item), self.seen_by(unit.task, unit.index)
        scope = self.definition.scope(unit.task)
        try:
            named = render(name, lambda text: evaluate(text, scope, values, others), written) if name else ""
        except ExpressionError:
            named = ""
        return (named or written(unit.item))[:80]

    def counterpart(self, name: str, index: int | None) -> State | None:
        """The state of the counterpart of an item of a chained fan-out; None for other units."""
        source = self.definition.tasks[name].for_each
        if index is None or source is None or source.items_of is None:
            return None
        return self.units[f"{source.items_of}[{index}]"].state

    def gate(self, name: str, counterpart: State | None = None) -> Gate:
        """The gate of a task or, with the state of a counterpart, of an item of a chained fan-out."""
        task, dependencies = self.definition.tasks[name], self.definition.graph.upstream[name]
        parent = task.for_each.items_of if task.for_each and counterpart else None
        counts: Mapping[State, int] = self.counts[name]

        def state(other: str) -> State:
            return counterpart if counterpart and other == parent else self.states[other]

        if parent:
            counts = Counter(counts)
            if self.states[parent] in FINAL:
                counts[self.counted(parent, self.states[parent])] -= 1
            if state(parent) in FINAL:
                counts[self.counted(parent, state(parent))] += 1

        def ended() -> dict[str, State]:
            return {other: found for other in dependencies if (found := state(other)) in FINAL}

        def ran(other: str) -> bool:
            return any(unit.ended or unit.live for unit in self.members(other))

        def allowed(other: str) -> bool:
            return self.definition.tasks[other].allow_failure

        def outcome() -> str:
            return str(self.ends()["run.outcome"])

        needs = self.definition.needs.get(name, ())
        return Gate(task, dependencies, ended, counts, needs, state, ran, allowed, outcome)

    def values(self, task: str, index: int | None, item: Any) -> Values:
        """The variables of the run and of the item, for expressions of a unit."""
        found = {**self.values_of_run, **self._item(task, index, item)} if index is not None else self.values_of_run
        if self.definition.tasks[task].on_exit:
            found = {**found, **self.ends()}
        return found

    def _item(self, task: str, index: int | None, item: Any) -> Values:
        if index is None:
            return {}
        if self.definition.tasks[task].handles:
            return {**{f"item.{name}": value for name, value in item.items()}, "index": index}
        return {"item": item, "index": index}

    def evaluator(self, key: str, number: int) -> Callable[[str], Any]:
        """Evaluates expressions of an attempt of a task or item. It raises ExpressionError."""
        scope, values, others = self._attempt(key, number)
        return lambda expression: evaluate(expression, scope, values, others)

    def judge(self, key: str, number: int) -> Callable[[str, Values], Any]:
        """Evaluates expressions about a sensor's answer, given that answer. It raises ExpressionError."""
        scope, values, others = self._attempt(key, number)
        answer = self.definition.sensed_scope(self.units[key].task).answer
        scope = replace(scope, answer=answer)
        return lambda expression, found: evaluate(expression, scope, {**values, **found}, others)

    def _attempt(self, key: str, number: int) -> tuple[Scope, Values, Callable[[str], Values]]:
        """The scope of an attempt's expressions, and the values."""
        unit = self.units[key]
        scope = self._scopes.get(unit.task)
        if scope is None:
            scope = self._scopes[unit.task] = self.definition.attempt_scope(unit.task)
        values = {**self.values(unit.task, unit.index, unit.item), "run.attempt": number}
        if scope.loops:
            done = sum(attempt.succeeded for attempt in unit.ended)
            values |= {"iteration": done + 1, "previous": self.outputs.get(key, {}) if done else {}}
        return scope, values, self.seen_by(unit.task, unit.index)

    def loop_ends(self, unit: Unit) -> tuple[State, str] | None:
        """The end of a unit whose last attempt succeeded; None if its loop continues."""
        loop = self.definition.tasks[unit.task].loop
        if loop is None:
            return State.SUCCEEDED, ""
        about = (unit.ended[-1].number, len(unit.ended), self.outputs.get(unit.key))
        known = self._loops.get(unit.key)
        if known and known[0] == about:
            return known[1]
        found = self._loop_ends(unit, loop.until)
        if found is None or found[0] is State.SUCCEEDED:  # there may be time for others later
            self._loops[unit.key] = about, found
        return found

    def _loop_ends(self, unit: Unit, until: str) -> tuple[State, str] | None:
        try:
            holds = self.evaluate_own(unit, until)
        except ExpressionError as error:
            return State.FAILED, f"loop.until: {error}"
        if holds is True:
            return State.SUCCEEDED, ""
        words = f"loop.until: `{until}` gives {brief(repr(holds), TEXT_SHOWN)}, not true or false"
        return None if holds is False else (State.FAILED, words)

    def evaluate_own(self, unit: Unit, expression: str) -> Any:
        """The value of an expression about the outputs of a unit's last, successful attempt. Raises ExpressionError."""
        scope, outputs = self.definition.own_scope(unit.task), self.outputs.get(unit.key, {})
        values = {
            **self.values_of_run,
            **self._item(unit.task, unit.index, unit.item),
            **{f"outputs.{name}": outputs[name] for name, _ in scope.own or () if name in outputs},
            "outputs": outputs,
            "run.attempt": unit.ended[-1].number,
            "iteration": sum(attempt.succeeded for attempt in unit.ended),
        }
        return evaluate(expression, scope, values, lambda _: {})

    def skips(self, attempt: Attempt, outputs: Mapping[str, Any], done: int) -> bool:
        """Whether skipOn is true for an attempt with these outputs, after `done` iterations. Raises ExpressionError."""
        task = parse_key(attempt.task)[0]
        rule, scope = self.definition.tasks[task].skip_on, self.definition.skip_scope(task)
        if not rule:
            return False
        values = {
            **self.values_of_run,
            **{f"outputs.{name}": outputs[name] for name, _ in scope.own or () if name in outputs},
            "outputs": outputs,
            "run.attempt": attempt.number,
            "iteration": done + 1,
            **of_attempt(attempt),
        }
        return evaluate(rule, scope, values, lambda _: {}) is True

    def skips_failed(self, unit: Unit) -> bool:
        """Whether skipOn is true for a unit that fails between two attempts, as for an attempt with this reason."""
        ended = unit.ended[unit.spent.first :]
        whole = Attempt(unit.key, unit.ended[-1].number, ended[0].start, ended[-1].end, unit.failed_as)
        done = sum(attempt.succeeded for attempt in unit.ended)
        try:
            return self.skips(whole, self.outputs.get(unit.key, {}), done - unit.ended[-1].succeeded)
        except ExpressionError:
            return False  # As for an attempt that has failed.

    def seen_by(self, task: str, index: int | None) -> Callable[[str], Values]:
        """The variables of other tasks for expressions of a unit; for a counterpart, those of its one item."""
        source = self.definition.tasks[task].for_each
        if source is None or source.items_of is None or index is None:
            return self.of_task
        parent = source.items_of

        def seen(name: str) -> Values:
            return self._of_unit(name, f"{name}[{index}]") if name == parent else self.of_task(name)

        return seen

    def of_task(self, name: str) -> Values:
        """The variables of a task for expressions."""
        group = self.groups.get(name)
        if group is None:
            return self._of_unit(name, name)
        root, units = f"tasks.{cel_name(name)}", group.units or []
        done = [self.outputs.get(unit.key, {} if unit.state is State.SUCCEEDED else None) for unit in units]
        return {
            f"{root}.state": str(self.states[name]),
            f"{root}.states": [str(unit.state) for unit in units],
            f"{root}.outputs": done,
            f"{root}.failures": of_units(units),
        }

    def _of_unit(self, name: str, key: str) -> Values:
        outputs, root = self.outputs.get(key, {}), f"tasks.{cel_name(name)}"
        declared = {
            f"{root}.outputs.{key}": float(outputs[key]) if output.type == "number" else outputs[key]
            for key, output in self.definition.tasks[name].outputs.items()
            if key in outputs
        }
        unit = self.units[key]
        found = failure(unit)
        failed = {f"{root}.failure": found, **{f"{root}.failure.{field}": value for field, value in found.items()}}
        return {
            f"{root}.state": str(unit.state),
            f"{root}.leftOut": name in self.left_out,
            f"{root}.outputs": outputs,
            **declared,
            **failed,
        }


def _fractions(definition: Definition, run: RunFacts) -> Values:
    """The params that are declared as numbers. In stored JSON, an integral one looks like an integer."""
    numbers = (name for name, param in definition.spec.params.items() if param.type == "number")
    return {f"params.{name}": float(value) for name in numbers if isinstance(value := run.params.get(name), int)}
