"""A scenario: a DAG, what its tasks do, what creates its runs, and what goes wrong when."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from tradewind.plan.triggers.trigger import occasion

from .clock import EPOCH

BACKOFF = {"initial": "1s", "factor": 1, "max": "5s"}
EVERY = 20
"""Seconds between ticks."""
DAY = 86_400
ITEM = "ITEM"
"""The variable that tells a pod its item."""
NOTHING_TO_DO = 99
"""The exit code of a task that skips itself."""
KEPT = "successes"
"""The value that a run leaves for the next."""
TELL = "tell"
"""The handler, if there is one."""
SHOWN = "shown"
"""A DAG of one task of this name, and its run: sensors wait for it."""
LANES = ("a", "b")
"""The values of the param that names the pool of a run, if one does."""
NEXT_DOOR = "next-door"
"""Another namespace, and the only task there."""
OUTSIDE = "http://outside.test/$[[ run.name ]]/$[[ run.uid ]]/{name}/{index}/$[[ run.attempt ]]"
"""The URL that tasks request."""
THINGS = "http://outside.test/things?after=$[[ cursor ]]"
"""The URL that a trigger polls."""


@dataclass(frozen=True)
class Task:
    """A task, and what its executions do."""

    above: tuple[str, ...] = ()
    rule: str = "AllSucceeded"
    skipped: bool = False
    items: int = 0
    """0 for a task without a fan-out."""
    limit: int = 0
    fails: int = 0
    """Executions of it, or of each item, that exit with 1 before one succeeds."""
    seconds: float = 1.0
    does: str = "pod"
    """pod; or dag: its pods are those of another DAG's only task, which has the same name; or what the operator does
    itself: http (a request, which takes `seconds`), sensor (which succeeds after `seconds`, or times out if `fails`),
    watch (a sensor that waits for the task of another run),
    wait (for `seconds`), compute (which fails if `fails`) and approval (which someone gives after `seconds`, or refuses
    if `fails`)."""
    slots: int = 0
    """Slots of the pool. Those of a sub-DAG are held by its run."""
    calls: int = 0
    """Retries of a sub-DAG, in addition to those of the task in it."""
    quits: bool = False
    """Whether an execution that does not fail says that there is nothing to do: it exits as skipOn names. A sensor that
    times out, and an approval that is refused, are skipped by skipOn."""
    keyed: bool = False
    """Whether the items are the keys of a map, whose order differs in the engine each time."""
    mends: bool = False
    """Whether it fails only until someone works on its run, who repairs what it needs."""
    pause: int = 0
    """Seconds between a failure and the next attempt, if `delays` says so."""
    follows: bool = False
    """Whether it waits for itself in the run before."""
    due: int = 0
    """Seconds after the start of its run by which it should have ended. 0 for no deadline."""

    @property
    def silent(self) -> bool:
        """Whether neither a container nor a request shows that it ran."""
        return self.does in ("wait", "compute", "approval", "watch") or (self.does == "sensor" and self.fails > 0)

    @property
    def most(self) -> int:
        """Failures after which it can still succeed."""
        return 0 if self.silent or self.does == "sensor" else (self.limit + 1) * (self.calls + 1) - 1

    @property
    def state(self) -> str:
        """How it ends when it runs; Quit if it skips itself."""
        if self.does in ("wait", "watch") or self.fails <= self.most:
            return "Quit" if self.quits and not self.soft else "Succeeded"
        return "Quit" if self.quits and self.soft else "Failed"

    @property
    def soft(self) -> bool:
        """Whether skipOn is about the end of a wait that was in vain."""
        return self.does in ("sensor", "approval")

    @property
    def mended(self) -> "Task":
        """The task once someone works on its run."""
        return replace(self, fails=0) if self.mends else self

    def code(self, number: int) -> int:
        """The exit code of the execution with this number, from 1, of those that end by themselves."""
        return 1 if number <= self.fails else NOTHING_TO_DO if self.quits and not self.soft else 0


TELLER = Task(seconds=0.5)
"""What the handler does."""
HEEDED = 60.0
"""Seconds in which a run that is cancelled, or fails fast, ends if nothing goes wrong: a container gets time to stop."""
LATE = 45.0
"""Seconds after the end of a run after which none of its containers may start: a pod that was being created may still."""
DURING_WRITES = ("run cancelled during a write", "run terminated during a write", "run suspended during a write")
"""What users do in the moment in which the operator writes a run's status."""


