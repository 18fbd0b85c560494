"""What the operator holds in memory of one run. All of it can be made again from the API server."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import orjson

from tradewind.control.dagrun.attempt_log import Packed, decode
from tradewind.control.dagrun.run import Run
from tradewind.control.egress.policy import USUAL, EgressPolicy
from tradewind.control.pods.labels import consistent, owned
from tradewind.control.pods.observation import Alive, Ended, observe, unit_of
from tradewind.kube.log_fields import extra
from tradewind.kube.pod import Metadata, Pod
from tradewind.model.bounded import checked
from tradewind.model.duration import seconds
from tradewind.plan.dags.definition import Definition
from tradewind.plan.outcomes.attempt import CANCELLED, Attempt, Fixed, parse_key
from tradewind.plan.outcomes.state import State
from tradewind.plan.runs.decision import GATED, Hold, Live, Stop
from tradewind.plan.runs.outputs import OUTPUTS_LIMIT
from tradewind.plan.runs.planner import Planner

log = logging.getLogger(__name__)
Key = tuple[str, int]
"""A task or item, and the number of an attempt."""

Line = tuple[Definition, str | None] | None
"""A run's concurrency key, and the definition that gave it."""


@dataclass(slots=True)
class Blocked:
    """A pod that the API server would not take for now. `until` is monotonic seconds."""

    until: float
    hold: Hold


