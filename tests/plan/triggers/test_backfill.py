"""What a backfill does about each tick: decided from the existing runs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.model.backfill import BackfillSpec
from tradewind.model.schedule import Schedule
from tradewind.model.trigger import TriggerSpec
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.triggers.backfill import BACKFILL_TICKS_LIMIT, TickRun, decide, review, source, ticks_of
from tradewind.plan.triggers.calendar import Calendar

DAY = datetime(2026, 5, 1, 6, tzinfo=UTC)
TICKS = [DAY + timedelta(days=step) for step in range(5)]
NOW = DAY + timedelta(days=30)


def backfill(**fields: Any) -> BackfillSpec:
    return BackfillSpec.model_validate({"dag": "d", "trigger": "t", "start": "2026-05-01", **fields})


def past(day: int, phase: str, created: int = 0, **fields: Any) -> TickRun:
    final = phase in ("Succeeded", "Failed", "Cancelled")
    return TickRun(f"run-{day}-{created}", TICKS[day].timestamp(), created, phase, final, **fields)


def actions(spec: BackfillSpec, *runs: TickRun) -> dict[int, str]:
    return {TICKS.index(step.tick): step.action for step in decide(spec, TICKS, runs).steps}


def test_ticks_without_a_run_get_one_and_all_others_are_left_as_they_are() -> None:
    runs = [past(0, "Succeeded"), past(1, "Failed"), past(2, "Running"), past(3, "Cancelled")]
    assert actions(backfill(), *runs) == {4: "Create"}
    assert decide(backfill(), TICKS, runs).kept == 4


def test_failed_runs_are_tried_again_where_they_can_be_and_run_anew_where_not() -> None:
    runs = [past(0, "Failed", again=True), past(1, "Failed"), past(2, "Cancelled"), past(3, "Succeeded")]
    found = decide(backfill(runs=["Failed"]), TICKS, runs)
    assert [(step.action, step.run) for step in found.steps] == [("Retry", "run-0-0"), ("Rerun", ""), ("Rerun", "")]


def test_what_succeeded_is_run_another_time_only_when_asked() -> None:
    assert actions(backfill(runs=["Succeeded"]), past(0, "Succeeded")) == {0: "Rerun"}


def test_of_several_runs_of_a_tick_the_latest_counts_and_one_under_way_holds_the_tick() -> None:
    spec = backfill(runs=["Failed", "Succeeded"])
    assert actions(spec, past(0, "Failed", 1, again=True), past(0, "Succeeded", 2)) == {0: "Rerun"}
    assert actions(spec, past(0, "Failed", 1, again=True), past(0, "Running", 2)) == {}


def test_a_tick_has_had_its_turn_whatever_came_of_it() -> None:
    spec = backfill(runs=["Missing", "Failed", "Succeeded"])
    runs = [
        past(0, "Failed", mine=True, again=True),
        past(1, "Succeeded", mine=True),
        past(2, "Running", mine=True),
        past(3, "Succeeded", 1),
        past(3, "Cancelled", 2, mine=True),
        past(4, "Queued", mine=True),
    ]
    found = decide(spec, TICKS, runs)
    assert (found.steps, found.succeeded, found.kept) == ([], 1, 0)
    assert [run.name for run in found.failed] == ["run-0-0", "run-3-2"]
    assert [run.name for run in found.active] == ["run-2-0", "run-4-0"]


def test_the_order_is_that_of_the_ticks_or_the_other_way_round() -> None:
    assert [step.tick for step in decide(backfill(), TICKS, []).steps] == TICKS
    assert [step.tick for step in decide(backfill(order="NewestFirst"), TICKS, []).steps] == TICKS[::-1]


PASTS = st.builds(
    past,
    st.integers(0, 4),
    st.sampled_from(["", "Queued", "Running", "Succeeded", "Failed", "Cancelled"]),
    st.integers(0, 3),
    mine=st.booleans(),
    again=st.booleans(),
)
STATES = st.lists(st.sampled_from(["Missing", "Failed", "Succeeded"]), min_size=1, unique=True)


@given(st.lists(PASTS, max_size=12), STATES)
def test_every_tick_is_counted_once(runs: list[TickRun], states: list[str]) -> None:
    found = decide(backfill(runs=states), TICKS, runs)
    assert len(found.steps) + len(found.active) + found.succeeded + len(found.failed) + found.kept == len(TICKS)


def daily(**fields: Any) -> Calendar:
    return Calendar(Schedule.model_validate({"cron": "0 6 * * *", "timeZone": "Europe/Paris", **fields}))


def days(spec: BackfillSpec, calendar: Calendar) -> list[str]:
    return [calendar.local(tick).strftime("%m-%dT%H:%M") for tick in ticks_of(spec, calendar, NOW)]


def test_a_range_has_the_ticks_from_its_start_to_its_end_both_included() -> None:
    spec = backfill(start="2026-05-01T06:00", end="2026-05-03T06:00")
    assert days(spec, daily()) == ["05-01T06:00", "05-02T06:00", "05-03T06:00"]
    assert days(backfill(start="2026-05-01", end="2026-05-03"), daily()) == [
        "05-01T06:00",
        "05-02T06:00",
        "05-03T06:00",
    ]


def test_a_date_as_an_end_includes_the_whole_day_in_the_zone_of_the_trigger() -> None:
    late = Calendar(Schedule.model_validate({"cron": "30 2,23 * * *", "timeZone": "Europe/Paris"}))
    assert days(backfill(start="2026-05-02", end="2026-05-02"), late) == ["05-02T02:30", "05-02T23:30"]
    assert days(backfill(start="2026-05-02", end="2026-05-02T00:00"), late) == []
    assert days(backfill(start="2026-05-02", end="2026-05-02", timeZone="UTC"), late) == ["05-02T02:30", "05-02T23:30"]
    fields = {"cron": "30 2 * * *", "timeZone": "Europe/Paris", "start": "2026-05-01", "end": "2026-05-02"}
    alone = backfill(trigger="", **fields)
    schedule = source(alone, None).schedule
    assert schedule and days(alone, Calendar(schedule)) == ["05-01T02:30", "05-02T02:30"]


def test_a_date_among_ticks_stands_for_the_ticks_of_that_day() -> None:
    twice = Calendar(Schedule.model_validate({"cron": "30 2,23 * * 1-5", "timeZone": "Europe/Paris"}))
    assert days(listed("2026-05-05"), twice) == ["05-05T02:30", "05-05T23:30"]
    assert days(listed("2026-05-05", "2026-05-05T02:30"), twice) == ["05-05T02:30", "05-05T23:30"]
    wrong = {
        "2026-05-03": "trigger t has no tick on 2026-05-03; near it are 2026-05-01T23:30:00+02:00 or 2026-05-04T02:30",
        "2026-06-01": "was in the future",
        "2027-01-01": "was in the future",
        "2026-5-1": "not a point in time",
    }
    for text, words in wrong.items():
        with pytest.raises(Invalid, match=words.replace("+", r"\+")):
            ticks_of(listed(text), twice, NOW - timedelta(hours=12))
    before = datetime(2026, 5, 5, tzinfo=UTC)
    with pytest.raises(Invalid, match="was in the future"):
        ticks_of(listed("2026-05-05"), twice, before)
    assert ticks_of(listed("2026-05-05"), twice, before + timedelta(hours=12)) == [
        datetime(2026, 5, 5, 0, 30, tzinfo=UTC)
    ]


def listed(*ticks: str) -> BackfillSpec:
    return BackfillSpec.model_validate({"dag": "d", "trigger": "t", "ticks": ticks})


def test_days_have_no_more_ticks_than_a_range() -> None:
    minutely = Calendar(Schedule(cron="* * * * *"))
    ticks = [f"2026-05-{day:02}" for day in range(1, 10)]
    with pytest.raises(Invalid, match="over 10,000 ticks"):
        ticks_of(listed(*ticks), minutely, NOW)


def test_what_lies_after_its_creation_is_left_to_the_schedule() -> None:
    assert days(backfill(start="2026-05-30", end="2027-01-01"), daily())[-1] == "05-31T06:00"
    assert days(backfill(start="2026-05-30"), daily())[-1] == "05-31T06:00"


def test_times_are_in_the_time_zone_of_the_trigger_unless_another_is_named() -> None:
    spec = {"start": "2026-05-01T05:00", "end": "2026-05-01T07:00"}
    assert days(backfill(**spec), daily()) == ["05-01T06:00"]
    assert days(backfill(**spec, timeZone="UTC"), daily()) == []


def test_excluded_days_stay_excluded() -> None:
    spec = backfill(start="2026-05-01", end="2026-05-03")
    assert days(spec, daily(exclude=[{"weekdays": ["Sat", "Sun"]}])) == ["05-01T06:00"]


def test_explicit_ticks_of_a_trigger_have_to_be_its() -> None:
    spec = backfill(start=None, ticks=["2026-05-01T06:00", "2026-05-02T05:00"])
    with pytest.raises(
        Invalid, match=r"spec.ticks\[1\]: not a tick of trigger t; near it are .*01T06:00.* or .*02T06:00"
    ):
        ticks_of(spec, daily(), NOW)


def test_explicit_ticks_in_the_future_are_refused() -> None:
    spec = backfill(start=None, trigger="", ticks=["2027-01-01"])
    with pytest.raises(Invalid, match=r"spec.ticks\[0\]: was in the future when the backfill was created"):
        ticks_of(spec, Calendar(Schedule(dates=spec.ticks)), NOW)


def test_a_range_of_too_many_ticks_is_refused_with_an_end_that_would_do() -> None:
    minutely = Calendar(Schedule(cron="* * * * *"))
    with pytest.raises(Invalid, match=r"spec.end: over 10,000 ticks; end at (\S+), and") as error:
        ticks_of(backfill(start="2026-05-01"), minutely, NOW)
    end = str(error.value).partition("end at ")[2].partition(",")[0]
    assert len(ticks_of(backfill(start="2026-05-01", end=end), minutely, NOW)) == BACKFILL_TICKS_LIMIT


def test_params_are_those_of_the_trigger_with_the_backfills_over_them() -> None:
    trigger = TriggerSpec(dag="d", params={"a": 1, "b": 2}, schedule=Schedule(cron="@daily"), when="true")
    found = source(backfill(params={"b": 3, "c": 4}), trigger)
    assert (found.params, found.when, found.priority) == ({"a": 1, "b": 3, "c": 4}, "true", -1000)


def test_a_trigger_of_another_dag_or_without_a_schedule_is_refused() -> None:
    with pytest.raises(Invalid, match=r"spec.trigger: trigger t is of DAG other; name one of d"):
        source(backfill(), TriggerSpec(dag="other", schedule=Schedule(cron="@daily")))
    with pytest.raises(Invalid, match=r"spec.trigger: trigger t has no schedule"):
        source(backfill(), TriggerSpec(dag="d"))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"start": "May"}, "spec.start: 'May' is not a point in time; write 2026-01-31T06:00, or with an offset"),
        ({"end": "2026-04-01"}, "spec.end: 2026-04-01 is before the start; swap them"),
        ({"timeZone": "Europe/Pari"}, "spec.timeZone: there is no time zone 'Europe/Pari'; did you mean Europe/Paris"),
        ({"trigger": "", "cron": "0 0 31 2 *"}, "spec.cron: '0 0 31 2 *' matches no existing day; fix the day"),
        ({"start": None, "ticks": ["2026-05-01", "x"]}, "spec.ticks[1]: 'x' is not a point in time"),
        ({"params": {"a": "$[[ run.nope ]]"}}, "spec.params.a: `run.nope` (at character 4): there is no 'run.nope'"),
    ],
)
def test_what_is_wrong_is_told_with_the_field(fields: dict[str, Any], words: str) -> None:
    assert [str(problem)[: len(words)] for problem in review(backfill(**fields))] == [words]
