"""A run played on a planner: pods live and end as a test says."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Any

from tradewind.plan.dags.compile import define
from tradewind.plan.dags.definition import Definition
from tradewind.plan.outcomes.attempt import Attempt, Cleared, Fixed, Retried
from tradewind.plan.runs.decision import Live, Plan, RunFacts, Start
from tradewind.plan.runs.planner import Planner
from tradewind.plan.runs.rework import rework

Fate = Callable[[str, int], str]
"""The result of an attempt of a task or item: a reason, empty for success."""


def defined(tasks: Mapping[str, Any], **spec: Any) -> Definition:
    """A definition in which every task has an image and retries wait a second."""
    defaults = {"image": "x", "retries": {"backoff": {"initial": "1s"}}, **spec.pop("defaults", {})}
    return define({"defaults": defaults, "tasks": dict(tasks), **spec})


@dataclass
class Game:
    """What an API server would store of a run, and the planner for it."""

    definition: Definition
    params: Mapping[str, Any] = field(default_factory=dict)
    retried: dict[str, int] = field(default_factory=dict)
    now: float = 0.0
    ended: dict[str, list[Attempt]] = field(default_factory=dict)
    live: dict[str, Live] = field(default_factory=dict)
    outputs: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    seen: dict[str, float] = field(default_factory=dict)
    cancelled: bool = False
    terminated: bool = False
    suspended: bool = False
    cleared: dict[str, int] = field(default_factory=dict)
    fixed: dict[str, Fixed] = field(default_factory=dict)
    started: list[tuple[str, int]] = field(default_factory=list)
    timeout: float | None = None
    previous: dict[str, str] = field(default_factory=dict)
    """What tasks wait for in the run before; a task that is not named has not been looked up."""

    def __post_init__(self) -> None:
        self.planner = self.anew()

    def anew(self, shuffle: Random | None = None) -> Planner:
        """A new planner with the facts only, as after a crash of the operator. With `shuffle`, ends and pods are
        reported in any order, with plans in between."""
        run = RunFacts("r", "ns", "uid", "d", self.params)
        podless = self.definition.podless()
        planner = Planner(self.definition, run, timeout=self.timeout, podless=podless)
        planner.suspend(self.suspended)
        if self.cancelled:
            planner.cancel(self.terminated)
        for key, outputs in self.outputs.items():
            planner.tell_outputs(key, outputs)
        facts: list[Any] = [partial(planner.tell_ended, key, self.counting(key), self.seen[key]) for key in self.ended]
        facts += [partial(planner.tell_cleared, key, number) for key, number in self.cleared.items()]
        facts += [partial(planner.tell_retried, key, number) for key, number in self.retried.items()]
        facts += [partial(planner.tell_fixed, key, item.state, item.why) for key, item in self.fixed.items()]
        facts += [partial(planner.tell_previous, task, words) for task, words in self.previous.items()]
        facts += [partial(planner.tell_live, key, live) for key, live in self.live.items()]
        if shuffle:
            shuffle.shuffle(facts)
        for fact in facts:
            fact()
            if shuffle and shuffle.random() < 0.3:
                planner.decide(self.now)
        return planner

    def counting(self, key: str) -> list[Attempt]:
        """The attempts that count."""
        return [attempt for attempt in self.ended.get(key, []) if attempt.number > self.cleared.get(key, 0)]

    def change(self, changes: Iterable[Cleared | Retried | Fixed]) -> None:
        """Applies the changes of a rework; the planner is created again, as by an operator."""
        for item in changes:
            if isinstance(item, Cleared):
                self.cleared[item.key] = max(item.number, self.cleared.get(item.key, 0))
                self.fixed.pop(item.key, None)
                self.outputs.pop(item.key, None)
            elif isinstance(item, Retried):
                self.retried[item.key] = item.number
            else:
                self.fixed[item.key] = item
        self.planner = self.anew()

    def retry(self) -> None:
        """A person has what failed tried again."""
        self.change(rework(self.planner, [], retried=True)[0])
        self.started = []

    def plan(self) -> Plan:
        """The current plan."""
        return self.planner.decide(self.now)

    def start(self, start: Start, pending: bool = False, **more: Any) -> None:
        """The pod of a start comes to life."""
        assert start.key not in self.live, f"two attempts of {start.key} at once"
        assert start.number == len(self.ended.get(start.key, [])) + 1, "numbers go up by one"
        since = self.now if pending else None
        self.live[start.key] = Live(start.number, since, **{"seen": self.now, "created": int(self.now), **more})
        self.started.append((start.key, start.number))
        self.planner.tell_live(start.key, self.live[start.key])

    def look_back(self, task: str, words: str = "") -> None:
        """The run before lets a task start, or makes it wait."""
        self.previous[task] = words
        self.planner.tell_previous(task, words)

    def begin(self, key: str) -> None:
        """The container of a pending pod starts."""
        self.live[key] = replace(self.live[key], pending_since=None)
        self.planner.tell_live(key, self.live[key])

    def end(self, key: str, reason: str = "", outputs: Mapping[str, Any] | None = None, code: int = 1) -> None:
        """The pod of a task or item ends."""
        live = self.live.pop(key)
        exit_code = code if reason == "Error" else None
        attempts = [
            *self.ended.get(key, []),
            Attempt(key, live.number, live.created, int(self.now), reason, exit_code),
        ]
        self.ended[key], self.seen[key] = attempts, self.now
        if outputs is not None and not reason:
            self.outputs[key] = outputs
            self.planner.tell_outputs(key, outputs)
        self.planner.tell_ended(key, self.counting(key), self.now)
        self.planner.tell_live(key, None)

    def play(self, fate: Fate = lambda key, number: "", outputs: Callable[[str], Any] = lambda key: None) -> Plan:
        """Plays the run to its end; every pod ends as soon as it lives. Time passes only when nothing else happens."""
        for _ in range(2_000):
            plan = self.plan()
            if plan.phase != "Running":
                return plan
            for stop in plan.stops:
                self.end(stop.task, stop.reason)
            starts = [*plan.starts[: plan.room], *plan.podless]
            for start in starts:
                self.start(start)
            living = list(self.live)
            for key in living:
                self.end(key, fate(key, self.live[key].number), outputs(key))
            if not living and not plan.stops:
                assert plan.wake_at is not None, "nothing moves, and nothing will"
                self.now = max(self.now, plan.wake_at)
        raise AssertionError("does not end")

    def states(self) -> dict[str, str]:
        """The state of each task and item."""
        found = {key: str(unit.state) for key, unit in self.planner.ledger.units.items()}
        return {**found, **{task: str(state) for task, state in self.planner.ledger.states.items()}}

    def keys(self) -> list[str]:
        """What is to start now."""
        return [start.key for start in self.plan().starts]