@dataclass(slots=True)
class View:
    """A run, what its status says has ended, and what this process knows beyond that."""

    run: Run
    planner: Planner | None = None
    """The planner, once the run is bound to a revision."""
    recorded: set[Key] = field(default_factory=set)
    """Ended attempts that are in the run's status."""
    ended: dict[str, list[Attempt]] = field(default_factory=dict)
    """Attempts that have ended, by task or item, in order; in the status or not."""
    cleared: dict[str, int] = field(default_factory=dict)
    """By task or item, the last attempt that doesn't count any more."""
    fixed: dict[str, Fixed] = field(default_factory=dict)
    """How tasks and items have ended, whatever their attempts say."""
    news: dict[Key, Ended] = field(default_factory=dict)
    """Ended attempts that are not in the status yet."""
    pods: dict[Key, Pod] = field(default_factory=dict)
    """Pods of attempts that are not in the status, live or ended."""
    lingering: dict[str, Pod] = field(default_factory=dict)
    """Pods by name whose attempt is recorded and that still run something: sidecars of a container that has ended."""
    outlived: set[Key] = field(default_factory=set)
    """Attempts that still run although they, or later ones, are known to have ended, as after a status was set back. None starts beside."""
    settled: set[str] = field(default_factory=set)
    """Names of pods that are gone and recorded."""
    changed: set[str] = field(default_factory=set)
    """Names of pods that changed since the last pass."""
    blocked: dict[str, Blocked] = field(default_factory=dict)
    """Tasks and items whose pods the API server would not take."""
    quota: Blocked | None = None
    """A quota that is used up: nothing of this run starts for a while."""
    stopped: dict[str, Stop] = field(default_factory=dict)
    """Pods (by uid) that we deleted, and why."""
    first_seen: dict[str, float] = field(default_factory=dict)
    """When (monotonic seconds) a pod (by uid) was first seen."""
    ungated: dict[str, float | None] = field(default_factory=dict)
    """When (the same) the last scheduling gate of a pod was seen to be gone; None before. Of pods that had one."""
    saving: tuple[Packed, list[Key]] | None = None
    """The attempts of a status that is on its way to the API server, and which of them are news."""
    ready: dict[str, int] = field(default_factory=dict)
    """When (epoch seconds) the last dependency of a task ended, once all have. It is the same for all items of a fan-out."""
    told: set[str] = field(default_factory=set)
    """Tasks and items that failed without an attempt, and of which the status has said so."""
    planning: bool = False
    """Whether the planner is at work, which can pause: the run, and what is known of it, stays as it is until then."""
    incoming: Run | None = None
    """What the watch has told of the run meanwhile."""
    admitted: bool = False
    """Whether it is about to begin, and counts as active."""
    stale: bool = False
    """A list did not have it: it has to be asked for."""
    broken: int = 0
    """Passes in a row that failed for what the run is."""
    outputs_size: int = 0
    saved_at: float = float("-inf")
    save_took: float = 0.0
    """How long (seconds) the last write of the status took, its wait for a place included."""
    line: Line = None
    """Which runs it waits with, as far as that has been worked out."""
    woken_at: float | None = None
    """When (perf_counter) the first event came that this pass reacts to."""

    def __post_init__(self) -> None:
        self._read_status()

    def update(self, run: Run, pods: Iterable[str] = ()) -> bool:
        """Takes a newer version of the run; False for an older one. `pods` are the names of all its pods, to be looked at again when
        what is known has to be made anew. Raises ValueError for a status that can't be read."""
        if run.uid == self.run.uid and run.version < self.run.version:
            return False
        if self.saving and run.packed == self.saving[0]:
            self._saved(self.saving[1])
            self.saving = None
            self.run = run
            return True
        before, self.run = self.run, run
        known = before.packed == run.packed
        unsaid = before.cancelled and before.desired != run.desired
        asked = before.budgets != run.budgets or unsaid
        if not known or asked or before.status.get("revision") != run.status.get("revision"):
            self.planner = self.saving = None  # What was news is told anew, if it is news still.
            self._read_status()
            self.changed.update(pods)
        elif self.planner:
            self._desire(self.planner)
        return True

    def _desire(self, planner: Planner) -> None:
        planner.suspended = self.run.desired == "Suspended"
        if self.run.cancelled:
            planner.cancel(terminate=self.run.desired == "Terminated")

    def _saved(self, news: Iterable[Key]) -> None:
        """The status says now what was news."""
        for item in news:
            self.recorded.add(item)
            self.news.pop(item, None)
            pod = self.pods.pop(item, None)
            if pod is not None:
                self._after(pod)

    def bind(
        self,
        definition: Definition,
        pods: Iterable[str],
        now: float,
        elapsed: float,
        light: EgressPolicy = USUAL,
    ) -> Planner:
        """The planner of the run, told all that is known. `now` is monotonic seconds, `elapsed` the seconds since the run began; `light`
        is what the operator may do without a pod."""
        if self.planner is None:
            run, timeout = self.run, definition.spec.timeout
            self.planner = Planner(
                definition,
                run.facts,
                rounds=run.budgets,
                began=now if run.reopened else now - elapsed,
                timeout=seconds(timeout) if timeout else None,
                podless=definition.podless(light.reads(run.namespace), light.requests),
            )
            self._desire(self.planner)
            for name, number in self.cleared.items():
                self.planner.tell_cleared(name, number)
            for name, fixed in self.fixed.items():
                self.planner.tell_fixed(name, fixed.state, fixed.why)
            for name, outputs in (run.status.get("outputs") or {}).items():
                self.planner.tell_outputs(name, outputs)
            for name in self.ended:
                self.planner.tell_ended(name, self._counting(name), now)
            self.changed.update(pods)
        return self.planner

    def _counting(self, name: str) -> list[Attempt]:
        """The attempts of a task or item that count."""
        after, attempts = self.cleared.get(name), self.ended.get(name, [])
        return attempts if after is None else [attempt for attempt in attempts if attempt.number > after]

    def absorb(self, pods: Mapping[str, Pod], now: float) -> None:
        """Looks at the pods that changed, and tells the planner. `now` is monotonic seconds."""
        planner = self.planner
        assert planner is not None  # noqa: S101 - the caller has bound it
        while self.changed:
            name = self.changed.pop()
            pod = pods.get(name)
            if pod is not None and (pod.metadata.uid in self.first_seen or belongs(pod.metadata, self.run)):
                self._look_safely(planner, pod, now)

    def _look_safely(self, planner: Planner, pod: Pod, now: float) -> None:
        """What a pod says that nobody expected ends its attempt, and not the pass."""
        try:
            self._look(planner, pod, now)
        except Exception as error:
            name, number = unit_of(pod)
            about = extra(**self.run.fields, task=name)
            log.exception("pod %s/%s of run %s", self.run.namespace, pod.metadata.name, self.run.name, extra=about)
            if pod.over and not {(name, number)} & (self.recorded | self.news.keys()):
                at = (
                    int(pod.metadata.creation_timestamp.timestamp())
                    if pod.metadata.creation_timestamp
                    else self.run.created
                )
                words = f"the operator can't take what the pod says ({type(error).__name__}: {error})"
                self._end(planner, Ended(Attempt(name, number, at, at, "OutputInvalid"), words[:1_024]), now)

    def finish(self, end: Ended, now: float) -> None:
        """Takes note of the end of an attempt that has no pod, unless another operator has done so."""
        assert self.planner is not None  # noqa: S101 - it was planned
        attempt = end.attempt
        if (attempt.task, attempt.number) not in self.recorded:
            self._end(self.planner, self._within_limit(end), now)
        elif (live := self.planner.live(attempt.task)) and live.number == attempt.number:
            self.planner.tell_live(attempt.task, None)

    def ready_at(self, planner: Planner, attempt: Attempt) -> int | None:
        """When (epoch seconds) the last dependency of a first attempt ended; None where that is not plain."""
        name = parse_key(attempt.task)[0]
        task = planner.definition.tasks[name]
        dependencies = planner.definition.graph.upstream[name]
        if attempt.number != 1 or not dependencies or (task.for_each and task.for_each.items_of):
            return None
        if name not in self.ready:
            ends = [self._ended_at(planner, other) for other in dependencies]
            if None in ends:
                return None
            self.ready[name] = max(end for end in ends if end is not None)
        return self.ready[name]

    def ends(self) -> list[tuple[Key, Ended]]:
        """What is news, in the order of a status. Within a second, which is all that API timestamps tell, as their ends were seen."""
        return sorted(self.news.items(), key=lambda item: (item[1].attempt.end, item[1].attempt.start))

    def _ended_at(self, planner: Planner, task: str) -> int | None:
        """When the last attempt of a task, or of its items, ended; None when one has none."""
        ends = [self.ended[unit.key][-1].end for unit in planner.members(task) if unit.key in self.ended]
        return max(ends) if ends and len(ends) == len(planner.members(task)) else None

    def _read_status(self) -> None:
        status = self.run.status
        for name in ("outputs", "params"):
            if not isinstance(status.get(name) or {}, Mapping):
                raise ValueError(f"status.{name} has to be an object")
        attempts, self.cleared, self.fixed = decode(self.run.packed, self.run.created)
        self.recorded = {(attempt.task, attempt.number) for attempt in attempts}
        self.ended = {}
        for attempt in attempts:
            self.ended.setdefault(attempt.task, []).append(attempt)
        for numbered in self.ended.values():
            numbered.sort(key=lambda attempt: attempt.number)
        self.news, self.outlived = {}, set()
        self.told = {item["task"] for item in status.get("failures") or [] if not item["attempt"]}
        outputs = checked(status.get("outputs") or {}, name="status.outputs")
        checked(status.get("params") or {}, name="status.params")
        self.outputs_size = sum(len(orjson.dumps(value)) for value in outputs.values())

    def _look(self, planner: Planner, pod: Pod, now: float) -> None:
        name, number = unit_of(pod)
        task, _ = parse_key(name)
        if task not in planner.definition.tasks or not number:
            return
        if pod.over and (name, number) in self.recorded:
            self.outlived.discard((name, number))
            self._after(pod)
            return
        uid = pod.metadata.uid
        stop = self.stopped.get(uid)
        seen = observe(
            pod,
            stop.reason if stop else _cancelled(pod, self.run),
            stop.why if stop else "",
            planner.definition.tasks[task].outputs,
        )
        last = self.ended.get(name)
        if isinstance(seen, Alive) and last and last[-1].number >= number:
            self.outlived.add((name, number))
        else:
            self.outlived.discard((name, number))
        if (name, number) in self.recorded:
            self._after(pod)
            return
        self.pods[name, number] = pod
        if isinstance(seen, Ended):
            if (name, number) not in self.news:
                self._end(planner, self._within_limit(seen), now)
            return
        if (name, number) in self.outlived:
            return
        since = self.first_seen.setdefault(uid, now)
        if seen.reason == GATED:
            self.ungated[uid] = None
        elif uid in self.ungated and self.ungated[uid] is None:
            self.ungated[uid] = now
        planner.tell_live(name, _live(seen, pod, since, self.ungated.get(uid) or since))

    def _end(self, planner: Planner, end: Ended, now: float) -> None:
        attempt = end.attempt
        self.news[attempt.task, attempt.number] = end
        attempts = self.ended.setdefault(attempt.task, [])
        attempts.append(attempt)
        attempts.sort(key=lambda item: item.number)
        # Pods of a loop can be seen in any order: the last iteration that succeeded counts.
        later = any(item.succeeded and item.number > attempt.number for item in attempts)
        if attempt.succeeded and not later and (end.outputs or attempt.task in planner.outputs):
            planner.tell_outputs(attempt.task, end.outputs)
        planner.tell_ended(attempt.task, self._counting(attempt.task), now)
        live = planner.live(attempt.task)
        if live is None or live.number <= attempt.number:
            if live and live.number < attempt.number and (attempt.task, live.number) in self.pods:
                self.outlived.add((attempt.task, live.number))
            planner.tell_live(attempt.task, None)

    def _within_limit(self, end: Ended) -> Ended:
        """The end of an attempt; a failure when its outputs are more than the run can hold."""
        if not end.outputs:
            return end
        size = len(orjson.dumps(end.outputs))
        if self.planner and (before := self.planner.outputs.get(end.attempt.task)):
            size -= len(orjson.dumps(before))  # Those of the iteration before go.
        if self.outputs_size + size <= OUTPUTS_LIMIT:
            self.outputs_size += size
            return end
        attempt = end.attempt
        words = (
            f"with these outputs the run would hold more than {OUTPUTS_LIMIT // 1024} KiB of them: write big results to a volume or an "
            "object store and put only their path, size and checksum into $TRADEWIND_OUTPUTS"
        )
        failed = Attempt(attempt.task, attempt.number, attempt.start, attempt.end, "OutputTooLarge", None, attempt.node)
        return Ended(failed, words)

    def _after(self, pod: Pod) -> None:
        """A pod whose attempt is recorded: it is watched only until nothing of it runs."""
        name, uid = pod.metadata.name, pod.metadata.uid
        self.first_seen.pop(uid, None)
        self.ungated.pop(uid, None)
        self.lingering.pop(name, None)
        if pod.gone:
            self.settled.add(name)
            self.stopped.pop(uid, None)
        elif pod.lingers() and pod.metadata.deletion_timestamp is None:
            self.lingering[name] = pod


