"""What each task of a run waits for now: the planner's state, and the operator's messages for what only it knows."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.state import RunState
from tradewind.control.podless.work import ASKED, DELETED
from tradewind.kube.pod import Pod
from tradewind.look.waiting.blocked_on import blocked
from tradewind.look.waiting.reason import SUSPENDED, Cause, Wait
from tradewind.look.waiting.stopping import stopping
from tradewind.plan import pacing
from tradewind.plan.outcomes.state import FINAL, State
from tradewind.plan.runs.critical_path import Trail
from tradewind.plan.runs.decision import IN_ORDER, PREVIOUS, Live
from tradewind.plan.runs.unit import CONFIG_REASONS, Unit


def waits(view: RunState, now: float) -> Iterator[Wait]:
    """The waits of an active run's tasks and items that have not ended. `now` is epoch seconds."""
    planner = view.planner
    assert planner is not None  # noqa: S101 - the picture of a run that has begun
    look = _Look(view, now)
    for task in pacing.each(planner.definition.graph.order):
        group = planner.ledger.groups.get(task)
        if group and group.units is None and group.state not in FINAL:
            yield Wait(task, Cause.DEPENDENCIES, "Blocked", blocked(planner, task, None))
        for unit in pacing.each(planner.ledger.members(task)):
            if unit.state not in FINAL:
                yield look.unit(unit)


class _Look:
    def __init__(self, view: RunState, now: float) -> None:
        planner = view.planner
        assert planner is not None  # noqa: S101 - as above
        self.view, self.planner, self.now = view, planner, now
        self.plan = planner.decide(0.0)
        self.place = {start.key: place for place, start in enumerate(self.plan.starts)}
        self.told: dict[str, Mapping[str, Any]] = {}
        self.pools: dict[Any, Mapping[str, Any]] = {}
        """The operator's message about one task's pools applies to all tasks that name the same pools."""
        self.quota: Mapping[str, Any] | None = None
        for item in view.run.status.get("waiting") or []:
            self.told[item["task"]] = item
            unit = planner.ledger.units.get(item["task"])
            if item["reason"].startswith("Pool") and unit is not None:
                self.pools[self._claims(unit)] = item
            if item["reason"] == "QuotaExceeded":
                self.quota = item
        self.lanes = {
            self._lane(planner.ledger.units[hold.task]): hold.message
            for hold in self.plan.holds
            if hold.reason == "Parallelism" and hold.task in planner.ledger.units
        }

    def unit(self, unit: Unit) -> Wait:
        hold = self.planner.holds.get(unit.key)
        if unit.state is State.BLOCKED and hold and hold.reason == PREVIOUS:
            return Wait(unit.key, Cause.DEPENDENCIES, hold.reason, hold.message, self._free_since(unit))
        if unit.state is State.BLOCKED:
            return Wait(unit.key, Cause.DEPENDENCIES, "Blocked", blocked(self.planner, unit.task, unit.index))
        if unit.live is not None:
            pod = self.view.pods.unsaved.get((unit.key, unit.live.number))
            return self._podless(unit, unit.live) if pod is None else _of_pod(unit, pod, self.now)
        return self._again(unit) if unit.ended else self._ready(unit, self._free_since(unit))

    def _podless(self, unit: Unit, live: Live) -> Wait:
        cause = Cause.PERSON if live.reason in (ASKED, DELETED) else Cause.RUNNING
        return Wait(unit.key, cause, live.reason or "Running", live.message, self._free_since(unit))

    def _again(self, unit: Unit) -> Wait:
        """The wait for a retry. The operator decides by its own clock; the time shown is by this machine's."""
        last = unit.ended[-1]
        due = last.end + (unit.spent.wait or 0.0)
        hold = self.planner.holds.get(unit.key)
        if hold and (self.now < due or self.told.get(unit.key, {}).get("reason") == hold.reason):
            return Wait(unit.key, Cause.BACK_OFF, hold.reason, hold.message, last.end, due)
        return self._ready(unit, due)

    def _ready(self, unit: Unit, since: float) -> Wait:
        """The wait of a unit whose next attempt could start: the operator's message about it, else about one like it."""
        own = self.told.get(unit.key)
        if own is not None and own["reason"] in (ASKED, DELETED):
            return Wait(unit.key, Cause.PERSON, str(own["reason"]), str(own.get("message") or ""), since)
        if self.view.run.desired == SUSPENDED and own is not None and own["reason"] in IN_ORDER:
            return Wait(unit.key, Cause.RUNNING, str(own["reason"]), str(own.get("message") or ""), since)
        if self.view.run.desired == SUSPENDED:
            words = f"the run is suspended: `tradewind resume run/{self.view.run.name}`"
            return Wait(unit.key, Cause.PERSON, SUSPENDED, words, since)
        said = (
            own
            if own is not None and own["reason"] not in ("BackOff", "Loop")
            else self.quota or self.pools.get(self._claims(unit))
        )
        if said is not None:
            reason = str(said["reason"])
            return Wait(unit.key, _cause(reason), reason, str(said.get("message") or ""), since)
        place = self.place.get(unit.key)
        message = self.lanes.get(self._lane(unit)) if place is None else None
        if message is None and self.plan.room is not None and (place or 0) >= self.plan.room:
            message = f"the run's parallelism is {self.planner.definition.spec.parallelism}"
        if message is not None:
            return Wait(unit.key, Cause.PARALLELISM, "Parallelism", message, since)
        task = self.planner.definition.tasks[unit.task]
        words = "ready: the operator is to " + ("start it" if task.podless else "make its pod")
        return Wait(unit.key, Cause.OPERATOR, "Ready", words, since)

    @cached_property
    def trail(self) -> Trail:
        return Trail(self.planner.definition, self.view.attempts.ended, self.planner.ledger.states)

    def _free_since(self, unit: Unit) -> float:
        """When a unit without attempts became ready: at the end of the dependency that it waited for, or at the run's
        start."""
        before = self.trail.before(unit.key)
        began = began_at(self.view.run)
        return began if before is None else max(began, self.trail.end(before))

    def _claims(self, unit: Unit) -> tuple[Any, ...]:
        return self.planner.ledger.pools(unit.task)

    def _lane(self, unit: Unit) -> tuple[Any, ...]:
        return (unit.task if unit.index is not None else "", self._claims(unit))


