"""Where the time of a task before and between its attempts went, by cause."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.state import RunState, belongs
from tradewind.control.pods.labels import attempt_of
from tradewind.kube.pod import Pod
from tradewind.look.waiting.reason import Cause, Wait
from tradewind.look.waiting.task_waits import began_at
from tradewind.plan.outcomes.attempt import AttemptKey
from tradewind.plan.runs.critical_path import Trail
from tradewind.plan.runs.unit import Unit

OTHER = "other"
"""Time between the end of the last dependency and the creation of a pod, of which nobody has recorded a cause."""
CAUSES = (*(str(cause) for cause in Cause if cause is not Cause.RUNNING), OTHER)


@dataclass(frozen=True, slots=True)
class Segment:
    """A time of waiting, in seconds."""

    cause: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Segments:
    """The waits of a task or item. `since` is since when (epoch seconds) it has waited for the cause of `last`, which is
    empty if it does not wait now."""

    before: tuple[tuple[Segment, ...], ...]
    """By attempt: what came before it."""
    last: str = ""
    since: float | None = None


class Waits:
    """The waits of a run's tasks."""

    def __init__(self, view: RunState, pods: Mapping[str, Pod]) -> None:
        assert view.planner is not None  # noqa: S101 - the picture of a run that has begun
        self._began = began_at(view.run)
        self._trail = Trail(view.planner.definition, view.attempts.ended, view.planner.ledger.states)
        self._pods: Mapping[AttemptKey, Pod] = by_attempt(view.run, pods)

    def of(self, unit: Unit, wait: Wait | None) -> Segments:
        """The waits of a unit; `wait` is what it waits for now, if it does."""
        before: list[tuple[Segment, ...]] = []
        end: int | None = None
        for attempt in unit.ended:
            pod = self._pods.get((unit.key, attempt.number))
            if end is None:
                before.append(tuple(self._first_wait(unit, attempt.start, pod)))
            else:
                before.append(tuple(_between(end, attempt.start, pod)))
            end = attempt.end
        if wait is None:
            return Segments(tuple(before))
        free = self._free(unit) if end is None else end
        if unit.live is not None and wait.cause is Cause.RUNNING:
            pod = self._pods.get((unit.key, unit.live.number))
            start = int(wait.since or free)
            found = self._first_wait(unit, start, pod) if end is None else _between(end, start, pod)
            return Segments((*before, tuple(found)))
        now: list[Segment] = []
        since = wait.since if wait.since is not None else float(self._began)
        if end is None and wait.cause is not Cause.DEPENDENCIES:
            now += _long(Cause.DEPENDENCIES, free - self._began)
            now += _long(OTHER, int(since) - free)
        elif end is not None:
            now += _long(Cause.BACK_OFF if wait.cause is not Cause.BACK_OFF else OTHER, int(since) - end)
        return Segments((*before, tuple(now)), str(wait.cause), since)

    def _free(self, unit: Unit) -> int:
        before = self._trail.before(unit.key)
        return self._began if before is None else max(self._began, self._trail.end(before))

    def _first_wait(self, unit: Unit, start: int, pod: Pod | None) -> Iterator[Segment]:
        free = min(self._free(unit), start)
        yield from _long(Cause.DEPENDENCIES, free - self._began)
        yield from _until(OTHER, free, start, pod)


def _between(end: int, start: int, pod: Pod | None) -> Iterator[Segment]:
    yield from _until(Cause.BACK_OFF, end, start, pod)


def _until(cause: str, at: int, start: int, pod: Pod | None) -> Iterator[Segment]:
    """The time from `at` to a start: for `cause` until the pod was created, then for a node, then for the image."""
    created, placed = _times(pod)
    created = start if created is None else min(max(at, created), start)
    placed = created if placed is None else min(max(created, placed), start)
    yield from _long(cause, created - at)
    if pod is not None:
        yield from _long(Cause.SCHEDULING, placed - created)
        yield from _long(Cause.IMAGE, start - placed)


def _times(pod: Pod | None) -> tuple[int | None, int | None]:
    """When a pod was created, and when it got its node."""
    if pod is None or pod.metadata.creation_timestamp is None:
        return None, None
    created = int(pod.metadata.creation_timestamp.timestamp())
    scheduled = pod.condition("PodScheduled")
    at = scheduled.last_transition_time if scheduled and scheduled.status == "True" else None
    return created, int(at.timestamp()) if at else None


def _long(cause: str, seconds: int) -> Iterator[Segment]:
    if seconds > 0:
        yield Segment(str(cause), seconds)


def by_attempt(run: Run, pods: Mapping[str, Pod]) -> dict[AttemptKey, Pod]:
    """The run's own pods, by the attempt that they are."""
    return {attempt_of(pod.metadata.labels): pod for pod in pods.values() if belongs(pod.metadata, run)}
