"""What a seed stands for: a DAG, what its tasks do, and what goes wrong when. And, worked out from the documents alone, what must come
of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

from .clock import EPOCH

ALWAYS = 1_000_000
"""Failures of a task that never succeeds."""
SPAN = 40.0
"""Seconds in which faults begin."""
BACKOFF = {"initial": "1s", "factor": 1, "max": "5s"}
EVERY = 20
"""Seconds between ticks."""
DAY = 86_400
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
    does: str = "pod"
    """pod, or what the operator does itself: wait (for `seconds`), compute (which fails when `fails`)."""
    slots: int = 0
    """Of the pool."""

    @property
    def podless(self) -> bool:
        """Whether no container shows that it ran."""
        return self.does != "pod"

    @property
    def state(self) -> str:
        """How it ends when it runs."""
        most = 0 if self.podless else self.limit
        return "Succeeded" if self.does == "wait" or self.fails <= most else "Failed"


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
    maker: str = "hand"
    """Who makes the runs: hand, a schedule, or a backfill."""
    enqueue: bool = False
    """Whether the schedule lets one run follow the other."""
    at_once: int = 0
    """Runs at once: maxActiveRuns, or a backfill's parallelism. 0 for no limit."""
    parallelism: int = 0
    """Pods of a run at once. 0 for no limit."""
    pool: int = 0
    """Slots of the pool. 0 where no task needs it."""

    def without(self, trouble: Trouble) -> "Scenario":
        """The same with one trouble less."""
        return replace(self, troubles=tuple(item for item in self.troubles if item is not trouble))

    @property
    def names(self) -> list[str]:
        """The runs that there are to be."""
        if self.maker == "hand":
            return [f"r{at}" for at in range(self.runs)]
        return [f"{self.maker}-{tick.strftime('%Y%m%d-%H%M%S').removesuffix('00')}" for tick in self.ticks]

    @property
    def ticks(self) -> list[datetime]:
        """What a schedule's, or a backfill's runs are about."""
        step = EVERY if self.maker == "schedule" else -DAY
        return [datetime.fromtimestamp(EPOCH + step * (at + 1), UTC) for at in range(self.runs)]

    @property
    def objects(self) -> list[tuple[str, dict[str, Any]]]:
        """What somebody applies, by plural: the DAG, its pool, and what makes its runs."""
        found = [("pools", _object("Pool", "p", {"slots": self.pool}))] if self.pool else []
        found.append(("dags", self.dag))
        if self.maker == "hand":
            found += [("dagruns", _object("DAGRun", name, {"dag": "d"})) for name in self.names]
        elif self.maker == "schedule":
            schedule = {
                "every": f"{EVERY}s",
                "end": self.ticks[-1].isoformat(),
                "missed": {"policy": "All"},
                "concurrency": "Enqueue" if self.enqueue else "Allow",
            }
            found.append(("triggers", _object("Trigger", "schedule", {"dag": "d", "schedule": schedule})))
        else:
            ticks = [tick.isoformat() for tick in self.ticks]
            spec = {"dag": "d", "ticks": ticks, "parallelism": self.at_once}
            found.append(("backfills", _object("Backfill", "backfill", spec)))
        return found

    @property
    def dag(self) -> dict[str, Any]:
        """The DAG's manifest."""
        tasks: dict[str, Any] = {}
        for name, task in self.tasks.items():
            retries = {"limit": task.limit, "infrastructureLimit": 100, "backoff": BACKOFF}
            body: dict[str, Any] = {"dependsOn": list(task.above)}
            if task.does == "wait":
                body["wait"] = {"duration": f"{task.seconds:.0f}s"}
            elif task.does == "compute":
                body["compute"] = {"x": "1 / 0" if task.fails else "1"}
            else:
                body["retries"] = retries
            if task.slots:
                body["pools"] = [{"name": "p", "slots": task.slots}]
            if task.above:
                body["triggerRule"] = task.rule
            if task.skipped:
                body["when"] = "false"
            if task.items:
                body["forEach"] = {"range": {"stop": task.items}, "failFast": False}
            tasks[name] = body
        defaults = {"image": "x", "command": ["work"]}
        spec: dict[str, Any] = {"podRetention": self.retention, "defaults": defaults, "tasks": tasks}
        if self.parallelism:
            spec["parallelism"] = self.parallelism
        if self.at_once and self.maker != "backfill":
            spec["maxActiveRuns"] = self.at_once
        return _object("DAG", "d", spec)

    def keys(self, name: str) -> list[str]:
        """What a task runs as: itself, or its items."""
        items = self.tasks[name].items
        return [f"{name}[{at}]" for at in range(items)] if items else [name]


def _object(kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "tradewind.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


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
    runs, retention = chance.choice([1, 1, 2]), chance.choice(["Always", "OnFailure", "Never"])
    return _varied(Scenario(seed, tasks, runs, retention, troubles), chance)


def _varied(plain: Scenario, chance: Random) -> Scenario:
    """The same with tasks that have no pod, limits, and runs that nobody made by hand: each of them in some scenarios."""
    changed = plain
    if chance.random() < 0.3:
        does = {name: chance.choice(["pod", "pod", "wait", "compute"]) for name in plain.tasks}
        changed = replace(changed, tasks={name: replace(task, does=does[name]) for name, task in changed.tasks.items()})
    if chance.random() < 0.3:
        pool = chance.choice([1, 2, 3])
        slots = {name: chance.choice([0, 1, 1, pool]) for name in plain.tasks}
        tasks = {
            name: task if task.podless else replace(task, slots=slots[name]) for name, task in changed.tasks.items()
        }
        changed = replace(changed, tasks=tasks, pool=pool)
    if chance.random() < 0.2:
        changed = replace(changed, parallelism=chance.choice([1, 2]))
    if chance.random() < 0.3:
        changed = replace(changed, maker=chance.choice(["schedule", "backfill"]), runs=chance.choice([1, 2, 3]))
    if changed.maker == "backfill" or chance.random() < 0.2:
        changed = replace(changed, at_once=chance.choice([1, 2]))
    return replace(changed, enqueue=changed.maker == "schedule" and chance.random() < 0.5)


def expected(scenario: Scenario) -> tuple[dict[str, str], str]:
    """How each task, and the run, must end: by docs/trigger-rules.md, whatever goes wrong."""
    states: dict[str, str] = {}
    for name, task in scenario.tasks.items():
        above = {states[other] for other in task.above}
        verdict = _verdict(task.rule, above) if task.above else "run"
        if verdict == "run":
            verdict = "Skipped" if task.skipped else task.state
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
