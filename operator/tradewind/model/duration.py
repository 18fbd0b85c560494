"""Durations as people write them: `90s`, `1h30m`, `1.5h`, `2d`; points in time."""

import calendar
import math
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, Field

_FRACTION = r"(\.[0-9]{1,3})?"
PATTERN = rf"^([0-9]{{1,9}}{_FRACTION}(ms|s)|[0-9]{{1,7}}{_FRACTION}m|[0-9]{{1,5}}{_FRACTION}h|[0-9]{{1,4}}{_FRACTION}d){{1,5}}$"
LONGEST = 3_650 * 86_400
"""Seconds of the longest duration: ten years."""
YEARS = r"^(19[7-9][0-9]|[2-8][0-9]{3}|9000)"
"""The beginning of a point in time: years 1970 to 9000, the range of clocks, calendars and their arithmetic."""
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
"""English, independent of the user's locale."""
_WRITTEN = re.compile(r"([0-9]{1,9}(\.[0-9]{1,3})?(ms|s|m|h|d)){1,5}\Z")
"""Matches durations beyond LONGEST too, so that those get their own message."""
_PART = re.compile(r"([0-9.]+)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(text: str) -> float:
    """Seconds in a duration such as `1h30m`, at most LONGEST. Raises ValueError for anything else."""
    if not _WRITTEN.match(text):
        raise ValueError(f"{text[:80]!r} is not a duration: write a number and a unit, such as 30s, 10m, 1h30m or 2d")
    found = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    if found > LONGEST:
        raise ValueError(f"{text!r} is longer than ten years: write at most {LONGEST // 86_400}d")
    return found


def instant(text: str) -> float:
    """Epoch seconds of a point in time such as `2026-01-31T06:00:00Z`, in the years of YEARS. Raises ValueError for
    anything else."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        if words := absent_day(text):
            raise ValueError(f"{text[:80]!r}: {words}") from None
        raise ValueError(f"{text[:80]!r} is not a point in time: write one such as 2026-01-31T06:00:00Z") from None
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone: add Z, or an offset such as +01:00")
    check_year(text)
    return found.timestamp()


def absent_day(text: str) -> str:
    """What is wrong with a date, or a point in time, whose day does not exist: `February 2026 has 28 days`. Empty for
    anything else."""
    if not (match := re.match(r"(\d{4})-(\d\d)-(\d\d)(?!\d)", text, re.ASCII)):
        return ""
    year, month, day = map(int, match.groups())
    if not 1 <= month <= 12:
        return f"there is no month {match[2]}"
    days = calendar.monthrange(year, month)[1] if year else 31
    return "" if 1 <= day <= days else f"{MONTHS[month - 1]} {year} has {days} days"


def check_year(text: str) -> str:
    """The text of a point in time. Raises ValueError for years outside of YEARS."""
    if text[:4].isdecimal() and not re.match(YEARS, text):
        raise ValueError(f"{text[:80]!r} is in none of the years 1970 to 9000: write one of those")
    return text


def stamp(epoch: float) -> str:
    """An API timestamp of epoch seconds."""
    return _stamp(math.floor(epoch))


@lru_cache(maxsize=1_024)
def _stamp(epoch: int) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def text(value: float) -> str:
    """A duration for people, from seconds: `0s`, `3.2s`, `5m2s`, `1h4m`."""
    if value < 10:
        return f"{value:.1f}s".replace(".0s", "s")
    total = round(value)
    hours, minutes, rest = total // 3600, total % 3600 // 60, total % 60
    if hours:
        return f"{hours}h{minutes}m"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _check(value: str) -> str:
    seconds(value)
    return value


def is_duration(kind: Any) -> bool:
    """Whether an annotation is Duration or derived from it, perhaps within a union."""
    return _CHECK in getattr(kind, "__metadata__", ()) or any(map(is_duration, getattr(kind, "__args__", ())))


_CHECK = AfterValidator(_check)
Duration = Annotated[str, Field(max_length=32, json_schema_extra={"pattern": PATTERN}), _CHECK]


def _at_least_a_second(value: str) -> str:
    if seconds(value) < 1:
        raise ValueError(f"{value!r} is too short: write at least 1s")
    return value


Limit = Annotated[Duration, AfterValidator(_at_least_a_second)]
"""A time limit: pods count it in whole seconds, from 1."""


DateTime = Annotated[
    str, Field(max_length=64, json_schema_extra={"format": "date-time", "pattern": YEARS}), AfterValidator(check_year)
]
"""A point in time."""


def between(start: str, end: str) -> float:
    """Seconds from one API timestamp to another, never below zero."""
    return max(0.0, (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())
