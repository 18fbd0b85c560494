"""What a seed stands for: a DAG, what its tasks do, and what goes wrong when. And, worked out from the documents alone, what must come
of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

ALWAYS = 1_000_000
"""Failures of a task that never succeeds."""
SPAN = 40.0
"""Seconds in which faults begin."""
BACKOFF = {"initial": "1s", "factor": 1, "max": "5s"}
RULES = ["AllSucceeded", "AllSucceeded", "AllSucceeded", "AllDone", "NoneFailed", "OneFailed"]


@dataclass(frozen=True)
class Task:
    """A task, and what its executions do."""

    above: tuple[str, ...] = ()
    rule: str = "AllSucceeded"
    skipped: bool = False
    items: int = 0
    """0 for a task that is no fan-out."""
    limit: int = 0
    fails: int = 0
    """Executions of it, or of each item, that exit with 1 before one succeeds."""
    seconds: float = 1.0


@dataclass(frozen=True)
class Trouble:
    """One thing that goes wrong. `pick` is what chance chooses by: a pod, a node, a status."""

    kind: str
    at: float
    seconds: float
    pick: int

    def __str__(self) -> str:
        return f"{self.kind} at {self.at:.1f} s for {self.seconds:.1f} s ({self.pick})"


@dataclass(frozen=True)
class Scenario:
    """Everything that decides what happens."""

    seed: int
    tasks: Mapping[str, Task]
    runs: int
    retention: str
    troubles: tuple[Trouble, ...]

    def without(self, trouble: Trouble) -> "Scenario":
        """The same with one trouble less."""
        return replace(self, troubles=tuple(item for item in self.troubles if item is not trouble))

    @property
    def dag(self) -> dict[str, Any]:
        """The DAG's manifest."""
        tasks: dict[str, Any] = {}
        for name, task in self.tasks.items():
            retries = {"limit": task.limit, "infrastructureLimit": 100, "backoff": BACKOFF}
            body: dict[str, Any] = {"dependsOn": list(task.above), "retries": retries}
            if task.above:
                body["triggerRule"] = task.rule
            if task.skipped:
                body["when"] = "false"
            if task.items:
                body["forEach"] = {"range": {"stop": task.items}, "failFast": False}
            tasks[name] = body
        defaults = {"image": "x", "command": ["work"]}
        return {
            "apiVersion": "tradewind.dev/v1alpha1",
            "kind": "DAG",
            "metadata": {"name": "d"},
            "spec": {"podRetention": self.retention, "defaults": defaults, "tasks": tasks},
        }

    def keys(self, name: str) -> list[str]:
        """What a task runs as: itself, or its items."""
        items = self.tasks[name].items
        return [f"{name}[{at}]" for at in range(items)] if items else [name]


def generate(seed: int, kinds: list[str]) -> Scenario:
    """A scenario with troubles of these kinds."""
    chance = Random(seed)
    names = [f"t{at}" for at in range(chance.randint(1, 6))]
    tasks: dict[str, Task] = {}
    for at, name in enumerate(names):
        above = tuple(sorted(chance.sample(names[:at], min(at, chance.choice([0, 1, 1, 2])))))
        limit = chance.choice([0, 0, 1, 2])
        tasks[name] = Task(
            above,
            chance.choice(RULES),
            chance.random() < 0.08,
            chance.choice([0, 0, 0, 2, 3]),
            limit,
            chance.choice([0, 0, min(1, limit), limit, limit, ALWAYS if chance.random() < 0.4 else 0]),
            chance.choice([0.2, 1.0, 4.0, 10.0, 30.0]),
        )
    worst, spread = chance.uniform(0, SPAN), chance.choice([2.0, 10.0, SPAN])  # Troubles seldom come alone.
    troubles = tuple(
        Trouble(
            chance.choice(kinds),
            max(0.0, chance.uniform(worst - spread, worst + spread)),
            chance.choice([0.5, 3.0, 15.0, 60.0]),
            chance.getrandbits(32),
        )
        for _ in range(chance.randint(1, 6))
    )
    return Scenario(seed, tasks, chance.choice([1, 1, 2]), chance.choice(["Always", "OnFailure", "Never"]), troubles)


def expected(scenario: Scenario) -> tuple[dict[str, str], str]:
    """How each task, and the run, must end: by docs/trigger-rules.md, whatever goes wrong."""
    states: dict[str, str] = {}
    for name, task in scenario.tasks.items():
        above = {states[other] for other in task.above}
        verdict = _verdict(task.rule, above) if task.above else "run"
        if verdict == "run":
            verdict = "Skipped" if task.skipped else "Succeeded" if task.fails <= task.limit else "Failed"
        states[name] = verdict
    last = [name for name in states if not any(name in task.above for task in scenario.tasks.values())]
    bad = any(states[name] in ("Failed", "UpstreamFailed") for name in last)
    return states, "Failed" if bad else "Succeeded"


def _verdict(rule: str, above: set[str]) -> str:
    failed = bool(above & {"Failed", "UpstreamFailed"})
    if rule == "AllDone":
        return "run"
    if rule == "OneFailed":
        return "run" if failed else "Skipped"
    if failed:
        return "UpstreamFailed"
    return "Skipped" if rule == "AllSucceeded" and "Skipped" in above else "run"
