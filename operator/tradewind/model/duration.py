"""Durations as people write them: `90s`, `1h30m`, `1.5h`, `2d`; points in time."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, Field

PATTERN = r"^([0-9]{1,9}(\.[0-9]{1,3})?(ms|s|m|h|d)){1,5}$"
_PART = re.compile(r"([0-9.]+)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(text: str) -> float:
    """Seconds in a duration such as `1h30m`. Raises ValueError for anything else."""
    if not re.match(PATTERN, text):
        raise ValueError(f"{text!r} is not a duration: write a number and a unit, such as 30s, 10m, 1h30m or 2d")
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))


def instant(text: str) -> float:
    """Epoch seconds of a point in time such as `2026-01-31T06:00:00Z`. Raises ValueError for anything else."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a point in time: write one such as 2026-01-31T06:00:00Z") from None
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone: add Z, or an offset such as +01:00")
    return found.timestamp()


def stamp(epoch: float) -> str:
    """An API timestamp of epoch seconds."""
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


Duration = Annotated[str, Field(max_length=32, json_schema_extra={"pattern": PATTERN}), AfterValidator(_check)]
