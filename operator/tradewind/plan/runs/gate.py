"""Whether a task may run: its trigger rule, the tasks that its expressions need, its condition."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from heapq import nsmallest
from typing import Any

from tradewind.model.bounded import TEXT_SHOWN
from tradewind.model.shown import brief
from tradewind.model.task import Task
from tradewind.plan import pacing
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.dags.definition import Definition
from tradewind.plan.expressions import cel_rule
from tradewind.plan.expressions.scope import Scope, Values, evaluate
from tradewind.plan.outcomes.state import FINAL, State
from tradewind.plan.outcomes.trigger_rule import EARLY, RULES, Verdict, count, decide

Ruling = tuple[State, str]
"""The state that the gate gives a task, and why; READY lets it through."""
BLOCKED: Ruling = (State.BLOCKED, "")
SHOWN = 3
"""Dependencies that a reason names."""


@dataclass(frozen=True, slots=True)
class Gate:
    """The input of the gate of a task or an item. `ended` are the states of the ended dependencies, `needed` says
    whether a task that expressions name has ended, and `of_task` gives its variables."""

    task: Task
    dependencies: tuple[str, ...]
    ended: Callable[[], Mapping[str, State]]
    counts: Mapping[State, int]
    needs: tuple[str, ...]
    state: Callable[[str], State]
    ran: Callable[[str], bool]
    """Whether a task had an attempt."""
    allowed: Callable[[str], bool]
    """Whether a task may fail."""
    outcome: Callable[[], str]
    """How the run ends, for exit tasks; known once all other tasks have ended."""


class Askers:
    """What may ask for an approval waits until all that the decision is about has ended, at any depth.

    Trigger rules alone don't say so: AllSucceeded ends a task when its first dependency has failed, and AllDone keeps a
    task's result while what comes before it is tried again. So approvals, and runs of other DAGs, which may ask as well,
    wait for all upstream of them, but not past rules that are content with the first end; in a run that was retried or
    edited past these too. A task is settled once it and all upstream of it have ended; each becomes so once,
    so that the whole costs a visit of each dependency."""

    def __init__(self, definition: Definition) -> None:
        self._tasks, self._graph = definition.tasks, definition.graph
        self._asking = frozenset(name for name, task in self._tasks.items() if task.approval is not None or task.dag)

    def clear(self, reworked: bool) -> None:
        """Forgets what has ended. `reworked` says whether the run was retried or edited."""
        self._reworked = reworked
        self._ended: set[str] = set()
        self._waiting: dict[str, dict[str, None]] = {}
        self._unsettled = {
            name: len(above) if self._waits(name) else 0 for name, above in self._graph.upstream.items() if self._asking
        }
        """The number of dependencies that are not settled, where they matter."""

    def _waits(self, task: str) -> bool:
        rule = self._tasks[task].trigger_rule
        return self._reworked or (rule in RULES and rule not in EARLY)

    def end(self, task: str) -> list[str]:
        """Notes that a task has ended; returns the units that have waited for what is settled now."""
        found: list[str] = []
        if not self._asking:
            return found
        self._ended.add(task)
        settled = [] if self._unsettled[task] else [task]
        while settled:
            pacing.pause()
            for below in self._graph.downstream[settled.pop()]:
                if self._waits(below):
                    self._unsettled[below] -= 1
                    if not self._unsettled[below]:
                        found += self._waiting.pop(below, {})
                        settled += [below] if below in self._ended else []
        return found

    def hold(self, task: str, key: str) -> Ruling | None:
        """What a unit waits for, if anything."""
        if task not in self._asking or not self._unsettled[task]:
            return None
        self._waiting.setdefault(task, {})[key] = None
        return State.BLOCKED, "not all upstream of it has ended"


def ruling(gate: Gate) -> Ruling:
    """The result of the trigger rule, and whether all tasks that the expressions need have ended."""
    rule = gate.task.trigger_rule
    if gate.task.teardown or gate.task.on_exit:
        if sum(gate.counts.values()) < len(gate.dependencies):
            return BLOCKED
        if gate.task.teardown:
            return _teardown(gate, gate.task.teardown.of)
        return _exit(gate)
    if rule in RULES:
        verdict = decide(rule, count(gate.counts, len(gate.dependencies)))
    else:
        try:
            verdict = cel_rule.decide(rule, gate.dependencies, gate.ended(), gate.allowed)
        except ExpressionError as error:
            return State.FAILED, f"triggerRule: {error}"
    if verdict is None:
        cancelled = gate.counts.get(State.CANCELLED) and sum(gate.counts.values()) == len(gate.dependencies)
        return (State.CANCELLED, "a dependency was cancelled") if cancelled else BLOCKED
    if verdict is Verdict.SKIP:
        return State.SKIPPED, f"trigger rule {rule}: {_shown(gate.ended())}"
    if verdict is Verdict.UPSTREAM_FAILED:
        return State.UPSTREAM_FAILED, f"trigger rule {rule}: {_shown(gate.ended())}"
    if any(gate.state(name) not in FINAL for name in gate.needs):
        return BLOCKED
    return State.READY, _why(rule, gate)


def _teardown(gate: Gate, setups: list[str]) -> Ruling:
    """A teardown may run once all tasks that need its setups have ended."""
    if ran := [name for name in setups if gate.ran(name)]:
        return State.READY, f"{ran[0]} ran"
    return State.SKIPPED, f"teardown of what never ran: {', '.join(setups)}"


def _exit(gate: Gate) -> Ruling:
    """An exit task may run once all other tasks have ended; its trigger rule is about other exit tasks."""
    outcome, wanted = gate.outcome(), gate.task.on_exit
    if outcome not in wanted and "Always" not in wanted:
        return State.SKIPPED, f"the run ends as {outcome}, and onExit is {', '.join(wanted)}"
    names = gate.task.depends_on
    ended = {name: gate.state(name) for name in names}
    others = replace(
        gate,
        task=gate.task.model_copy(update={"on_exit": []}),
        dependencies=tuple(names),
        ended=lambda: ended,
        counts=Counter(ended.values()),
    )
    return ruling(others) if names else (State.READY, f"the run ends as {outcome}")


def _why(rule: str, gate: Gate) -> str:
    if not gate.dependencies:
        return "it depends on nothing"
    return "its dependencies succeeded" if rule == "AllSucceeded" else f"trigger rule {rule} holds"


def _shown(ended: Mapping[str, State]) -> str:
    """The results of the dependencies, the relevant ones first."""
    order = (State.FAILED, State.LOST, State.UPSTREAM_FAILED, State.SKIPPED, State.SUCCEEDED)
    names: dict[State, list[str]] = {}
    for name, state in ended.items():
        names.setdefault(state, []).append(name)
    first: list[str] = []
    for state in sorted(names, key=lambda state: order.index(state) if state in order else len(order)):
        first += [f"{name} {state}" for name in nsmallest(SHOWN - len(first), names[state])]
    more = f" and {len(ended) - SHOWN} more" if len(ended) > SHOWN else ""
    return ", ".join(first) + more


def condition(task: Task, scope: Scope, values: Values, of_task: Callable[[str], Values]) -> Ruling | None:
    """The result of `when`; None if it lets the task through."""
    if not task.when:
        return None
    try:
        holds: Any = evaluate(task.when, scope, values, of_task)
    except ExpressionError as error:
        return State.FAILED, f"when: {error}"
    if holds is True:
        return None
    if holds is False:
        return State.SKIPPED, f"when is false: {task.when}"
    return State.FAILED, f"when: `{task.when}` gives {brief(repr(holds), TEXT_SHOWN)}, not true or false"