def _live(alive: Alive, pod: Pod, since: float, pending_since: float) -> Live:
    created = pod.metadata.creation_timestamp
    return Live(
        alive.number,
        None if alive.started else pending_since,
        alive.stopping,
        alive.reason,
        alive.message,
        since,
        int(created.timestamp()) if created else 0,
    )


def belongs(meta: Metadata, run: Run) -> bool:
    """Whether a pod is one of the run's attempts. One that is not what it says is left alone, until the run finds it by its name."""
    return meta.namespace == run.namespace and owned(meta, run.uid) and consistent(meta, run.name, run.uid)


def _cancelled(pod: Pod, run: Run) -> str:
    return CANCELLED if run.cancelled and (pod.gone or pod.metadata.deletion_timestamp) else ""


def picture(run: Run, definition: Definition, pods: Mapping[str, Pod]) -> View:
    """A run as it stands, for people: a view with everything absorbed, whose planner has decided."""
    view = View(run)
    planner = view.bind(definition, pods, 0.0, 0.0)
    view.absorb(pods, 0.0)
    planner.decide(0.0)
    if not run.final and run.desired != "Suspended":
        _assume(planner, run)
        planner.decide(0.0)
    return view


def _assume(planner: Planner, run: Run) -> None:
    """What the operator does without a pod only the operator knows; a task that could start is taken to have been started."""
    told = {item["task"]: item for item in run.status.get("waiting") or []}
    for unit in planner.units.values():
        if unit.state is State.READY and unit.task in planner.podless:
            said = told.get(unit.key, {})
            planner.tell_live(unit.key, Live(unit.next, reason=said.get("reason", ""), message=said.get("message", "")))
