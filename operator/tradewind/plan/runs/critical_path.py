"""The critical path of a run: the chain of tasks that determined when it ended, and how each of them spent its time.

Times are timestamps of the API, in whole seconds: what takes less than a second can look like nothing, and a step may
be a second off.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tradewind.plan import pacing
from tradewind.plan.dags.definition import Definition
from tradewind.plan.outcomes.attempt import Attempt, parse_key
from tradewind.plan.outcomes.state import BAD, State
from tradewind.plan.outcomes.trigger_rule import RULES

_EARLY: Mapping[str, frozenset[State]] = {
    "OneSucceeded": frozenset({State.SUCCEEDED}),
    "OneFailed": BAD,
    "OneDone": frozenset({State.SUCCEEDED, State.FAILED, State.LOST}),
}
"""Rules that hold as soon as one dependency has ended in one of these states."""


@dataclass(frozen=True, slots=True)
class Step:
    """A task, or an item, on the critical path. Seconds: `waited` from the end of the previous step (or the run's
    start) to the first attempt's start, `retried` from there to the final attempt's start, `ran` from there to its end."""

    task: str
    waited: int
    retried: int
    ran: int

    @property
    def seconds(self) -> int:
        """Its contribution to the run's time."""
        return self.waited + self.retried + self.ran


class Trail:
    """When tasks and items ended, and which ones others waited for. Tasks without an attempt (skipped, refused) are
    stepped through."""

    def __init__(
        self, definition: Definition, attempts: Mapping[str, Sequence[Attempt]], states: Mapping[str, State]
    ) -> None:
        """`attempts` are those of tasks and items, in order; `states` are the states of tasks, as far as trigger rules
        need them."""
        self._definition, self._states = definition, states
        self._place = {task: place for place, task in enumerate(definition.graph.order)}
        self._attempts = {key: found for key, found in attempts.items() if found and parse_key(key)[0] in self._place}
        self._at: dict[str, str] = {}
        """Task -> its last end or, if it has no attempt, that of the tasks above it."""
        own: dict[str, list[str]] = {}
        for key in pacing.each(self._attempts):
            own.setdefault(parse_key(key)[0], []).append(key)
        for task in pacing.each(definition.graph.order):
            above = (self._at[name] for name in definition.graph.upstream[task] if name in self._at)
            if found := self._last(own.get(task) or above):
                self._at[task] = found

    def last(self) -> str | None:
        """The task or item that ended last of all."""
        return self._last(self._attempts)

    def end(self, key: str) -> int:
        """When a task or item with attempts ended (epoch seconds)."""
        return self._attempts[key][-1].end

    def before(self, key: str) -> str | None:
        """The task or item whose end started this one: by its trigger rule, and by what its expressions name. None for
        the run's start."""
        name, index = parse_key(key)
        task = self._definition.tasks[name]
        parent = task.for_each.items_of if task.for_each and index is not None else None
        found: dict[str, str] = {}
        for other in self._definition.graph.upstream[name]:
            at = self._item(other, index) if other == parent and index is not None else self._at.get(other)
            if at is not None:
                found[other] = at
        needed = [self._at[other] for other in self._definition.needs.get(name, ()) if other in self._at]
        decided = self._decider(task.trigger_rule, found, key)
        return self._last([*needed, *([decided] if decided is not None else [])])

    def _decider(self, rule: str, found: Mapping[str, str], key: str) -> str | None:
        """The dependency whose end made the rule hold."""
        if not found or rule == "Always":
            return None
        if wanted := _EARLY.get(rule):
            telling = [at for name, at in found.items() if self._states.get(name) in wanted]
            return min(telling or found.values(), key=self._rank)
        if rule not in RULES and key in self._attempts:
            # For an expression only this is certain: later ends did not matter.
            start = self._attempts[key][0].start
            known = [at for at in found.values() if self.end(at) <= start]
            return self._last(known) or min(found.values(), key=self._rank)
        return self._last(found.values())

    def _item(self, task: str, index: int) -> str | None:
        """As `_at`, for one item of a chain of fan-outs."""
        others: list[str] = []
        parent: str | None = task
        while parent is not None:
            key = f"{parent}[{index}]"
            if key in self._attempts:
                return self._last([*others, key])
            source = self._definition.tasks[parent].for_each
            following = source.items_of if source else None
            above = (name for name in self._definition.graph.upstream[parent] if name != following)
            others += [self._at[name] for name in above if name in self._at]
            parent = following
        return self._last(others)

    def _last(self, keys: Iterable[str]) -> str | None:
        return max(keys, key=self._rank, default=None)

    def _rank(self, key: str) -> tuple[int, int, int, int]:
        """The sort key by end. Within a second, a later position in the graph counts as a later end."""
        task, index = parse_key(key)
        attempt = self._attempts[key][-1]
        return attempt.end, self._place[task], attempt.start, -1 if index is None else index


def critical_path(
    definition: Definition,
    attempts: Mapping[str, Sequence[Attempt]],
    began: int,
    states: Mapping[str, State] | None = None,
) -> list[Step]:
    """The path, from the run's start (epoch seconds) to the last end; empty before anything has run. The steps' seconds
    add up to the time between the two, even if clocks of nodes differ."""
    trail = Trail(definition, attempts, states or {})
    keys: list[str] = []
    key = trail.last()
    while key is not None:
        keys.append(key)
        key = trail.before(key)
    if not keys:
        return []
    keys.reverse()
    # A retried run has a new start, after its first attempts.
    at = min(began, attempts[keys[0]][0].start, trail.end(keys[0]))
    steps = []
    for key in keys:
        end = max(at, trail.end(key))
        first = min(max(at, attempts[key][0].start), end)
        final = min(max(first, attempts[key][-1].start), end)
        steps.append(Step(key, first - at, final - first, end - final))
        at = end
    return steps
