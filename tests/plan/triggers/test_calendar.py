"""The moments of a schedule: a table of known ticks, daylight saving in three zones, bounds and exclusions."""

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.model.schedule import Schedule
from tradewind.plan import pacing
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.triggers.calendar import Calendar
from tradewind.plan.triggers.excluded_days import DAYS_LIMIT, TEXT_LIMIT, read_calendar, read_days, united


def calendar(zone: str = "UTC", **spec: Any) -> Calendar:
    return Calendar(Schedule.model_validate({"timeZone": zone, **spec}))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def ticks(found: Calendar, after: str, number: int) -> list[str]:
    """Ticks in local time, to the minute unless there are seconds."""
    return [
        found.local(tick).isoformat().replace(":00+", "+").replace(":00-", "-")
        for tick in islice(found.after(at(after)), number)
    ]


UTC_TABLE = [
    ("* * * * *", "2026-01-31T23:58:30Z", ["2026-01-31T23:59+00:00", "2026-02-01T00:00+00:00"]),
    ("*/15 9-10 * * *", "2026-03-02T09:50Z", ["2026-03-02T10:00+00:00", "2026-03-02T10:15+00:00"]),
    ("0 6 * * MON-FRI", "2026-07-03T06:00Z", ["2026-07-06T06:00+00:00", "2026-07-07T06:00+00:00"]),
    ("0 0 29 2 *", "2026-01-01T00:00Z", ["2028-02-29T00:00+00:00", "2032-02-29T00:00+00:00"]),
    ("0 0 31 * *", "2026-01-31T00:00Z", ["2026-03-31T00:00+00:00", "2026-05-31T00:00+00:00"]),
    ("0 0 L * *", "2026-01-31T00:00Z", ["2026-02-28T00:00+00:00", "2026-03-31T00:00+00:00"]),
    ("0 0 13 * FRI", "2026-02-01T00:00Z", ["2026-02-06T00:00+00:00", "2026-02-13T00:00+00:00"]),  # either of the two
    ("0 12 * * MON#1", "2026-01-06T00:00Z", ["2026-02-02T12:00+00:00", "2026-03-02T12:00+00:00"]),
    ("0 0 * * 7", "2026-01-01T00:00Z", ["2026-01-04T00:00+00:00", "2026-01-11T00:00+00:00"]),
    ("30 59 23 31 12 *", "2026-01-01T00:00Z", ["2026-12-31T23:59:30+00:00", "2027-12-31T23:59:30+00:00"]),
    ("*/20 * * * * *", "2026-01-01T00:00:15Z", ["2026-01-01T00:00:20+00:00", "2026-01-01T00:00:40+00:00"]),
    ("@hourly", "2026-01-01T23:30Z", ["2026-01-02T00:00+00:00", "2026-01-02T01:00+00:00"]),
    ("@daily", "2026-02-27T12:00Z", ["2026-02-28T00:00+00:00", "2026-03-01T00:00+00:00"]),
    ("@weekly", "2026-01-01T00:00Z", ["2026-01-04T00:00+00:00", "2026-01-11T00:00+00:00"]),
    ("@monthly", "2026-01-01T00:00Z", ["2026-02-01T00:00+00:00", "2026-03-01T00:00+00:00"]),
    ("@quarterly", "2026-01-01T00:00Z", ["2026-04-01T00:00+00:00", "2026-07-01T00:00+00:00"]),
    ("@yearly", "2026-01-01T00:00Z", ["2027-01-01T00:00+00:00", "2028-01-01T00:00+00:00"]),
]


@pytest.mark.parametrize(("cron", "after", "expected"), UTC_TABLE)
def test_cron_names_the_ticks_of_the_table(cron: str, after: str, expected: list[str]) -> None:
    assert ticks(calendar(cron=cron), after, len(expected)) == expected


