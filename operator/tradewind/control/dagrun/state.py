"""What the operator holds in memory for one run. All of it can be rebuilt from the API server."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from tradewind.control.dagrun.attempts import Attempts
from tradewind.control.dagrun.run import Run
from tradewind.control.egress.policy import USUAL, EgressPolicy
from tradewind.control.pods.labels import consistent, owned
from tradewind.control.pods.observation import Ended, unit_of
from tradewind.control.pods.tracker import PodTracker
from tradewind.kube.log_fields import extra
from tradewind.kube.pod import Metadata, Pod
from tradewind.model.duration import seconds
from tradewind.plan import pacing
from tradewind.plan.cel.error import ExpressionError
from tradewind.plan.dags.definition import Definition
from tradewind.plan.outcomes.attempt import FAILURES, SKIPPED_ITSELF, SUPERSEDED, Attempt, parse_key
from tradewind.plan.outcomes.state import State
from tradewind.plan.runs.decision import MEMORY, PREVIOUS, Live
from tradewind.plan.runs.planner import Planner

log = logging.getLogger(__name__)
STATUS_LIST_LIMIT = 20
"""Number of failures and waiting tasks that a status lists."""


class RunState:
    """A run as last seen, its planner, its attempts and its pods. Raises ValueError for a status that can't be read."""

    def __init__(self, run: Run, since: float = float("inf")) -> None:
        self.run = run
        self.since = since
        """When the run came into memory, as a time of the event loop."""
        self.planner: Planner | None = None
        """The planner, once the run is bound to a revision."""
        self.attempts = Attempts(run)
        self.pods = PodTracker()
        self.stale = bool(run.status.get("revision"))
        """Whether the run must be read from the API server first: a run that was not followed from its beginning may come from an old event
        or list and have ended since, with its pods gone; or a list lacked it."""
        self._incoming: list[Run] | None = None
        """Versions of the run that the watch brings while the planner works, the newest last; None otherwise."""

    def doubt(self) -> None:
        """Marks the run as stale after a list that lacked it."""
        self.stale = True

    def confirm(self) -> None:
        """Marks the run as fresh after it was read from the API server."""
        self.stale = False

    @contextmanager
    def at_work(self, newer: list[Run]) -> Iterator[None]:
        """While the planner works, and may pause, the run and its state stay as they are. Newer versions are added to `newer`, the newest
        last."""
        self._incoming = newer
        try:
            yield
        finally:
            self._incoming = None

    def defer(self, run: Run) -> bool:
        """Whether the planner is at work. If so, keeps this version of the run for later."""
        if self._incoming is None:
            return False
        if not self._incoming or self._incoming[-1].version < run.version:
            self._incoming.append(run)
        return True

    def update(self, run: Run, pods: Iterable[str] = ()) -> bool:
        """Takes a newer version of the run; returns False for an older one. `pods` are the names of all its pods, which are observed again
        if the state has to be rebuilt. Raises ValueError for a status that can't be read."""
        if run.uid == self.run.uid and run.version < self.run.version:
            return False
        before, self.run = self.run, run
        saved = self.attempts.confirm_saved(run)
        self.pods.drop_recorded(saved or ())
        # A version with the attempts that this operator is writing may be another's: users change the spec meanwhile.
        logged = saved is None and before.packed != run.packed
        unsaid = before.cancelled and before.desired != run.desired
        asked = before.status.get("retried") != run.status.get("retried") or unsaid
        if logged or asked or before.status.get("revision") != run.status.get("revision"):
            self.planner = None
            self.attempts.read(run)
            self.pods.start_over(pods)
        elif self.planner:
            self._desire(self.planner)
        return True

    def _desire(self, planner: Planner) -> None:
        planner.suspend(self.run.desired == "Suspended")
        if self.run.cancelled:
            planner.cancel(terminate=self.run.desired == "Terminated")

    def bind(
        self,
        definition: Definition,
        pods: Iterable[str],
        now: float,
        elapsed: float,
        egress: EgressPolicy = USUAL,
    ) -> Planner:
        """The planner of the run, created with all known facts on the first call. `now` is monotonic seconds, `elapsed` the seconds since
        the run began; `egress` limits what the operator does without a pod."""
        if self.planner is None:
            run, attempts, timeout = self.run, self.attempts, definition.spec.timeout
            self.planner = Planner(
                definition,
                run.facts,
                began=now if run.reopened else now - elapsed,
                timeout=seconds(timeout) if timeout else None,
                podless=definition.podless(egress.reads(run.namespace), egress.requests),
            )
            self._desire(self.planner)
            for name, number in attempts.cleared.items():
                self.planner.tell_cleared(name, number)
            for name, number in attempts.retried.items():
                self.planner.tell_retried(name, number)
            for name, fixed in attempts.fixed.items():
                self.planner.tell_fixed(name, fixed.state, fixed.why)
            for name, outputs in (run.status.get("outputs") or {}).items():
                self.planner.tell_outputs(name, outputs)
            for name in attempts.ended:
                self.planner.tell_ended(name, attempts.counting(name), now)
            self.pods.note(*pods)
        return self.planner

    def absorb(self, pods: Mapping[str, Pod], now: float) -> None:
        """Observes the pods that changed and informs the planner. `now` is monotonic seconds."""
        planner = self.planner
        assert planner is not None  # noqa: S101 - the caller has bound it
        while name := self.pods.take_changed():
            pod = pods.get(name)
            if pod is not None and (self.pods.seen_before(pod) or belongs(pod.metadata, self.run)):
                if self._counts(planner, pod):
                    self._look_safely(planner, pod, now)
                else:
                    self.pods.early.add(name)
        # What comes before these attempts may be observed only now, or never: anyone can forge a pod.
        while self.pods.early:
            planner.settle(now)
            early = {name: pod for name in self.pods.early if (pod := pods.get(name))}
            due = [name for name, pod in early.items() if self._counts(planner, pod)]
            self.pods.early = set(early) - set(due)
            if not due:
                return
            for name in due:
                self._look_safely(planner, early[name], now)

    def _counts(self, planner: Planner, pod: Pod) -> bool:
        """Whether a pod can be an attempt that the operator started. A pod of a task without pods is noted as a stranger."""
        name, number = key = unit_of(pod)
        task = planner.definition.tasks.get(parse_key(name)[0])
        if task is None or not number or key in self.attempts.recorded or key in self.attempts.news:
            return True
        if (
            task.podless and not task.http
        ):  # A request may have been sent by a pod before the operator's options changed.
            self.pods.note_stranger(pod)
            return False
        return planner.may_have_started(name, number)

    def _look_safely(self, planner: Planner, pod: Pod, now: float) -> None:
        """Observes a pod. An unexpected error ends the attempt instead of the pass."""
        try:
            self._look(planner, pod, now)
        except Exception as error:
            name, number = unit_of(pod)
            about = extra(**self.run.fields, task=name)
            log.exception("pod %s/%s of run %s", self.run.namespace, pod.metadata.name, self.run.name, extra=about)
            if pod.over and not self.attempts.known((name, number)):
                at = (
                    int(pod.metadata.creation_timestamp.timestamp())
                    if pod.metadata.creation_timestamp
                    else self.run.created
                )
                words = f"the operator can't process the pod's status ({type(error).__name__}: {error})"
                self._end(planner, Ended(Attempt(name, number, at, at, "OutputInvalid"), words[:1_024]), now)

    def _look(self, planner: Planner, pod: Pod, now: float) -> None:
        name, number = key = unit_of(pod)
        task = planner.definition.tasks.get(parse_key(name)[0])
        if task is None or not number:
            return
        recorded, last = key in self.attempts.recorded, self.attempts.last(name)
        match self.pods.look(key, pod, task.outputs, self.run.cancelled, recorded, last, now):
            case Ended() as end:
                if key not in self.attempts.news:
                    self._end(planner, end, now)
            case Live() as live:
                planner.tell_live(name, live)

    def finish(self, end: Ended, now: float) -> None:
        """Records the end of an attempt without a pod, unless another operator has recorded it."""
        assert self.planner is not None  # noqa: S101 - it was planned
        attempt = end.attempt
        if (attempt.task, attempt.number) not in self.attempts.recorded:
            self._end(self.planner, end, now)
        elif (live := self.planner.live(attempt.task)) and live.number == attempt.number:
            self.planner.tell_live(attempt.task, None)

    def _end(self, planner: Planner, end: Ended, now: float) -> None:
        end = self._judge(planner, end)
        end = self.attempts.end(end, planner.ledger.outputs.get(end.attempt.task))
        attempt = end.attempt
        counts = not self.attempts.superseded(attempt)
        if counts and (end.outputs or (attempt.succeeded and attempt.task in planner.ledger.outputs)):
            planner.tell_outputs(attempt.task, end.outputs)
        planner.tell_ended(attempt.task, self.attempts.counting(attempt.task), now)
        live = planner.live(attempt.task)
        if live is None or live.number <= attempt.number:
            if live and live.number < attempt.number:
                self.pods.outlive((attempt.task, live.number))
            planner.tell_live(attempt.task, None)

    def _judge(self, planner: Planner, end: Ended) -> Ended:
        """An end after its task's skipOn. A failed attempt of a loop leaves no outputs: `previous` is the last successful iteration."""
        attempt = end.attempt
        task = planner.definition.tasks[parse_key(attempt.task)[0]]
        if attempt.succeeded and attempt.number <= self.attempts.cleared.get(attempt.task, 0):
            return Ended(replace(attempt, reason=SUPERSEDED))  # The task was cleared while it ran.
        if task.skip_on and (attempt.succeeded or attempt.reason in FAILURES):
            done = sum(ended.succeeded for ended in self.attempts.counting(attempt.task))
            try:
                if planner.ledger.skips(attempt, end.outputs, done):
                    return Ended(replace(attempt, reason=SKIPPED_ITSELF))
            except ExpressionError as error:
                if attempt.succeeded:  # What has failed stays what it is, and may be retried.
                    return Ended(replace(attempt, reason="ExpressionError"), f"skipOn: {error}")
        return end if attempt.succeeded or not task.loop else replace(end, outputs={})


