"""Which ticks of a schedule get a run now."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice, takewhile

from tradewind.model.duration import seconds
from tradewind.model.schedule import Schedule
from tradewind.plan.triggers.calendar import Calendar

LATE = timedelta(minutes=1)
"""A tick that is later than this was missed."""
DUE_TICKS_LIMIT = 1_000
"""Ticks that are considered, the latest ones: as many as `missed.limit` can be."""
Skipped = tuple[datetime, str]


@dataclass(slots=True)
class Due:
    """What to do about the ticks that are due. Times are in UTC."""

    up_to: datetime
    """Ticks up to here are processed once this is done."""
    run: list[datetime] = field(default_factory=list)
    """Those that get their run now, in order."""
    skipped: list[Skipped] = field(default_factory=list)
    """Those that get none, and why."""
    again: datetime | None = None
    """When to check again; None if no ticks are left."""


def due(schedule: Schedule, calendar: Calendar, key: str, up_to: datetime, now: datetime, active: int) -> Due:
    """What to do. Ticks up to `up_to` have been processed, `active` is the number of the trigger's runs that have not
    ended, `key` makes the jitter of triggers differ."""
    decided = Due(up_to)
    found = list(islice(takewhile(lambda tick: tick > up_to, calendar.before(now)), DUE_TICKS_LIMIT + 1))
    if len(found) > DUE_TICKS_LIMIT:
        decided.skipped.append((found.pop(), f"and all earlier ones: at most {DUE_TICKS_LIMIT} are considered"))
    ready: list[tuple[datetime, timedelta]] = []
    """Ticks and how late they are."""
    for tick in reversed(found):
        at = tick + shift(schedule, key, tick)
        if at > now:
            decided.again = at  # later ticks follow it, whatever their own jitter
            break
        ready.append((tick, now - at))
    if ready:
        decided.up_to = ready[-1][0]
    _apply_concurrency(schedule, _wanted(schedule, ready, decided), active, decided)
    if decided.again is None:
        following = next(calendar.after(max(now, up_to)), None)
        decided.again = following + shift(schedule, key, following) if following else None
    return decided


def shift(schedule: Schedule, key: str, tick: datetime) -> timedelta:
    """How much later than the tick its run starts: the jitter, which is always the same for one tick."""
    if not schedule.jitter:
        return timedelta()
    number = int.from_bytes(hashlib.sha256(f"{key}/{tick.isoformat()}".encode()).digest()[:8])
    return timedelta(seconds=seconds(schedule.jitter) * number / 2**64)


def _wanted(schedule: Schedule, ready: list[tuple[datetime, timedelta]], decided: Due) -> list[datetime]:
    """The ready ticks that are not too late."""
    deadline = timedelta(seconds=seconds(schedule.starting_deadline)) if schedule.starting_deadline else timedelta.max
    missed = [tick for tick, late in ready if LATE < late <= deadline]
    on_time = [tick for tick, late in ready if late <= LATE and late <= deadline]
    match schedule.missed.policy:
        case "All":
            kept = missed[-schedule.missed.limit :]
        case "Last":
            kept = [] if on_time else missed[-1:]
        case "None":
            kept = []
    wanted = {*kept, *on_time}
    for tick, late in ready:
        if late > deadline:
            decided.skipped.append((tick, f"later than startingDeadline, {schedule.starting_deadline}"))
        elif tick not in wanted:
            decided.skipped.append((tick, f"missed (missed.policy: {schedule.missed.policy})"))
    return sorted(wanted)


def _apply_concurrency(schedule: Schedule, wanted: list[datetime], active: int, decided: Due) -> None:
    """Divides the ticks into those that get their run and those that don't because of runs that have not ended."""
    policy = schedule.concurrency
    if policy in ("Allow", "Enqueue"):
        decided.run = wanted
        return
    if policy == "Replace":
        decided.run, gone = wanted[-1:], wanted[:-1]
        why = "the tick after it takes its place"
    else:
        first = 0 if active else 1
        decided.run, gone = wanted[:first], wanted[first:]
        why = "the run before it had not ended"
    decided.skipped += [(tick, f"{why} (concurrency: {policy})") for tick in gone]


def in_words(calendar: Calendar, skipped: list[Skipped]) -> str:
    """What happened to ticks that got no run."""
    by_reason: dict[str, list[datetime]] = {}
    for tick, why in skipped:
        by_reason.setdefault(why, []).append(tick)
    lines = []
    for why, ticks in by_reason.items():
        first, last = (calendar.local(tick).isoformat() for tick in (min(ticks), max(ticks)))
        what = f"tick {last}" if len(ticks) == 1 else f"{len(ticks)} ticks from {first} to {last}"
        lines.append(f"{what} got no run: {why}")
    return "; ".join(lines)[:1_024]
