"""Schedules: when a trigger fires by the clock, and what becomes of ticks that could not be kept."""

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from tradewind.model.base import DATA_KEY, Model, ObjectName, Timestamp, crd, rule
from tradewind.model.duration import YEARS, Duration, check_year

Moment = Annotated[
    str, Field(min_length=1, max_length=64, json_schema_extra={"pattern": YEARS}), AfterValidator(check_year)
]
"""A point in time: with an offset or Z, or local to the schedule's time zone."""
DAY = r"^([0-9]{4}-)?[0-9]{2}-[0-9]{2}(/([0-9]{4}-)?[0-9]{2}-[0-9]{2})?$"
Day = Annotated[str, Field(max_length=21, pattern=DAY)]


class CalendarRef(Model):
    """Days in a ConfigMap."""

    name: ObjectName
    """Name of the ConfigMap, in the trigger's namespace."""
    key: Annotated[str, Field(max_length=253, pattern=rf"^$|{DATA_KEY}")] = ""
    """The key in its data; all of them when empty."""


class Exclusion(Model):
    """Days on which nothing fires, in the schedule's time zone."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[
                rule(
                    "[has(self.days), has(self.weekdays), has(self.configMap)].filter(x, x).size() == 1",
                    "write one of days, weekdays and configMap",
                )
            ]
        )
    )

    days: Annotated[list[Day], Field(max_length=400)] = []
    """Dates: 2026-12-25, 12-25 for every year, or a range such as 2026-12-24/2027-01-02."""
    weekdays: Annotated[list[Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]], Field(max_length=7)] = []
    """Days of the week."""
    config_map: CalendarRef | None = None
    """A calendar: dates as in `days`, one a line; what follows a # is a comment."""


class Missed(Model):
    """What becomes of ticks that were missed: those that are over a minute late when the operator gets to them."""

    policy: Literal["All", "Last", "None"] = "Last"
    """All: each gets its run. Last: only the latest one, where no later tick is due as well. None: none."""
    limit: Annotated[int, Field(ge=1, le=1_000)] = 100
    """How many runs All makes at most: the latest ones."""


class Schedule(Model):
    """Ticks by the clock. Each makes one run, named after the tick."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[
                rule(
                    "[has(self.cron), has(self.every), has(self.dates)].filter(x, x).size() == 1",
                    "write one of cron, every and dates",
                )
            ]
        )
    )

    cron: Annotated[str, Field(max_length=256)] = ""
    """Minute, hour, day of the month, month and day of the week, with a field of seconds before them if there are six; or @hourly,
    @daily, @weekly, @monthly, @quarterly, @yearly. A time that daylight saving skips fires right after the gap, one that it doubles
    fires once; what fires at least hourly goes on by elapsed time."""
    every: Duration | None = None
    """An interval, counted from `start`, or from midnight UTC of 1970-01-01 when there is none. At least 1s."""
    dates: Annotated[list[Moment], Field(max_length=1_000)] = []
    """Points in time: 2026-01-31T06:00, in the time zone, or with an offset."""
    time_zone: Annotated[str, Field(max_length=64)] = "UTC"
    """Name in the IANA database, e.g. Europe/Paris."""
    start: Moment | None = None
    """No tick is before it."""
    end: Moment | None = None
    """No tick is after it; a date without a time includes its whole day."""
    exclude: Annotated[list[Exclusion], Field(max_length=16)] = []
    """Days on which nothing fires."""
    jitter: Duration | None = None
    """Spreads runs: each tick's run begins by up to so much later, always the same for the same tick."""
    starting_deadline: Duration | None = None
    """A tick that is later than this gets no run, whatever `missed` says. No limit when absent."""
    concurrency: Literal["Allow", "Forbid", "Replace", "Enqueue"] = "Allow"
    """What becomes of a tick while a run of this trigger has not ended. Allow: it gets its run. Forbid: it gets none. Replace: the
    unfinished run is cancelled. Enqueue: it waits, so that one run follows the other in the order of their ticks."""
    missed: Missed = Missed()
    """What becomes of ticks for which the operator, or the trigger's DAG, was not there."""


class ScheduleStatus(Model):
    """How far a schedule has come."""

    calendar: Annotated[str, Field(max_length=64)] = ""
    """What the ticks are of: another calendar begins when it is seen, and makes no runs for the past."""
    up_to: Timestamp | None = None
    """Ticks up to this one have been dealt with."""
    last_tick: Timestamp | None = None
    """The latest tick that has a run."""
    next_ticks: Annotated[list[str], Field(max_length=5)] = []
    """The next ticks, in the schedule's time zone."""
    waiting: int = 0
    """Ticks that are due and wait."""
    skipped: Annotated[str, Field(max_length=1_024)] = ""
    """What became of the latest ticks that got no run, and why."""