def _cause(reason: str) -> Cause:
    """The cause for a reason that the operator gives."""
    if reason == "Parallelism":
        return Cause.PARALLELISM
    if reason == SUSPENDED:
        return Cause.PERSON
    return Cause.POOL if reason.startswith("Pool") else Cause.QUOTA


def began_at(run: Run) -> int:
    """When the run began (epoch seconds)."""
    began = run.status.get("startedAt")
    return int(datetime.fromisoformat(began).timestamp()) if began else run.created


def _of_pod(unit: Unit, pod: Pod, now: float) -> Wait:
    live = unit.live
    assert live is not None  # noqa: S101 - the caller has looked
    created = pod.metadata.creation_timestamp
    since = created.timestamp() if created else None
    main = pod.main()
    began = main.running.started_at if main and main.running else None
    if (main and main.running) or live.stopping:
        return Wait(unit.key, Cause.RUNNING, "Running", stopping(pod, now), began.timestamp() if began else since)
    scheduled = pod.condition("PodScheduled")
    if not pod.spec.node_name or (scheduled and scheduled.status == "False"):
        words = live.message or "no node was chosen for its pod yet"
        return Wait(unit.key, Cause.SCHEDULING, live.reason or "NotScheduled", words, since)
    if scheduled and scheduled.last_transition_time:
        since = scheduled.last_transition_time.timestamp()
    reason = live.reason or (main.waiting.reason if main and main.waiting else "") or "ContainerCreating"
    words = live.message or f"on node {pod.spec.node_name}: its image is pulled, or its container made"
    return Wait(unit.key, Cause.CONFIG if reason in CONFIG_REASONS else Cause.IMAGE, reason, words, since)