def belongs(meta: Metadata, run: Run) -> bool:
    """Whether a pod is one of the run's attempts. A pod with inconsistent labels is left alone until the run finds it by name."""
    return meta.namespace == run.namespace and owned(meta, run.uid) and consistent(meta, run.name, run.uid)


def picture(run: Run, definition: Definition, pods: Mapping[str, Pod]) -> RunState:
    """The current state of a run for display: all pods observed, and one decision of the planner made."""
    state = RunState(run)
    pacing.pause()
    planner = state.bind(definition, pods, 0.0, 0.0)
    pacing.pause()
    state.absorb(pods, 0.0)
    planner.decide(0.0)
    if tasks := planner.asks_previous():
        _assume_previous(planner, run, tasks)
        planner.decide(0.0)
    if not run.final and run.desired != "Suspended":
        _assume(planner, run)
        planner.decide(0.0)
    return state


def _assume_previous(planner: Planner, run: Run, tasks: Iterable[str]) -> None:
    """Assumes that tasks wait for the run before as the status says, if it lists all that waits."""
    listed = run.status.get("waiting") or []
    told = {parse_key(item["task"])[0]: item.get("message", "") for item in listed if item.get("reason") == PREVIOUS}
    for task in tasks:
        if task in told or len(listed) < STATUS_LIST_LIMIT:
            planner.tell_previous(task, told.get(task, ""))


def _assume(planner: Planner, run: Run) -> None:
    """Assumes that ready tasks without a pod have started: only the operator knows what it does for them."""
    waiting = {item["task"]: item for item in run.status.get("waiting") or []}
    for unit in planner.ledger.units.values():
        if unit.state is State.READY and unit.task in planner.podless:
            item = waiting.get(unit.key, {})
            if planner.definition.tasks[unit.task].pools and item.get("reason", "Pool").startswith("Pool"):
                continue  # It waits for slots, as the status says of it, or of another that claims the same.
            if item.get("reason") == MEMORY:
                continue
            planner.tell_live(unit.key, Live(unit.next, reason=item.get("reason", ""), message=item.get("message", "")))
