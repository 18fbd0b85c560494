"""Reports about runs: Kubernetes Events, and metrics of ended runs and attempts."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tradewind import metrics
from tradewind.control.dagrun import deadlines, status
from tradewind.control.dagrun.run import Run
from tradewind.control.pods.observation import Ended, unit_of
from tradewind.control.shared.event_recorder import EventRecorder
from tradewind.kube.pod import Pod
from tradewind.model import duration
from tradewind.model.run import FINAL_PHASES, Edit
from tradewind.plan.documents.problem import Problem, summary
from tradewind.plan.outcomes.attempt import SKIPS, STOPPED
from tradewind.plan.runs.decision import GATED, RunFacts


class RunReporter:
    """Posts Events about runs."""

    def __init__(self, events: EventRecorder) -> None:
        self._events = events

    def report_phase(self, run: Run, before: str) -> None:
        """A run has changed its phase from `before`, which is empty for a new run."""
        if (
            run.phase == "Running" and before
        ):  # No Event for a new run that has begun: that is expected, and its status says so.
            self._event(run, "RunStarted", f"started with revision {run.status.get('revision')}", key=str(run.rounds))
        elif run.phase == "Queued":
            self._event(run, "RunQueued", str(run.status.get("message")), warning=True)
        if run.phase in FINAL_PHASES:
            words = str(run.status.get("message"))
            self._event(run, f"Run{run.phase}", words, warning=run.phase == "Failed", key=str(run.rounds))
            began, over = run.began, run.status.get("finishedAt")
            if began and over:
                metrics.run_duration.labels(run.phase).observe(duration.between(began, over))

    def report_attempt(self, run: Run, end: Ended, pod: Pod | None, ready: int | None) -> None:
        """An attempt has ended. `pod` is its pod, if it had one; `ready` is when (epoch seconds) the last dependency of a first attempt
        ended."""
        attempt = end.attempt
        _observe_latency(end, pod, ready)
        metrics.task_duration.labels(attempt.reason or "Succeeded").observe(attempt.end - attempt.start)
        if attempt.reason and attempt.reason not in SKIPS and attempt.reason not in STOPPED:
            words = f"{attempt.task}, attempt {attempt.number}: {attempt.reason}: {end.message}"
            self._event(run, "TaskFailed", words, warning=True, key=f"{attempt.task}/{attempt.number}")

    def report_failures(self, run: Run, failures: Iterable[Mapping[str, Any]]) -> None:
        """Tasks have failed without an attempt."""
        for item in failures:
            words = f"{item['task']}: {item['reason']}: {item['message']}"
            self._event(run, "TaskFailed", words, warning=True, key=f"{item['task']}/0")

    def report_unproduced(self, run: Run, failures: Iterable[Mapping[str, Any]]) -> None:
        """Updates of assets can't be recorded. Those in the status of `run` are not repeated."""
        before = {(item["task"], item.get("message")) for item in run.status.get("failures") or []}
        for item in failures:
            if item["reason"] == status.ASSET_ERROR and (failure := (item["task"], item["message"])) not in before:
                words = f"{item['task'] or 'the run'}: {item['message']}"
                self._event(run, status.ASSET_ERROR, words, warning=True, key="/".join(failure))

    def report_waiting(self, run: Run, items: Iterable[Mapping[str, Any]]) -> None:
        """Tasks wait for something that a person may have to fix. Those in the status of `run` are not repeated."""
        before = {(item["task"], item["reason"]) for item in run.status.get("waiting") or []}
        for item in items:
            if (item["task"], item["reason"]) not in before and item["reason"] not in (
                "BackOff",
                "Parallelism",
                "PoolFull",
                GATED,
                "Wait",
                "Sensor",
                "Suspended",
            ):
                key = f"{item['task']}/{item['reason']}"
                self._event(run, "TaskWaiting", f"{item['task']}: {item['message']}", warning=True, key=key)

    def report_late(self, run: Run, words: str) -> None:
        """Deadlines of a run or its tasks are missed."""
        self._event(run, deadlines.MISSED, words, warning=True, key=words)

    def report_edits(self, run: Run, edits: Sequence[Edit], problems: Sequence[Problem]) -> None:
        """Edits of the run were processed."""
        for at, edit in enumerate(edits, run.edited):
            self._event(run, "RunEdited", status.edit_text(edit), key=f"edit/{at}")
        if problems:
            self._event(run, "EditRefused", summary(problems), warning=True, key=f"refused/{run.edited}")

    def report_dag_deleted(self, run: Run) -> None:
        """The DAG of an active run was deleted."""
        words = f"DAG {run.dag} was deleted; this run continues with revision {run.status.get('revision')}"
        self._event(run, "DAGDeleted", words, warning=True)

    def report_not_own(self, caller: RunFacts, name: str, why: str) -> None:
        """A run falsely claims to be a task of another one."""
        words = f"run {name} claims to be a task of this run, but {why}: another run is created"
        self._events.post(
            "DAGRun", caller.namespace, caller.name, caller.uid, "RunNotOwn", words, warning=True, key=name
        )

    def report_stays_ended(self, run: Run) -> None:
        """A retry or an edit of a run has no effect."""
        of = run.caller.run if run.caller else ""
        words = f"it stays ended: run {of} has cleared the task that made it; work on run {of}"
        self._event(run, "RunNotReopened", words, warning=True)

    def report_stranger(self, run: Run, pod: Pod) -> None:
        """A pod claims to be an attempt of a task that has no pods."""
        task = unit_of(pod)[0]
        words = f"pod {pod.metadata.name} claims to be an attempt of task {task}, which needs no pod: it is ignored; find out who created it"
        self._event(run, "PodNotOwn", words, warning=True, key=pod.metadata.uid)

    def report_unreadable(self, run: Run, error: ValueError) -> None:
        """The status of a run can't be read."""
        self._event(run, "StatusUnreadable", f"{error}; the run is left alone", warning=True)

    def _event(self, run: Run, reason: str, message: str, *, warning: bool = False, key: str = "") -> None:
        self._events.post("DAGRun", run.namespace, run.name, run.uid, reason, message, warning=warning, key=key)


def _observe_latency(end: Ended, pod: Pod | None, ready: int | None) -> None:
    """Records the delays of an attempt before its container ran, from API timestamps (resolution 1 s). Attempts that never started are
    skipped."""
    main = pod.main() if pod else None
    terminated = main.terminated if main else None
    if pod is None or terminated is None or terminated.started_at is None or pod.metadata.creation_timestamp is None:
        return
    started = terminated.started_at.timestamp()
    scheduled = pod.condition("PodScheduled")
    if scheduled and scheduled.last_transition_time:
        at = scheduled.last_transition_time.timestamp()
        metrics.CREATED_TO_SCHEDULED.observe(max(0.0, at - pod.metadata.creation_timestamp.timestamp()))
        metrics.SCHEDULED_TO_STARTED.observe(max(0.0, started - at))
    if ready is not None:
        metrics.DEPENDENCY_TO_STARTED.observe(max(0.0, started - ready))
