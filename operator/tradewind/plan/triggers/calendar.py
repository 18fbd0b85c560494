"""The ticks of a schedule. They are in UTC, in whole seconds: Python can't order two times of one zone that repeats an
hour."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from itertools import count, dropwhile, takewhile
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from tradewind.model.duration import absent_day, check_year, seconds
from tradewind.model.schedule import Schedule
from tradewind.plan.documents.problem import Invalid, Problem
from tradewind.plan.pacing import pause
from tradewind.plan.triggers.excluded_days import WEEKDAYS, Days, read_days, united

T = TypeVar("T")
ROOT = "spec.schedule"
_UTC: tzinfo = UTC
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
FIELDS = (
    ("seconds", 0, 59, ""),
    ("minutes", 0, 59, ""),
    ("hours", 0, 23, ""),
    ("days of the month", 1, 31, ", L or LW"),
    ("months", 1, 12, " or JAN-DEC"),
    ("weekdays", 0, 7, " or SUN-SAT"),
)
"""The fields of a cron expression: their names, bounds and other values."""
NEAR = timedelta(hours=3)
"""Clocks change by less than this at the start and the end of daylight saving."""
FIRST, LAST = date(1969, 12, 1), date(9001, 1, 31)
"""There are no ticks before or after these days."""
DAY = timedelta(days=1)
"""Ticks that are further apart than this are complete where clocks change."""
INSTANT = timedelta(microseconds=1)
FRUITLESS = 4_000
"""Excluded days that are skipped in the search for a tick, about ten years."""


class Calendar:
    """The ticks of a schedule. `calendars` are the days of ConfigMaps, by the index of the exclusion that names one.
    Raises Invalid for an invalid schedule."""

    def __init__(self, schedule: Schedule, calendars: Mapping[int, Days] | None = None) -> None:
        self._problems = list[Problem]()
        self._barren, self._pace = (EPOCH, EPOCH), 0.0
        self.zone: tzinfo = self._try("timeZone", lambda: zone_of(schedule.time_zone), _UTC)
        self._cron = self._try("cron", lambda: cron_of(schedule.cron), "") if schedule.cron else ""
        every = schedule.every or ""
        self._step = self._try("every", lambda: step_of(every), 0) if every else 0
        self._first, self._last = self._moment("start", schedule.start), self._moment("end", schedule.end, end_of)
        dates = (self._moment(f"dates[{index}]", text) for index, text in enumerate(schedule.dates))
        self._dates = sorted({moment for moment in dates if moment})
        excluded: list[Days] = []
        for index, exclusion in enumerate(schedule.exclude):
            excluded.append(Days(weekdays=frozenset(map(WEEKDAYS.index, exclusion.weekdays))))
            for at, text in enumerate(exclusion.days):
                days = self._try(f"exclude[{index}].days[{at}]", lambda text=text: read_days(text), Days())  # type: ignore[misc]
                excluded.append(days)
            excluded.append((calendars or {}).get(index, Days()))
        self._excluded = united(excluded)
        if self._first and self._last and self._last < self._first:
            self._problems.append(Problem(f"{ROOT}.end", f"{schedule.end} is before the start", "swap them"))
        if self._problems:
            raise Invalid(self._problems)

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The ticks after a moment, in order."""
        if self._first and moment < self._first:
            moment = self._first - timedelta(seconds=1)
        last = self._last
        ticks = self._unbounded(moment)
        return ticks if last is None else takewhile(lambda tick: tick <= last, ticks)

    def before(self, moment: datetime) -> Iterator[datetime]:
        """The ticks at or before a moment, latest first."""
        if self._last and moment > self._last:
            moment = self._last
        first = self._first
        ticks = self._unbounded(moment.replace(microsecond=0) + timedelta(seconds=1), back=True)
        return ticks if first is None else takewhile(lambda tick: tick >= first, ticks)

    def interval(self, tick: datetime) -> tuple[datetime, datetime]:
        """The data interval of a tick: from the previous tick, whatever `start` is, to itself. Empty if there is no
        previous one."""
        return next(self._unbounded(tick, back=True), tick), tick

    def local(self, tick: datetime) -> datetime:
        """A tick in the schedule's time zone."""
        return tick.astimezone(self.zone)

    def _unbounded(self, moment: datetime, back: bool = False) -> Iterator[datetime]:
        """The ticks after a moment, or backwards before it, regardless of `start` and `end`."""
        moment = begin = moment.astimezone(UTC)
        left, fruitless = FRUITLESS, True
        while left > 0:
            pause()
            left, moment = self._over_barren(left, moment, back)
            for tick in self._all(moment, back):
                day = self.local(tick).date()
                if not FIRST < day < LAST:
                    return
                if day in self._excluded:
                    break
                fruitless = False
                yield tick
            else:
                return
            # On to the end of the day: it can have thousands of ticks.
            edge = datetime.combine(day if back else day + timedelta(days=1), time(), self.zone).astimezone(UTC)
            moment = min(edge, tick) if back else max(edge - timedelta(seconds=1), tick)
            left -= 1
        if fruitless:
            self._remember(*((moment - INSTANT, begin - INSTANT) if back else (begin, moment)))

    def _over_barren(self, left: int, moment: datetime, back: bool) -> tuple[int, datetime]:
        """Moves a search over time in which there is no tick, and counts its days as searched."""
        low, high = self._barren
        if not low <= moment <= high:
            return left, moment
        there = min(moment, low + timedelta(seconds=1)) if back else high
        return left - int(self._pace * abs(there - moment).total_seconds()), there

    def _remember(self, low: datetime, high: datetime) -> None:
        """Records that there is no tick after `low` and up to `high`: the search takes long, and every run of a schedule makes it."""
        self._pace = FRUITLESS / max((high - low).total_seconds(), 1.0)
        if low <= self._barren[1] and self._barren[0] <= high:
            low, high = min(low, self._barren[0]), max(high, self._barren[1])
        self._barren = low, high

    def _all(self, moment: datetime, back: bool) -> Iterator[datetime]:
        if self._cron:
            return self._by_cron(moment, back)
        if self._step:
            return self._by_step(moment, back)
        if back:
            return dropwhile(lambda tick: tick >= moment, reversed(self._dates))
        return dropwhile(lambda tick: tick <= moment, self._dates)

    def _by_cron(self, edge: datetime, back: bool) -> Iterator[datetime]:
        # If an hour occurs twice, the library does not know from which to start: it starts well before both.
        early, late = edge - NEAR, edge + NEAR
        begin = edge
        if self.local(early).utcoffset() != self.local(late).utcoffset():
            begin = late if back else early
        for found in CronSim(self._cron, self.local(begin), reverse=back):
            tick = found.astimezone(UTC)
            if tick < edge if back else tick > edge:
                yield from self._left_out(edge, tick, back)
                edge = tick
                yield tick

    def _left_out(self, edge: datetime, tick: datetime, back: bool) -> Iterator[datetime]:
        """The ticks between two at a change of clocks. The library omits some in one direction if clocks change by half
        an hour, and none in the other."""
        if self.local(edge).utcoffset() == self.local(tick).utcoffset() or abs(tick - edge) > DAY:
            return
        other = (found.astimezone(UTC) for found in CronSim(self._cron, self.local(tick), reverse=not back))
        between = takewhile(lambda found: found < edge if back else found > edge, other)
        low, high = min(edge, tick), max(edge, tick)
        yield from sorted({found for found in between if low < found < high}, reverse=back)

    def _by_step(self, moment: datetime, back: bool) -> Iterator[datetime]:
        anchor = self._first or EPOCH
        passed = (moment - anchor).total_seconds()
        begin = -int(-passed // self._step) - 1 if back else int(passed // self._step) + 1
        for number in count(begin, -1 if back else 1):
            try:
                yield anchor + timedelta(seconds=number * self._step)
            except OverflowError:
                return

    def _moment(
        self, name: str, text: str | None, read: Callable[[str, tzinfo], datetime] | None = None
    ) -> datetime | None:
        return self._try(name, lambda: (read or moment_of)(text, self.zone), None) if text is not None else None

    def _try(self, name: str, make: Callable[[], T], otherwise: T) -> T:
        try:
            return make()
        except ValueError as error:
            what, _, instead = str(error).partition("; ")
            self._problems.append(Problem(f"{ROOT}.{name}", what, instead))
            return otherwise


def zone_of(name: str) -> tzinfo:
    """A time zone. Raises ValueError."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        near = difflib.get_close_matches(name, available_timezones(), 3)
        words = f"did you mean {' or '.join(near)}?" if near else "write one of the IANA database, e.g. Europe/Paris"
        raise ValueError(f"there is no time zone {name!r}; {words}") from None


def moment_of(text: str, zone: tzinfo) -> datetime:
    """A point in time, in UTC; without an offset it is in `zone`. Raises ValueError."""
    return dated_moment_of(text, zone).astimezone(UTC)


def dated_moment_of(text: str, zone: tzinfo) -> datetime:
    """A point in time with its own offset, which determines its date; without an offset it is in `zone`. Raises
    ValueError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        if words := absent_day(text):
            raise ValueError(f"{text[:80]!r}: {words}") from None
        raise ValueError(f"{text[:80]!r} is not a point in time; write 2026-01-31T06:00, or with an offset") from None
    check_year(text)
    return (found if found.tzinfo else found.replace(tzinfo=zone)).replace(microsecond=0)


def end_of(text: str, zone: tzinfo) -> datetime:
    """The inclusive end of a range: a date without a time stands for the whole day. Raises ValueError."""
    return day_of(text, zone)[1] if is_day(text) else moment_of(text, zone)


def day_of(text: str, zone: tzinfo) -> tuple[datetime, datetime]:
    """The first and the last second of a date in a zone. Raises ValueError."""
    next_day = datetime.combine(date.fromisoformat(text) + timedelta(days=1), time(), zone)
    return moment_of(text, zone), next_day.astimezone(UTC) - timedelta(seconds=1)


def is_day(text: str) -> bool:
    """Whether a point in time is written as a date without a time."""
    try:
        date.fromisoformat(check_year(text))
    except ValueError:
        return False
    return True


def step_of(every: str) -> int:
    """Seconds of an interval. Raises ValueError."""
    step = seconds(every)
    if step < 1 or step % 1:
        raise ValueError(f"{every!r} is not a whole number of seconds; write 1s or more")
    return int(step)


@lru_cache(maxsize=4_096)
def cron_of(text: str) -> str:
    """A cron expression in five or six fields. Raises ValueError."""
    cron = text.strip()
    if cron.startswith("@") and cron not in MACROS:
        raise ValueError(f"there is no macro {cron!r}; write one of {', '.join(MACROS)}, or five or six fields")
    cron = MACROS.get(cron, cron)
    said = _fault(cron)
    if not said:
        return cron
    fields = cron.split()
    if len(fields) in (5, 6) and (wrong := _out_of_range(fields)):
        raise ValueError(f"{text!r}: {wrong}")
    anywhere = [*fields[:-2], "*", *fields[-1:]]
    if len(fields) in (5, 6) and not _fault(" ".join(anywhere)):
        raise ValueError(f"{text!r} matches no existing day; fix the day, or the month")
    words = "write five fields (minute hour day month weekday), or six with seconds before them"
    raise ValueError(f"{text!r}: {said}; {words}")


def _out_of_range(fields: Sequence[str]) -> str:
    """The part of a cron expression that is not a value of its field, and the allowed values; empty if all are."""
    for index, (field, (name, low, high, words)) in enumerate(zip(fields, FIELDS[-len(fields) :], strict=True)):
        for term in field.split(","):
            alone = ["*"] * len(fields)
            alone[index] = term
            if not _fault(" ".join(alone)):
                continue
            values = re.split("[/#]", term)[0].split("-")
            wrong = next((value for value in values if value.isdecimal() and not low <= int(value) <= high), None)
            forms = "" if wrong else ", written as 5, 1-5, */2 or 1,3"
            return f"{wrong or term}: {name} are {low}-{high}{words}{forms}"
    return ""


def _fault(cron: str) -> str:
    """What is wrong with a cron expression, in the library's words."""
    try:
        next(CronSim(cron, datetime(2024, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        return str(error).lower()
    except StopIteration:
        return "no such day"
    return ""


def what_ticks(schedule: Schedule) -> Any:
    """The fields of a schedule that determine its ticks."""
    fields = {"cron", "every", "dates", "time_zone", "start", "end", "exclude"}
    return schedule.model_dump(include=fields, exclude_defaults=True, mode="json")
