"""Sets of days, as schedules exclude them."""

import re
from dataclasses import dataclass
from datetime import date

from tradewind.model.schedule import DAY

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MonthDay = tuple[int, int]
_DAY = re.compile(DAY)


@dataclass(frozen=True, slots=True)
class Days:
    """Ranges of dates, ranges of days of every year, and days of the week (0: Monday)."""

    dates: tuple[tuple[date, date], ...] = ()
    yearly: tuple[tuple[MonthDay, MonthDay], ...] = ()
    weekdays: frozenset[int] = frozenset()

    def __contains__(self, day: date) -> bool:
        if day.weekday() in self.weekdays or any(first <= day <= last for first, last in self.dates):
            return True
        here = (day.month, day.day)
        return any(
            first <= here <= last if first <= last else here >= first or here <= last for first, last in self.yearly
        )

    def __or__(self, other: "Days") -> "Days":
        return Days(self.dates + other.dates, self.yearly + other.yearly, self.weekdays | other.weekdays)


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
        # A leap year, so that 02-29 is a day of it.
        begin, end = (date.fromisoformat(f"2024-{day}" if yearly else day) for day in (first, last))
    except ValueError:
        raise ValueError(f"{text!r}: there is no such day") from None
    if yearly:
        return Days(yearly=(((begin.month, begin.day), (end.month, end.day)),))
    if end < begin:
        raise ValueError(f"{text!r}: the last day is before the first")
    return Days(dates=((begin, end),))


def read_calendar(text: str) -> Days:
    """The days of a calendar, one a line. Raises ValueError, with the line's number and none of its content: who reads the error need
    not have the right to read the calendar."""
    found = Days()
    for number, line in enumerate(text.splitlines(), 1):
        if day := line.partition("#")[0].strip():
            try:
                found |= read_days(day)
            except ValueError:
                words = "write 2026-12-25, 12-25 for every year, or first/last"
                raise ValueError(f"line {number}: neither a day nor a range of days: {words}") from None
    return found