# In spring Paris goes from 02:00+01 to 03:00+02 on 2026-03-29, New York from 02:00-05 to 03:00-04 on 2026-03-08, Lord Howe from 02:00+10:30
# to 02:30+11 on 2026-10-04. In autumn Paris goes back from 03:00+02 to 02:00+01 on 2026-10-25, New York from 02:00-04 to 01:00-05 on
# 2026-11-01, Lord Howe from 02:00+11 to 01:30+10:30 on 2026-04-05.
SPRING = [
    ("Europe/Paris", "30 2 * * *", "2026-03-28T12:00Z", ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]),
    ("America/New_York", "30 2 * * *", "2026-03-07T12:00Z", ["2026-03-08T03:00-04:00", "2026-03-09T02:30-04:00"]),
    ("Australia/Lord_Howe", "0 */3 * * *", "2026-10-03T13:30Z", ["2026-10-04T03:00+11:00", "2026-10-04T06:00+11:00"]),
    ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T12:00Z", ["2026-10-04T02:30+11:00", "2026-10-05T02:15+11:00"]),
]
AUTUMN = [
    ("Europe/Paris", "30 2 * * *", "2026-10-24T12:00Z", ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]),
    ("America/New_York", "30 1 * * *", "2026-10-31T12:00Z", ["2026-11-01T01:30-04:00", "2026-11-02T01:30-05:00"]),
    ("Australia/Lord_Howe", "45 1 * * *", "2026-04-04T12:00Z", ["2026-04-05T01:45+11:00", "2026-04-06T01:45+10:30"]),
]
BY_THE_HOUR = [
    ("Europe/Paris", "0 * * * *", "2026-03-29T00:30Z", ["2026-03-29T03:00+02:00", "2026-03-29T04:00+02:00"]),
    (
        "Europe/Paris",
        "0 * * * *",
        "2026-10-24T23:30Z",
        ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00", "2026-10-25T03:00+01:00"],
    ),
    (
        "America/New_York",
        "*/30 * * * *",
        "2026-11-01T05:20Z",
        ["2026-11-01T01:30-04:00", "2026-11-01T01:00-05:00", "2026-11-01T01:30-05:00"],
    ),
    ("Australia/Lord_Howe", "0 * * * *", "2026-04-04T13:30Z", ["2026-04-05T01:00+11:00", "2026-04-05T02:00+10:30"]),
]


@pytest.mark.parametrize(("zone", "cron", "after", "expected"), SPRING)
def test_a_time_that_is_skipped_fires_right_after_the_gap(
    zone: str, cron: str, after: str, expected: list[str]
) -> None:
    assert ticks(calendar(zone, cron=cron), after, 2) == expected


@pytest.mark.parametrize(("zone", "cron", "after", "expected"), AUTUMN)
def test_a_time_that_comes_twice_fires_once(zone: str, cron: str, after: str, expected: list[str]) -> None:
    found = calendar(zone, cron=cron)
    assert ticks(found, after, 2) == expected
    # Also from within the hour's second occurrence, or backwards from there.
    second = at(expected[0]) + timedelta(minutes=45)
    assert next(found.after(second)) == at(expected[1])
    assert next(found.before(second)) == at(expected[0])


@pytest.mark.parametrize(("zone", "cron", "after", "expected"), BY_THE_HOUR)
def test_what_fires_at_least_hourly_goes_by_elapsed_time(zone: str, cron: str, after: str, expected: list[str]) -> None:
    assert ticks(calendar(zone, cron=cron), after, len(expected)) == expected


def test_an_interval_counts_from_its_start_or_from_midnight_of_1970() -> None:
    assert ticks(calendar(every="90m"), "2026-01-01T00:10Z", 2) == ["2026-01-01T01:30+00:00", "2026-01-01T03:00+00:00"]
    found = calendar("Europe/Paris", every="7h", start="2026-03-28T20:00")
    assert ticks(found, "2026-01-01T00:00Z", 3) == [
        "2026-03-28T20:00+01:00",
        "2026-03-29T04:00+02:00",
        "2026-03-29T11:00+02:00",
    ]


def test_dates_are_in_the_time_zone_unless_they_have_an_offset() -> None:
    found = calendar("Europe/Paris", dates=["2026-06-01T08:00", "2026-05-01T08:00Z", "2026-06-01T08:00+02:00"])
    assert ticks(found, "2026-01-01T00:00Z", 9) == ["2026-05-01T10:00+02:00", "2026-06-01T08:00+02:00"]
    assert next(found.before(at("2026-05-31T00:00Z"))) == at("2026-05-01T08:00Z")


def test_a_date_as_an_end_includes_its_whole_day() -> None:
    found = calendar("Europe/Paris", cron="30 23 * * *", end="2026-01-02")
    assert ticks(found, "2026-01-01T00:00Z", 5) == ["2026-01-01T23:30+01:00", "2026-01-02T23:30+01:00"]


