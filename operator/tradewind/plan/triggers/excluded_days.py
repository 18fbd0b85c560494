"""Sets of days that schedules exclude."""

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

from tradewind.model.duration import absent_day
from tradewind.model.schedule import DAY
from tradewind.plan.pacing import pause

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MonthDay = tuple[int, int]
_DAY = re.compile(DAY)
LEAP_YEAR = [date(2024, 1, 1) + timedelta(days=at) for at in range(366)]
DAYS_LIMIT = 2_000
"""Lines of a calendar that name days: a hundred years of twenty holidays."""
TEXT_LIMIT = 256 * 1024
"""Characters of a calendar, including comments."""
LINES_AT_A_STRETCH = 500


@dataclass(frozen=True, slots=True)
class Days:
    """A set of days with fast lookup, however many there are."""

    edges: "array[int]" = field(default_factory=lambda: array("i"))
    """Starts and ends of date ranges, alternating and in order, as ordinals: the ranges don't touch."""
    yearly: frozenset[MonthDay] = frozenset()
    """Days of every year."""
    weekdays: frozenset[int] = frozenset()
    """Days of the week (0: Monday)."""

    def __contains__(self, day: date) -> bool:
        return (
            day.weekday() in self.weekdays
            or (day.month, day.day) in self.yearly
            or bisect_right(self.edges, day.toordinal()) % 2 == 1
        )


def united(parts: Iterable[Days]) -> Days:
    """The union of all days."""
    yearly, weekdays, ranges = set[MonthDay](), set[int](), list[tuple[int, int]]()
    for part in parts:
        yearly |= part.yearly
        weekdays |= part.weekdays
        ranges += zip(part.edges[::2], part.edges[1::2], strict=True)
    edges = array("i")
    for begin, over in sorted(ranges):
        if edges and begin <= edges[-1]:
            edges[-1] = max(edges[-1], over)
        else:
            edges.extend((begin, over))
    return Days(edges, frozenset(yearly), frozenset(weekdays))


def read_days(text: str) -> Days:
    """A day or a range of days. Raises ValueError."""
    if not _DAY.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is not a day: write 2026-12-25, 12-25 for every year, or first/last")
    first, _, last = text.partition("/")
    last = last or first
    if (len(first) == 5) != (len(last) == 5):
        raise ValueError(f"{text!r}: write the year at both ends, or at none")
    yearly = len(first) == 5
    try:
        # A leap year, so that 02-29 is valid.
        begin, end = (date.fromisoformat(f"2024-{day}" if yearly else day) for day in (first, last))
    except ValueError:
        words = next(filter(None, (absent_day(f"2024-{day}" if yearly else day) for day in (first, last))), "")
        words = words.replace(" 2024", "") if yearly else words
        raise ValueError(f"{text!r}: {words or 'there is no such day'}") from None
    if yearly:
        every = LEAP_YEAR if begin <= end else [*LEAP_YEAR, *LEAP_YEAR]
        first_, last_ = every.index(begin), every.index(end, every.index(begin))
        return Days(yearly=frozenset((day.month, day.day) for day in every[first_ : last_ + 1]))
    if end < begin:
        raise ValueError(f"{text!r}: the last day is before the first")
    return Days(array("i", (begin.toordinal(), end.toordinal() + 1)))


def read_calendar(text: str) -> Days:
    """The days of a calendar, one per line. Raises ValueError with the line's number and none of its content: the
    reader of the error need not have the right to read the calendar."""
    if len(text) > TEXT_LIMIT:
        raise ValueError(f"line 1: a calendar takes {TEXT_LIMIT // 1024} KiB")
    found: list[Days] = []
    for number, line in enumerate(text.splitlines(), 1):
        if number % LINES_AT_A_STRETCH == 0:
            pause()
        if day := line.partition("#")[0].strip():
            try:
                found.append(read_days(day))
            except ValueError:
                words = "write 2026-12-25, 12-25 for every year, or first/last"
                raise ValueError(f"line {number}: neither a day nor a range of days: {words}") from None
            if len(found) > DAYS_LIMIT:
                raise ValueError(f"line {number}: a calendar takes {DAYS_LIMIT} days and ranges of days")
    return united(found)
