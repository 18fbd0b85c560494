"""Triggers with a schedule: every due tick gets its run."""

import hashlib
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any

import orjson

from tradewind import metrics
from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.triggers.calendars import Calendars
from tradewind.control.triggers.run_maker import Fired, TriggerSnapshot, run_name
from tradewind.control.triggers.source import DueRun, DueRuns, SourceResult
from tradewind.kube.client import Client
from tradewind.kube.errors import NotFound
from tradewind.kube.resources import RUNS, Key
from tradewind.model.duration import instant, stamp
from tradewind.model.schedule import Schedule
from tradewind.plan.triggers.calendar import Calendar, what_ticks
from tradewind.plan.triggers.due_ticks import LATE, Due, due, in_words, shift
from tradewind.plan.triggers.trigger import Firing, told

NEXT_TICKS_SHOWN = 5
"""Upcoming ticks that a status lists."""


class ScheduleSource:
    """The source `schedule`. `unfinished` returns the runs of a trigger that have not ended."""

    def __init__(
        self,
        client: Client,
        unfinished: Callable[[Key], list[Run]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._unfinished, self._clock = client, unfinished, clock
        self._calendars = Calendars(client, clock)

    async def look(self, trigger: TriggerSnapshot) -> DueRuns:
        """The ticks that are due."""
        schedule = trigger.spec.schedule
        assert schedule is not None  # noqa: S101 - the source of the trigger
        calendar = await self._calendars.of(trigger.namespace, schedule)
        digest = _digest(schedule)
        now = datetime.fromtimestamp(self._clock(), UTC)
        active = [run for run in self._unfinished(trigger.key) if _made(trigger, run)]
        decided = due(schedule, calendar, trigger.uid, self._up_to(trigger, digest, now), now, len(active))
        replaced: list[Run] = []
        if schedule.concurrency == "Replace" and decided.run:
            made = {
                run_name(trigger.name, suffix(tick)) for tick in decided.run
            }  # In case the last pass was interrupted.
            replaced = [run for run in active if not run.cancelled and run.name not in made]
        runs = [self._due_run(trigger, schedule, calendar, tick) for tick in decided.run]
        then = partial(self._result, trigger, calendar, digest, now, decided)
        return DueRuns(runs, then, paced=False, replaced=replaced)

    def _due_run(self, trigger: TriggerSnapshot, schedule: Schedule, calendar: Calendar, tick: datetime) -> DueRun:
        async def fires() -> Firing:
            return firing(trigger, calendar, tick)

        since = (tick + shift(schedule, trigger.uid, tick)).timestamp()
        late = self._clock() - since >= LATE.total_seconds()
        return DueRun(run_name(trigger.name, suffix(tick)), fires, since=None if late else since)

    async def _result(
        self,
        trigger: TriggerSnapshot,
        calendar: Calendar,
        digest: str,
        now: datetime,
        decided: Due,
        fired: Sequence[Fired],
    ) -> SourceResult:
        """Reports the ticks that were due, and those to come."""
        before, last, there = trigger.status.get("schedule") or {}, None, list[Run]()
        skipped = [*decided.skipped]
        for tick, made in zip(decided.run, fired, strict=True):
            if made.result == "failed":
                skipped.append((tick, made.error))
            elif made.result != "filtered":
                last = made
            if found := await self._there(trigger, made):
                there.append(found)
        metrics.occasions.labels("schedule", "skipped").inc(len(skipped))
        ticks = [
            told(calendar.local(tick)) for tick in islice(calendar.after(max(now, decided.up_to)), NEXT_TICKS_SHOWN)
        ]
        words = in_words(calendar, skipped)
        own = {
            "calendar": digest,
            "upTo": told(decided.up_to),
            "lastTick": told(calendar.local(decided.run[-1])) if decided.run else before.get("lastTick"),
            "nextTicks": ticks,
            "skipped": words or before.get("skipped", ""),
        }
        status: dict[str, Any] = {"schedule": own, "next": ticks[0] if ticks else None}
        if last:
            status["lastRun"] = {"name": last.name, "at": stamp(self._clock())}
        if decided.again is None:
            status |= {"phase": "Done", "message": "no ticks are left"}
        return SourceResult(status, decided.again.timestamp() if decided.again else None, there)

    async def _there(self, trigger: TriggerSnapshot, fired: Fired) -> Run | None:
        """The existing run of a tick, which may be new to the operator: the response to its creation was lost."""
        if fired.result != "duplicate":
            return None
        try:
            return read_run(await self._client.get(RUNS, trigger.namespace, fired.name))
        except NotFound:
            return None

    def forget(self, key: Key) -> None:
        """Does nothing: no state is kept by trigger."""

    def _up_to(self, trigger: TriggerSnapshot, digest: str, now: datetime) -> datetime:
        """The time up to which ticks were processed. Ticks before a trigger was made, while it was suspended, or before its calendar
        changed are ignored."""
        before = trigger.status.get("schedule") or {}
        if trigger.status.get("phase") == "Suspended" or (before and before.get("calendar") != digest):
            return now
        up_to = before.get("upTo")
        return datetime.fromtimestamp(instant(up_to) if up_to else trigger.created, UTC)


def firing(trigger: TriggerSnapshot, calendar: Calendar, tick: datetime) -> Firing:
    """The occasion of a tick."""
    start, end = calendar.interval(tick)
    schedule = trigger.spec.schedule
    return Firing(
        suffix=suffix(tick),
        how="schedule",
        at=calendar.local(tick),
        start=calendar.local(start),
        end=calendar.local(end),
        cause=f"Trigger {trigger.name}, tick {told(calendar.local(tick))}",
        queue=f"trigger-{trigger.name}" if schedule and schedule.concurrency == "Enqueue" else "",
    )


def _made(trigger: TriggerSnapshot, run: Run) -> bool:
    """Whether a run is that of a tick. Labels don't prove it: the creator of a run sets them."""
    tick = datetime.fromtimestamp(run.moment, UTC)
    return run.dag == trigger.spec.dag and run.name == run_name(trigger.name, suffix(tick))


def suffix(tick: datetime) -> str:
    """The end of the name of a tick's run: the time in UTC, with seconds if they are not zero."""
    return tick.astimezone(UTC).strftime("%Y%m%d-%H%M%S" if tick.second else "%Y%m%d-%H%M")


def _digest(schedule: Schedule) -> str:
    text = orjson.dumps(what_ticks(schedule), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()[:16]
