"""Schedules: when a trigger fires, and how missed ticks are handled."""

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
    """A calendar in a ConfigMap."""

    name: ObjectName
    """Name of the ConfigMap, in the trigger's namespace."""
    key: Annotated[str, Field(max_length=253, pattern=rf"^$|{DATA_KEY}")] = ""
    """Key in the ConfigMap's data. Empty means all keys."""


class Exclusion(Model):
    """Days without ticks, in the schedule's time zone."""

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
    """A calendar: dates as in `days`, one per line; # begins a comment."""


class Missed(Model):
    """Handling of missed ticks: those more than a minute late when the operator processes them."""

    policy: Literal["All", "Last", "None"] = "Last"
    """All: every missed tick gets a run. Last: only the latest one gets a run, unless a later tick is due anyway. None:
    no missed tick gets a run."""
    limit: Annotated[int, Field(ge=1, le=1_000)] = 100
    """Maximum number of runs that All creates; the latest ticks are used."""


class Schedule(Model):
    """Fires at set times (ticks). Each tick creates one run, named after the tick."""

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
    """Cron expression with five fields (minute, hour, day of month, month, day of week), or six with seconds first; or
    @hourly, @daily, @weekly, @monthly, @quarterly, @yearly. A time skipped by daylight saving fires right after the
    gap, and a repeated time fires once. Schedules that fire at least hourly follow elapsed time."""
    every: Duration | None = None
    """Interval, at least 1s, counted from `start` or, when it is absent, from 1970-01-01 00:00 UTC."""
    dates: Annotated[list[Moment], Field(max_length=1_000)] = []
    """Points in time, e.g. 2026-01-31T06:00, in the schedule's time zone or with an offset."""
    time_zone: Annotated[str, Field(max_length=64)] = "UTC"
    """IANA name of the time zone, e.g. Europe/Paris."""
    start: Moment | None = None
    """Earliest tick."""
    end: Moment | None = None
    """Latest tick. A date without a time includes the whole day."""
    exclude: Annotated[list[Exclusion], Field(max_length=16)] = []
    """Days without ticks."""
    jitter: Duration | None = None
    """Maximum delay of a run after its tick, to spread runs. The delay is always the same for the same tick."""
    starting_deadline: Duration | None = None
    """Maximum lateness of a tick. A tick that is later gets no run, whatever `missed` says. No limit when absent."""
    concurrency: Literal["Allow", "Forbid", "Replace", "Enqueue"] = "Allow"
    """Handling of a tick while a run of this trigger is active. Allow: the tick gets its run. Forbid: the tick gets no
    run. Replace: the active run is cancelled. Enqueue: the tick's run waits, so that runs execute one after another in
    the order of their ticks."""
    missed: Missed = Missed()
    """Handling of ticks that were missed because the operator or the trigger's DAG was not available."""


class ScheduleStatus(Model):
    """Progress of a schedule."""

    calendar: Annotated[str, Field(max_length=64)] = ""
    """Digest of the fields that define the ticks. When they change, the schedule starts again and creates no runs for
    past ticks."""
    up_to: Timestamp | None = None
    """Time up to which ticks have been processed."""
    last_tick: Timestamp | None = None
    """The latest tick with a run."""
    next_ticks: Annotated[list[str], Field(max_length=5)] = []
    """The next ticks, in the schedule's time zone."""
    waiting: int = 0
    """Number of due ticks that wait."""
    skipped: Annotated[str, Field(max_length=1_024)] = ""
    """The latest ticks without a run, with reasons."""