def test_no_tick_is_outside_of_start_and_end() -> None:
    found = calendar(cron="@daily", start="2026-01-02", end="2026-01-03T12:00")
    assert ticks(found, "2025-01-01T00:00Z", 9) == ["2026-01-02T00:00+00:00", "2026-01-03T00:00+00:00"]
    assert [tick.day for tick in found.before(at("2027-01-01T00:00Z"))] == [3, 2]


def test_excluded_days_are_those_of_the_time_zone() -> None:
    found = calendar(
        "America/New_York",
        cron="0 22 * * *",
        exclude=[{"days": ["12-24/12-26", "2027-01-01"]}, {"weekdays": ["Sat", "Sun"]}],
    )
    days = [tick[:10] for tick in ticks(found, "2026-12-23T00:00-05:00", 7)]
    assert days == ["2026-12-23", "2026-12-28", "2026-12-29", "2026-12-30", "2026-12-31", "2027-01-04", "2027-01-05"]


def test_days_of_every_year_may_go_over_its_end() -> None:
    assert [
        at(f"{day}T00:00Z").date() in read_days("12-30/01-02")
        for day in ("2026-12-29", "2026-12-30", "2027-01-02", "2027-01-03")
    ] == [
        False,
        True,
        True,
        False,
    ]


def test_a_calendar_has_a_day_or_a_range_a_line_and_comments() -> None:
    found = read_calendar("# holidays\n2026-12-25 # Christmas\n\n2026-08-01/2026-08-15\n05-01\n")
    assert [
        at(f"{day}T00:00Z").date() in found for day in ("2026-12-25", "2026-08-15", "2030-05-01", "2026-12-24")
    ] == [True, True, True, False]
    for wrong in ("2026-02-30", "token=s3cret"):
        with pytest.raises(ValueError, match=r"^line 2: neither a day nor a range of days") as error:
            read_calendar(f"2026-01-01\n{wrong}")
        assert "02-30" not in str(error.value) and "s3cret" not in str(error.value)


def test_a_calendar_takes_so_many_days_and_so_much_text() -> None:
    assert at("2026-05-01T00:00Z").date() in read_calendar("05-01\n" * DAYS_LIMIT)
    with pytest.raises(ValueError, match=f"^line {DAYS_LIMIT + 1}: a calendar takes {DAYS_LIMIT} days"):
        read_calendar("05-01\n" * (DAYS_LIMIT + 1) + "never read")
    with pytest.raises(ValueError, match="a calendar takes 256 KiB"):
        read_calendar("\n" * (TEXT_LIMIT + 1))


RANGES = st.tuples(st.dates(date(2026, 1, 1), date(2026, 3, 1)), st.integers(0, 9)).map(
    lambda found: f"{found[0]}/{found[0] + timedelta(days=found[1])}"
)


@given(st.lists(RANGES, max_size=12))
def test_days_are_those_of_all_ranges(ranges: list[str]) -> None:
    found = united(map(read_days, ranges))
    for number in range(80):
        day = date(2025, 12, 30) + timedelta(days=number)
        assert (day in found) == any(day in read_days(text) for text in ranges)
    assert list(found.edges) == sorted(set(found.edges))


@pytest.mark.parametrize("cron", ["* * * * * *", "0 0 29 2 *"])
def test_the_search_for_a_tick_that_no_day_has_lets_others_go_on(cron: str) -> None:
    class Counts:
        spent, pauses = False, 0

        def pause(self) -> None:
            self.pauses += 1

        def evaluate(self, asked: pacing.Evaluation) -> Any:
            raise AssertionError

    with pacing.at(counts := Counts()):
        assert (
            next(calendar(cron=cron, exclude=[{"days": ["01-01/12-31"]}]).after(at("2026-01-01T00:00Z")), None) is None
        )
    assert counts.pauses > 1_000


def test_a_schedule_that_excludes_every_day_has_no_tick_and_says_so_in_time() -> None:
    found = calendar(cron="* * * * *", exclude=[{"days": ["01-01/12-31"]}])
    assert list(islice(found.after(at("2026-01-01T00:00Z")), 1)) == []


EVERY_WEEKDAY = [{"weekdays": ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]}]


