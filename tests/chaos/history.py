"""What really happened: containers that ran, and every stored version, in order."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import dropwhile
from typing import Any

from tradewind.control.dagrun.attempt_log import Packed, decode
from tradewind.control.dagrun.run import read_run
from tradewind.kube.client import Object
from tradewind.kube.labels import HOW, ITEM, RUN, RUN_UID, TASK
from tradewind.local.apiserver.store import ObjectStore
from tradewind.model.run import FINAL_PHASES
from tradewind.plan.outcomes.attempt import Attempt, key

RUNS = "tradewind.dev/dagruns"
PODS = "/pods"
APPROVALS = "tradewind.dev/approvals"
SERVER = "outside"
"""The node of executions outside of the cluster."""


@dataclass
class Execution:
    """A container from its start to its end, whatever the API server knows of it."""

    run: str
    run_uid: str
    key: str
    attempt: int
    pod: str
    uid: str
    node: str
    started: float
    ended: float | None = None
    code: int | None = None
    """Exit code of a container that ended by itself; None for one that was killed or still runs. 0 or 1 for a request."""

    item: str = ""
    """The item that its pod was told, for an item of a fan-out."""
    forced: bool = False
    """Its pod was removed by force: nobody can know that it is alive."""

    @property
    def asked(self) -> bool:
        """Whether it is a request to a server and not a container."""
        return self.node == SERVER

    def over(self, other: "Execution") -> bool:
        """Whether both were alive at the same time."""
        late = float("inf")
        return self.started < (other.ended or late) and other.started < (self.ended or late)


@dataclass(frozen=True)
class Caller:
    """The task or item of another run that a run is an attempt of."""

    name: str
    """The run's own name."""
    run: str
    uid: str
    key: str


def question(approval: Object) -> tuple[str, str]:
    """The uid of the run that an approval belongs to, and the task or item."""
    return approval["metadata"]["ownerReferences"][0]["uid"], approval["spec"]["task"]


def attempts(run: Object) -> list[Attempt]:
    """The attempts that a run's status reports."""
    return decode(Packed.of(run.get("status") or {}), read_run(run).created).attempts


@dataclass(frozen=True)
class Write:
    """One change of a stored object; `body` is None for a deletion."""

    at: float
    kind: str
    name: str
    body: Object | None