@dataclass(frozen=True)
class Trouble:
    """One thing that goes wrong. `pick` selects at random: a pod, a node, a status."""

    kind: str
    at: float
    seconds: float
    pick: int

    def __str__(self) -> str:
        return f"{self.kind} at {self.at:.1f} s for {self.seconds:.1f} s ({self.pick})"


@dataclass(frozen=True)
class Rework:
    """What someone does with each run that has ended and that nobody has changed."""

    task: str = ""
    """The task that is cleared, if it ran. Empty: what failed is retried."""
    after: float = 0.0
    """Seconds after the end."""


@dataclass(frozen=True)
class Scenario:
    """Everything that decides what happens."""

    seed: int
    tasks: Mapping[str, Task]
    runs: int
    retention: str
    troubles: tuple[Trouble, ...]
    maker: str = "hand"
    """What creates the runs: hand, a schedule, a sensor (one for each thing that a server has, one more at each tick),
    or a backfill."""
    concurrency: str = "Allow"
    """What happens to a tick of the schedule while a run of it has not ended."""
    kept: int | None = None
    """Runs of each outcome that the DAG keeps after their end. None for all."""
    at_once: int = 0
    """Active runs: maxActiveRuns, or a backfill's parallelism. 0 for no limit."""
    parallelism: int = 0
    """Active pods of a run. 0 for no limit."""
    pool: int = 0
    """Slots of the pool. 0 if no task needs it."""
    neighbour: Task | None = None
    """The task of another namespace, which shares the pool. Troubles affect its pods too, but nobody edits its runs."""
    neighbours: tuple[str, ...] = ()
    """The runs there."""
    told: bool = False
    """Whether a handler runs for all failures and retries."""
    local: bool = False
    """Whether sub-DAGs are local ones, in the manifest of the DAG."""
    chained: bool = False
    """Whether a run waits for the run before, and each that succeeds leaves a number for the next, which adds 1."""
    fails_fast: bool = False
    """Whether a run that can't succeed any more stops."""
    due: int = 0
    """Seconds after its creation by which a run should have ended. 0 for no deadline."""
    lanes: bool = False
    """Whether there are several pools, and a param of the run names the one that its tasks claim."""
    shown: Task | None = None
    """The task of another run that sensors wait for."""
    rework: Rework | None = None
    """Runs that have ended go on, because of someone."""

    def without(self, trouble: Trouble) -> "Scenario":
        """The scenario with one trouble less."""
        return replace(self, troubles=tuple(item for item in self.troubles if item is not trouble))

    @property
    def calm(self) -> bool:
        """Whether nothing goes wrong but that users change runs, so that these changes take effect soon."""
        return all(trouble.kind in DURING_WRITES for trouble in self.troubles)

    @property
    def pool_kind(self) -> str:
        """A pool that another namespace shares is a ClusterPool."""
        return "ClusterPool" if self.neighbour else "Pool"

    def work(self, key: str) -> Task:
        """The task that a key is an execution of."""
        name = key.partition("[")[0]
        if name == TELL:
            return TELLER
        if self.shown and name == SHOWN:
            return self.shown
        return self.neighbour if self.neighbour and name == NEXT_DOOR else self.tasks[name]

    @property
    def pools(self) -> list[str]:
        """The names of the pools."""
        return [] if not self.pool else [f"p-{lane}" for lane in LANES] if self.lanes else ["p"]

    def pool_of(self, run: str) -> str:
        """The pool that the tasks of a run claim; another namespace shares the first one."""
        first = not self.lanes or run not in self.names or self.maker != "hand"
        return self.pools[0 if first else self.names.index(run) % len(self.pools)]

    @property
    def names(self) -> list[str]:
        """The expected runs."""
        if self.maker == "hand":
            return [f"r{at}" for at in range(self.runs)]
        if self.maker == "sensor":
            return [f"sensor-{occasion(json.dumps(str(at)))}" for at in range(self.runs)]
        return [f"{self.maker}-{tick.strftime('%Y%m%d-%H%M%S').removesuffix('00')}" for tick in self.ticks]

    @property
    def ticks(self) -> list[datetime]:
        """The ticks of a schedule's, or a backfill's runs."""
        step = -DAY if self.maker == "backfill" else EVERY
        return [datetime.fromtimestamp(EPOCH + step * (at + 1), UTC) for at in range(self.runs)]

    @property
    def objects(self) -> list[tuple[str, dict[str, Any]]]:
        """The objects that someone applies, by plural: the DAG, its pool, and what creates its runs."""
        plural = "clusterpools" if self.neighbour else "pools"
        found = [(plural, _object(self.pool_kind, name, {"slots": self.pool})) for name in self.pools]
        if self.shown:
            keeps = replace(self, kept=None)  # the sensors would look for a run that is gone
            found.append(("dags", _object("DAG", SHOWN, keeps._spec({SHOWN: self._body(self.shown)}))))
            found.append(("dagruns", _object("DAGRun", SHOWN, {"dag": SHOWN})))
        if self.neighbour:
            found.append(("dags", _next_door(_object("DAG", "d", self._spec({NEXT_DOOR: self._neighbour_body})))))
            found += [("dagruns", _next_door(_object("DAGRun", name, {"dag": "d"}))) for name in self.neighbours]
        for name, task in self.tasks.items():
            if task.does == "dag" and not self.local:
                found.append(("dags", _object("DAG", f"sub-{name}", self._spec({name: _retried(task.limit)}))))
        found.append(("dags", self.dag))
        if self.maker == "hand":
            for name in self.names:
                params = {"params": {"lane": self.pool_of(name).removeprefix("p-")}} if self.lanes else {}
                found.append(("dagruns", _object("DAGRun", name, {"dag": "d", **params})))
        elif self.maker == "schedule":
            schedule = {
                "every": f"{EVERY}s",
                "end": self.ticks[-1].isoformat(),
                "missed": {"policy": "All"},
                "concurrency": self.concurrency,
            }
            found.append(("triggers", _object("Trigger", "schedule", {"dag": "d", "schedule": schedule})))
        elif self.maker == "sensor":
            asked = {"url": THINGS, "timeout": "10s"}
            sensor = {"http": asked, "items": "body.things", "key": "item", "cursor": "body.last", "interval": "4s"}
            found.append(("triggers", _object("Trigger", "sensor", {"dag": "d", "sensor": sensor})))
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
            body: dict[str, Any] = {"dependsOn": list(task.above)}
            if task.does == "wait":
                body["wait"] = {"duration": f"{task.seconds:.0f}s"}
            elif task.does == "compute":
                body["compute"] = {"x": "1 / (run.attempt - run.attempt)" if task.fails else "1"}
            elif task.does == "dag":
                body |= {"dag": {"local" if self.local else "name": f"sub-{name}"}, **_retried(task.calls)}
            elif task.does == "approval":
                body["approval"] = {}
            elif task.does == "http":
                body |= {"http": {"url": _url(name, task), "method": "POST", "timeout": "2m"}, **_retried(task.limit)}
            elif task.does == "sensor":
                body["sensor"] = {"http": {"url": _url(name, task)}, "interval": "3s"}
                body["sensor"] |= {"timeout": "20s"} if task.fails else {}
            elif task.does == "watch":
                ends = "state in ['Succeeded', 'Skipped']"
                body["sensor"] = {
                    "run": {"dag": SHOWN, "task": SHOWN, "logicalDate": ""},
                    "until": ends,
                    "interval": "3s",
                }
            else:
                body |= self._body(task)
            if task.does in ("dag", "sensor"):
                body |= self._claim(task)
            if task.above:
                body["triggerRule"] = task.rule
            if task.skipped:
                body["when"] = "false"
            if task.quits:
                body["skipOn"] = (
                    "reason in ['SensorTimeout', 'Declined']" if task.soft else f"exitCode == {NOTHING_TO_DO}"
                )
            if task.follows:
                body["waitForPrevious"] = True
            if task.due:
                body["deadline"] = f"{task.due}s"
            if task.items:
                body["forEach"] = _items(task)
            tasks[name] = body
        if self.told:
            said = "$[[ item.task + ' ' + item.state + ' ' + string(item.attempts) ]]"
            tasks[TELL] = {"handles": {"of": ["*"], "ends": ["Failed", "Retry"]}, "env": {ITEM: said}, **_retried(0)}
        spec = self._spec(tasks)
        called = {name: task for name, task in self.tasks.items() if task.does == "dag" and self.local}
        if called:
            spec["dags"] = {f"sub-{name}": {"tasks": {name: _retried(task.limit)}} for name, task in called.items()}
        if self.chained:
            spec["waitForPrevious"] = True
            spec["keep"] = {KEPT: {"type": "integer", "initial": 0, "value": f"kept.{KEPT} + 1"}}
        if self.lanes:
            spec["params"] = {"lane": {"default": LANES[0]}}
        if self.fails_fast:
            spec["failFast"] = True
        if self.due:
            spec["deadline"] = f"{self.due}s"
        if self.parallelism:
            spec["parallelism"] = self.parallelism
        if self.at_once and self.maker != "backfill":
            spec["maxActiveRuns"] = self.at_once
        return _object("DAG", "d", spec)

    def _body(self, task: Task) -> dict[str, Any]:
        """A task that has pods."""
        body = {**_retried(task.limit, task.pause), **self._claim(task)}
        if task.items:
            body["forEach"] = _items(task)
            body["env"] = {ITEM: "$[[ item ]]"}
        return body

    @property
    def _neighbour_body(self) -> dict[str, Any]:
        assert self.neighbour
        return {**self._body(self.neighbour), **self._claim(self.neighbour, self.pools[0])}

    def _claim(self, task: Task, name: str = "") -> dict[str, Any]:
        name = name or ("p-$[[ params.lane ]]" if self.lanes else "p")
        return {"pools": [{"name": name, "kind": self.pool_kind, "slots": task.slots}]} if task.slots else {}

    def _spec(self, tasks: Mapping[str, Any]) -> dict[str, Any]:
        defaults = {"image": "x", "command": ["work"]}
        spec = {"podRetention": self.retention, "defaults": defaults, "tasks": tasks}
        if self.kept is not None:
            spec["history"] = {"succeeded": {"limit": self.kept}, "failed": {"limit": self.kept}}
        return spec

    def keys(self, name: str) -> list[str]:
        """The keys of a task's executions: itself, or its items."""
        items = self.tasks[name].items
        return [f"{name}[{at}]" for at in range(items)] if items else [name]


def _object(kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "tradewind.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def _next_door(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "metadata": {**body["metadata"], "namespace": NEXT_DOOR}}


def item_of(task: Task, index: int) -> str:
    """The item in a pod's variable."""
    return f"k{index}" if task.keyed else str(index)


def _items(task: Task) -> dict[str, Any]:
    if not task.keyed:
        return {"range": {"stop": task.items}, "failFast": False}
    entries = ", ".join(f"'{item_of(task, index)}': {index}" for index in reversed(range(task.items)))
    return {"items": f"$[[ {{{entries}}}.map(key, key) ]]", "failFast": False}


def _url(name: str, task: Task) -> str:
    return OUTSIDE.format(name=name, index="$[[ index ]]" if task.items else "-")


def _retried(limit: int, pause: int = 0) -> dict[str, Any]:
    delays = {"delays": [{"when": "exitCode == 1", "delay": f"{pause}s"}]} if pause else {}
    return {"retries": {"limit": limit, "infrastructureLimit": 100, "backoff": BACKOFF, **delays}}
