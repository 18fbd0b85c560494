"""What the operator holds in memory of one run. All of it can be made again from the API server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tradewind.control.observe import Alive, Ended, number, observe
from tradewind.control.status import decode
from tradewind.kube.pod import TASK, Pod
from tradewind.model.run import FINAL_PHASES
from tradewind.plan.attempt import CANCELLED, Attempt
from tradewind.plan.planner import Facts, Hold, Live, State, Stop


@dataclass(frozen=True, slots=True)
class Run:
    """A DAGRun as last seen."""

    name: str
    namespace: str
    uid: str
    version: int
    generation: int
    created: int
    """Epoch seconds of its creation, on the API server's clock."""
    deleting: bool
    dag: str
    params: Mapping[str, Any]
    cancelled: bool
    status: Mapping[str, Any]

    @property
    def phase(self) -> str:
        """Its phase; empty before the operator has seen it."""
        return str(self.status.get("phase") or "")

    @property
    def final(self) -> bool:
        """Whether it has ended."""
        return self.phase in FINAL_PHASES


def read_run(body: Mapping[str, Any]) -> Run:
    """A run from a watch event or an answer. The API server has checked it against the CRD."""
    meta, spec = body["metadata"], body.get("spec") or {}
    return Run(
        name=meta["name"],
        namespace=meta["namespace"],
        uid=meta["uid"],
        version=int(meta["resourceVersion"]),
        generation=int(meta.get("generation") or 0),
        created=int(datetime.fromisoformat(meta["creationTimestamp"]).timestamp()),
        deleting="deletionTimestamp" in meta,
        dag=spec.get("dag", ""),
        params=spec.get("params") or {},
        cancelled=spec.get("desiredState") == "Cancelled",
        status=body.get("status") or {},
    )


@dataclass(slots=True)
class Blocked:
    """A pod that the API server would not take for now. `until` is monotonic seconds."""

    until: float
    hold: Hold


@dataclass(slots=True)
class View:
    """A run, what its status says has ended, and what this process knows beyond that."""

    run: Run
    recorded: list[Attempt] = field(default_factory=list)
    """Ended attempts in the run's status."""
    refused: dict[tuple[str, int], Ended] = field(default_factory=dict)
    """Attempts that never became a pod and are not in the status yet."""
    blocked: dict[str, Blocked] = field(default_factory=dict)
    stopped: dict[str, Stop] = field(default_factory=dict)
    """Pods (by uid) that we deleted, and why."""
    pending_since: dict[str, float] = field(default_factory=dict)
    ended_seen: dict[tuple[str, int], float] = field(default_factory=dict)
    states: Mapping[str, State] = field(default_factory=dict)
    """Where its tasks stood in the last pass."""
    saved_at: float = float("-inf")
    woken_at: float | None = None
    """When (perf_counter) the first event came that this pass reacts to."""

    def update(self, run: Run) -> bool:
        """Takes a newer version of the run; False for an older one. Raises ValueError for a status that can't be read."""
        if run.uid == self.run.uid and run.version < self.run.version:
            return False
        status = run.status
        self.recorded = decode(str(status.get("attempts") or ""), status.get("nodes") or [], run.created)
        self.run = run
        for attempt in self.recorded:
            self.refused.pop((attempt.task, attempt.number), None)
        return True


@dataclass(slots=True)
class Observed:
    """The facts for the planner, and what in them is not in the status yet."""

    facts: Facts
    news: list[Ended]
    pods: dict[tuple[str, int], Pod]
    lingering: list[Pod]
    """Pods of recorded attempts that still run something: sidecars of a container that has ended."""
    settled: list[Pod]
    """Pods that are gone and recorded."""


def gather(view: View, pods: Mapping[str, Pod], tasks: Mapping[str, Any], now: float) -> Observed:
    """Status and pods, put together. `now` is monotonic seconds."""
    recorded = {(attempt.task, attempt.number) for attempt in view.recorded}
    ended: dict[str, list[Attempt]] = {}
    for attempt in view.recorded:
        ended.setdefault(attempt.task, []).append(attempt)
    observed = Observed(Facts(ended, {}, {}, view.run.cancelled), [], {}, [], [])
    live: dict[str, Live] = {}
    news: dict[tuple[str, int], Ended] = {}
    for pod in pods.values():
        task, attempt_number = pod.metadata.labels.get(TASK, ""), number(pod)
        key = (task, attempt_number)
        if task not in tasks or not attempt_number or not _owned(pod, view.run.uid):
            continue
        observed.pods[key] = pod
        if key in recorded:
            if pod.gone:
                observed.settled.append(pod)
            elif pod.lingers() and pod.metadata.deletion_timestamp is None:
                observed.lingering.append(pod)
            continue
        stop = view.stopped.get(pod.metadata.uid)
        seen = observe(pod, stop.reason if stop else _cancelled(pod, view.run), stop.why if stop else "")
        if isinstance(seen, Ended):
            news[key] = seen
        elif task not in live or live[task].number < attempt_number:
            live[task] = _live(view, pod, seen, now)
    news.update(view.refused)
    for key, end in sorted(news.items(), key=lambda item: (item[1].attempt.end, item[0])):
        ended.setdefault(key[0], []).append(end.attempt)
        observed.news.append(end)
    seen_at = {}
    for task, attempts in ended.items():
        attempts.sort(key=lambda attempt: attempt.number)
        seen_at[task] = view.ended_seen.setdefault((task, attempts[-1].number), now)
    observed.facts = Facts(ended, live, seen_at, view.run.cancelled)
    return observed


def _live(view: View, pod: Pod, alive: Alive, now: float) -> Live:
    since = None if alive.started else view.pending_since.setdefault(pod.metadata.uid, now)
    return Live(alive.number, since, alive.stopping, alive.reason, alive.message)


def _cancelled(pod: Pod, run: Run) -> str:
    return CANCELLED if run.cancelled and (pod.gone or pod.metadata.deletion_timestamp) else ""


def _owned(pod: Pod, uid: str) -> bool:
    return any(owner.uid == uid for owner in pod.metadata.owner_references)


def outputs_of(status: Mapping[str, Any], news: Sequence[Ended]) -> dict[str, dict[str, Any]]:
    """Outputs by task: those in the status and those that are news."""
    return {**(status.get("outputs") or {}), **{end.attempt.task: end.outputs for end in news if end.outputs}}