@pytest.mark.parametrize(
    "spec",
    [
        {"cron": "0 0 29 2 *", "exclude": EVERY_WEEKDAY},
        {"cron": "* * * * *", "exclude": EVERY_WEEKDAY, "timeZone": "Pacific/Kiritimati"},
        {"every": "3650d", "exclude": EVERY_WEEKDAY, "timeZone": "Etc/GMT+12"},
        {"every": "3650d", "start": "9000-12-31T23:59:59-12:00"},
        {"dates": ["1970-01-01T00:00+14:00", "9000-12-31T23:59:59-12:00"], "exclude": EVERY_WEEKDAY},
        {"cron": "@yearly", "end": "1970-01-01T00:00+14:00"},
    ],
    ids=str,
)
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
@pytest.mark.parametrize("moment", ["1970-01-02T00:00Z", "2026-01-01T00:00Z", "8999-12-31T00:00Z"])
def test_what_ticks_seldom_or_never_is_looked_for_within_the_years_there_are(
    spec: dict[str, Any], zone: str, moment: str
) -> None:
    calendar = Calendar(Schedule.model_validate({"timeZone": zone, **spec}))
    at = datetime.fromisoformat(moment)
    for tick in [*islice(calendar.after(at), 3), *islice(calendar.before(at), 3)]:
        assert 1969 <= calendar.local(tick).year <= 9001 and calendar.interval(tick)


def test_the_data_interval_ends_with_the_tick_and_begins_with_the_one_before() -> None:
    found = calendar(cron="0 6 * * *", start="2026-01-02", exclude=[{"weekdays": ["Sun"]}])
    assert found.interval(at("2026-01-02T06:00Z")) == (at("2026-01-01T06:00Z"), at("2026-01-02T06:00Z"))
    assert found.interval(at("2026-01-05T06:00Z"))[0] == at("2026-01-03T06:00Z")
    alone = calendar(dates=["2026-01-01T00:00Z"])
    assert alone.interval(at("2026-01-01T00:00Z")) == (at("2026-01-01T00:00Z"),) * 2


REFUSED = [
    ({"cron": "0 0 31 2 *"}, "spec.schedule.cron: '0 0 31 2 *' matches no existing day; fix the day, or the month"),
    ({"cron": "0 0 31 4,6,9 *"}, "matches no existing day"),
    ({"cron": "61 * * * *"}, "spec.schedule.cron: '61 * * * *': 61: minutes are 0-59"),
    ({"cron": "0 2,24 * * *"}, "'0 2,24 * * *': 24: hours are 0-23"),
    ({"cron": "0 2 0-5 * *"}, "0: days of the month are 1-31, L or LW"),
    ({"cron": "0 2 * 13 *"}, "13: months are 1-12 or JAN-DEC"),
    ({"cron": "0 2 * * 8#2"}, "8: weekdays are 0-7 or SUN-SAT"),
    ({"cron": "99/5 0 2 * * *"}, "99: seconds are 0-59"),
    ({"cron": "0 2 * * 1,MOON"}, "MOON: weekdays are 0-7 or SUN-SAT, written as 5, 1-5, */2 or 1,3"),
    ({"cron": "9-5 2 * * *"}, "9-5: minutes are 0-59, written as 5, 1-5"),
    ({"cron": "*/0 2 * * *"}, "*/0: minutes are 0-59, written as 5"),
    ({"cron": "1, 2 * * *"}, "'1, 2 * * *': "),
    ({"cron": "* * * *"}, "wrong number of fields"),
    ({"cron": "@sometimes"}, "there is no macro '@sometimes'; write one of @hourly"),
    (
        {"cron": "@daily", "timeZone": "Europe/Pariss"},
        "spec.schedule.timeZone: there is no time zone 'Europe/Pariss'; did you mean Europe/Paris",
    ),
    ({"cron": "@daily", "timeZone": "../etc/passwd"}, "there is no time zone"),
    (
        {"cron": "@daily", "start": "2026-02-01", "end": "2026-01-01"},
        "spec.schedule.end: 2026-01-01 is before the start; swap them",
    ),
    (
        {"cron": "@daily", "start": "tomorrow"},
        "spec.schedule.start: 'tomorrow' is not a point in time; write 2026-01-31T06:00",
    ),
    ({"dates": ["2026-01-01T00:00", "soon"]}, "spec.schedule.dates[1]: 'soon' is not a point in time"),
    ({"every": "500ms"}, "spec.schedule.every: '500ms' is not a whole number of seconds; write 1s or more"),
    (
        {"cron": "@daily", "exclude": [{"days": ["2026-02-30"]}]},
        "spec.schedule.exclude[0].days[0]: '2026-02-30': February 2026 has 28 days",
    ),
    ({"cron": "@daily", "exclude": [{"days": ["02-30"]}]}, "'02-30': February has 29 days"),
    ({"cron": "@daily", "exclude": [{"days": ["2026-13-01"]}]}, "'2026-13-01': there is no month 13"),
    ({"cron": "@daily", "start": "2026-02-30"}, "spec.schedule.start: '2026-02-30': February 2026 has 28 days"),
    ({"cron": "@daily", "start": "2026-04-31T06:00"}, "'2026-04-31T06:00': April 2026 has 30 days"),
    ({"cron": "@daily", "exclude": [{"days": ["2026-02-03/2026-02-01"]}]}, "the last day is before the first"),
    ({"cron": "@daily", "exclude": [{"days": ["2026-02-03/02-05"]}]}, "write the year at both ends, or at none"),
]