@dataclass
class History:
    """Written by the nodes and by the store, read by the checker."""

    executions: list[Execution] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)
    """Operators that ended by themselves."""
    touched: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By name of a pod or a run, what others did to it."""
    desired: defaultdict[str, list[tuple[float, str]]] = field(default_factory=lambda: defaultdict(list))
    """By uid of a run, the desired states that someone gave it, and when."""
    faults: list[str] = field(default_factory=list)
    """Kinds of faults that took effect."""
    reworked: dict[str, float] = field(default_factory=dict)
    """By uid of a run that had ended, when someone retried it or cleared a task of it."""
    asked: list[tuple[float, str, str]] = field(default_factory=list)
    """Approvals that were requested: when, by the run with which uid, for which task or item."""
    decided: list[tuple[float, str, str]] = field(default_factory=list)
    """Approvals that someone gave or refused, in the same form."""
    callers: dict[str, Caller] = field(default_factory=dict)
    """By uid of a sub-DAG run, the task that it belongs to."""

    def record(self, store: ObjectStore, now: Callable[[], float]) -> None:
        """Records every change of runs and pods from here on."""
        put, remove = store.put, store.remove

        def noted(kind: str, body: Object, gone: bool) -> None:
            if kind in (RUNS, PODS):
                self.writes.append(Write(now(), kind, body["metadata"]["name"], None if gone else body))
            if kind == RUNS:
                self._called(body["metadata"])

        def recorded_put(kind: str, body: Object) -> Object:
            if kind == APPROVALS and store.get(kind, "default", body["metadata"]["name"]) is None:
                self.asked.append((now(), *question(body)))
            stored = put(kind, body)
            noted(kind, stored, False)
            return stored

        def recorded_remove(kind: str, body: Object) -> Object:
            noted(kind, body, True)
            return remove(kind, body)

        store.put, store.remove = recorded_put, recorded_remove  # type: ignore[method-assign]

    @property
    def deleted(self) -> set[str]:
        """Runs that someone deleted."""
        return {name for name, how in self.touched.items() if "deleted" in how}

    def of(self, run: str) -> Mapping[str, list[Execution]]:
        """A run's executions, by task or item. Those of its sub-DAG runs count for the calling task."""
        found: defaultdict[str, list[Execution]] = defaultdict(list)
        for execution in map(self.whose, self.executions):
            if execution.run == run:
                found[execution.key].append(execution)
        return found

    def _called(self, meta: Mapping[str, Any]) -> None:
        labels = meta.get("labels") or {}
        if labels.get(HOW) == "parent":
            unit = key(labels[TASK], int(labels[ITEM]) if ITEM in labels else None)
            self.callers[meta["uid"]] = Caller(meta["name"], labels[RUN], labels[RUN_UID], unit)

    def whose(self, execution: Execution) -> Execution:
        """An execution in a sub-DAG run, as one of the calling task; others unchanged."""
        if caller := self.callers.get(execution.run_uid):
            return replace(execution, run=caller.run, run_uid=caller.uid, key=caller.key)
        return execution

    @property
    def killed(self) -> bool:
        """Whether an operator died."""
        return any(fault.startswith("operator killed") for fault in self.faults)

    @property
    def cut_off(self) -> bool:
        """Whether one of two operators may have heard nothing while the other continued, and acted late on an earlier
        decision. A Lease rules that out."""
        faults = set(self.faults)
        return "two leaders" in faults and not faults.isdisjoint({"API server out of reach", "silent watches"})

    @property
    def repeating(self) -> bool:
        """Whether a request may be sent again under the same number: what an operator had heard died with it, or
        another one did not hear it."""
        rolled_back = any("rolled back" in how for how in self.touched.values())
        return rolled_back or self.killed or "two leaders" in self.faults

    @property
    def misled(self) -> bool:
        """Whether an operator may have started with old lists. API servers give clients that start the newest."""
        return "stale lists" in self.faults and self.killed

    def last(self, run: str) -> Object | None:
        """A run as it was last seen, even if it is gone."""
        bodies = (write.body for write in reversed(self.writes) if write.kind == RUNS and write.name == run)
        return next((body for body in bodies if body is not None), None)

    def until(self, run: str) -> float | None:
        """When a run ended for the last time; infinity if it never did, None if there was none."""
        found: float | None = None
        for at, status in self.statuses(run):
            if status.get("phase") not in FINAL_PHASES:
                found = float("inf")
            elif found in (None, float("inf")):
                found = at
        return found

    def uids(self, run: str) -> set[str]:
        """The uids of all runs of this name."""
        return {
            write.body["metadata"]["uid"]
            for write in self.writes
            if write.kind == RUNS and write.name == run and write.body
        }

    def lives(self, run: str, uid: str) -> list[list[Any]]:
        """The phases of a run until someone worked on it after its end, and from when it went on."""
        on, statuses = self.reworked.get(uid, float("inf")), self.statuses(run, uid)
        before = [status.get("phase") for at, status in statuses if at < on]
        after = [status.get("phase") for at, status in statuses if at >= on]
        return [before, list(dropwhile(lambda phase: phase in FINAL_PHASES, after))]

    def statuses(self, run: str, uid: str = "") -> list[tuple[float, Mapping[str, Any]]]:
        """Every status that a run had, and when it was stored; with a uid, only those of that run."""
        return [
            (write.at, write.body.get("status") or {})
            for write in self.writes
            if write.kind == RUNS
            and write.name == run
            and write.body is not None
            and uid in ("", write.body["metadata"]["uid"])
        ]

    def digest(self) -> str:
        """A digest, equal for equal histories."""
        lines = [f"{item.key} {item.attempt} {item.started:.6f} {item.ended} {item.code}" for item in self.executions]
        lines += [f"{item.at:.6f} {item.kind} {item.name} {item.body is None}" for item in self.writes]
        return "\n".join(lines)
