"""What a history must show about the order in which tasks of a run start, and approvals are requested."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from .expectation import RAN, Again, above, again, expected
from .history import Execution, History
from .scenario import SHOWN, Scenario

Executions = Mapping[str, list[Execution]]
"""A run's executions, by task or item."""
EARLY = "OneFailed"
"""The rule that does not wait for all dependencies."""


def times(items: Sequence[Execution]) -> int:
    """How often something was done; a request that was sent again counts once."""
    return len({(item.run_uid, item.attempt) if item.asked else id(item) for item in items})


class Order:
    """What has to be so in a run, before and after someone worked on it."""

    def __init__(self, scenario: Scenario, history: History, uid: str) -> None:
        self._scenario, self._history, self.uid = scenario, history, uid
        self.first, first_phase = expected(scenario)
        self.on = history.reworked.get(uid, float("inf"))
        self.reworked = uid in history.reworked
        self.states: Mapping[str, str] = self.again.states if self.reworked else self.first
        self.phase = self.again.phase if self.reworked else first_phase
        self._decided = [(at, key) for at, of, key in history.decided if of == uid]
        self._executions = [item for item in map(history.whose, history.executions) if item.run_uid == uid]

    @cached_property
    def again(self) -> Again:
        """What has to be so after someone worked on it."""
        return again(self._scenario)

    def counts(self, name: str) -> tuple[int, int]:
        """How often each item of a task must have succeeded and failed."""
        task = self._scenario.tasks[name]
        good = bad = 0
        if self.first[name] in RAN:
            good, bad = (0, task.most + 1) if self.first[name] == "Failed" else (1, task.fails)
        if self.reworked and name in self.again.ran:
            if self.states[name] == "Failed":
                bad += task.most + 1
            else:
                good += 1
                bad += task.mended.fails if self.first[name] not in RAN else 0
        return good, bad

    def ready(self, name: str, by: float) -> bool:
        """Whether the dependencies of a task had ended."""
        task = self._scenario.tasks[name]
        needed = any if task.rule == EARLY and by < self.on else all
        return not task.above or needed(self.ended(other, by) for other in task.above)

    def ended(self, name: str, by: float) -> bool:
        """Whether a task had ended. One that did not run counts as ended at any time, one that runs again has not ended until it has
        done so again."""
        task, later = self._scenario.tasks[name], by >= self.on
        if later and name not in self.again.ran:
            return True
        since, state = (self.on, self.states[name]) if later else (0.0, self.first[name])
        if state not in RAN:
            return True
        keys = self._scenario.keys(name)
        if task.does == "approval":
            return {*keys} <= {key for at, key in self._decided if since <= at <= by}
        if task.does == "watch":
            shown = (item for item in self._history.executions if item.run == SHOWN and item.code == 0)
            return self.ready(name, by) and any((item.ended or by + 1) <= by for item in shown)
        if task.silent:
            return self.ready(name, by)
        code, least = (1, task.most + 1) if state == "Failed" else (task.code(task.fails + 1), 1)

        def enough(key: str) -> bool:
            done = [item for item in self._executions if item.key == key and item.started >= since]
            return times([item for item in done if item.code == code and (item.ended or by + 1) <= by]) >= least

        return all(map(enough, keys))

    def settled(self, name: str, by: float) -> bool:
        """Whether all upstream of an approval had ended, not past rules that are content with the first end; in a run that someone worked on
        past these too."""
        task = self._scenario.tasks[name]
        if by >= self.on:
            return all(self.ended(other, by) for other in above(self._scenario, name))
        if task.rule == EARLY:
            return self.ready(name, by)
        return all(self.ended(other, by) and self.settled(other, by) for other in task.above)


def unasked(scenario: Scenario, history: History, order: Order) -> Iterator[str]:
    """Approvals of a run that has ended, and that were not requested although they had to be."""
    lives = [(0.0, order.first.items())]
    if order.reworked:
        lives.append((order.on, [(name, order.states[name]) for name in order.again.ran]))
    for since, states in lives:
        keys = {
            key
            for name, state in states
            if state in RAN and scenario.tasks[name].does == "approval"
            for key in scenario.keys(name)
        }
        for key in sorted(keys - {key for at, of, key in history.asked if of == order.uid and at >= since}):
            yield f"{key} was not requested after {since:.2f}"


def broken_order(scenario: Scenario, history: History, run: str) -> Iterator[str]:
    """Each container started after its dependencies had really ended, or were cancelled, as another operator may know. What had failed is
    retried at once."""
    if history.cut_off and any("cancelled" in how for how in history.touched.values()):
        return
    for uid in sorted(history.uids(run)):
        order = Order(scenario, history, uid)
        for item in map(history.whose, history.executions):
            name = item.key.partition("[")[0]
            if item.run_uid != uid or name not in scenario.tasks:
                continue
            retried = item.started >= order.on and name not in order.again.anew
            if not retried and not order.ready(name, item.started):
                above = ", ".join(scenario.tasks[name].above)
                yield f"{item.pod} started at {item.started:.2f} before {above} had ended"


def broken_approvals(scenario: Scenario, history: History, run: str) -> Iterator[str]:
    """An approval is requested only after all upstream of it has ended, and never of a task that is not to run."""
    if history.cut_off or "rolled back" in history.touched[run]:
        return
    for uid in sorted(history.uids(run)):
        order = Order(scenario, history, uid)
        for at, key in [(at, key) for at, of, key in history.asked if of == uid]:
            name = key.partition("[")[0]
            wanted = name in order.again.ran if at >= order.on else order.first[name] in RAN
            if not wanted:
                yield f"{key} was requested at {at:.2f}, and was not to run"
            elif not order.settled(name, at):
                yield f"{key} was requested at {at:.2f} before all upstream of it had ended"