@pytest.mark.parametrize(("spec", "words"), REFUSED)
def test_a_schedule_that_can_not_be_is_refused_with_its_field(spec: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid) as refused:
        calendar(**spec) if "timeZone" not in spec else Calendar(Schedule.model_validate(spec))
    assert words in str(refused.value)


ZONES = st.sampled_from(
    ["UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Santiago"]
)
SPECS = st.one_of(
    st.sampled_from(
        ["*/7 * * * *", "30 2 * * *", "0 */3 * * *", "15 1,2,3 * * *", "0 0 1 * *", "5 4 * * SUN", "10 30 * * * *"]
    ).map(lambda cron: {"cron": cron}),
    st.sampled_from(["17m", "1h", "5h", "36h"]).map(lambda every: {"every": every}),
)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(lambda moment: moment.replace(tzinfo=UTC))


@given(ZONES, SPECS, MOMENTS)
def test_ticks_are_the_same_whether_they_are_told_forwards_or_backwards(
    zone: str, spec: dict[str, Any], moment: datetime
) -> None:
    found = calendar(zone, **spec)
    ahead = list(islice(found.after(moment), 12))
    assert ahead == sorted(set(ahead)) and ahead[0] > moment
    behind = list(islice(found.before(ahead[-1]), 12))
    assert behind[::-1] == ahead
    assert next(found.before(ahead[0] - timedelta(seconds=1))) <= moment.replace(microsecond=0)


def test_a_search_that_found_no_tick_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of runs of a schedule ask for the tick after theirs."""
    pauses: list[int] = []
    monkeypatch.setattr("tradewind.plan.triggers.calendar.pause", lambda: pauses.append(1))
    found = calendar(cron="@daily", exclude=[{"weekdays": ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]}])
    moments = [at("2026-05-10T00:00:00Z"), *(at(f"2026-05-{day}T12:00:00Z") for day in (10, 11, 31, 30, 20))]
    for number, moment in enumerate(moments):
        assert [*found.after(moment)] == [*found.before(moment)] == []
        if number == 0:
            assert len(pauses) > 2_000
            pauses.clear()
    assert len(pauses) < 100


EXCLUDED = st.fixed_dictionaries(
    {
        "weekdays": st.lists(st.sampled_from(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]), max_size=6),
        "days": st.sampled_from([[], ["2026-01-10/2026-02-20"], ["02-01/02-28", "2027-01-01"]]),
    }
)


@given(ZONES, SPECS, EXCLUDED, st.lists(MOMENTS, min_size=2, max_size=8))
def test_what_a_calendar_remembers_changes_no_tick(
    zone: str, spec: dict[str, Any], excluded: dict[str, Any], moments: list[datetime]
) -> None:
    spec = {**spec, "exclude": [excluded] if any(excluded.values()) else []}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tradewind.plan.triggers.calendar.FRUITLESS", 20)
        one = calendar(zone, **spec)
        for moment in moments:
            for way in ("after", "before"):
                mine, fresh = (next(getattr(kept, way)(moment), None) for kept in (one, calendar(zone, **spec)))
                far = abs((mine or fresh or moment) - moment) > timedelta(days=18)
                assert mine == fresh or (None in (mine, fresh) and far)
