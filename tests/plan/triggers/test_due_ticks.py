"""The ticks that get a run: those on time, and of the others what the schedule's policies want."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tradewind.model.schedule import Schedule
from tradewind.plan.triggers.calendar import Calendar
from tradewind.plan.triggers.due_ticks import DUE_TICKS_LIMIT, Due, due, in_words, shift

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def decide(up_to: float, now: float, active: int = 0, **spec: Any) -> Due:
    """Of ticks on every tenth minute; times are minutes from noon."""
    schedule = Schedule.model_validate({"every": "10m", **spec})
    return due(schedule, Calendar(schedule), "uid", moment(up_to), moment(now), active)


def moment(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def minutes(found: list[datetime]) -> list[float]:
    return [(tick - NOON).total_seconds() / 60 for tick in found]


def why(found: Due) -> dict[float, str]:
    return {(tick - NOON).total_seconds() / 60: words for tick, words in found.skipped}


def test_a_tick_gets_its_run_when_it_is_due_and_not_before() -> None:
    early = decide(0, 9.9)
    assert (early.run, early.up_to, early.again) == ([], moment(0), moment(10))
    on_time = decide(0, 10)
    assert (minutes(on_time.run), on_time.up_to, on_time.again) == ([10], moment(10), moment(20))


def test_what_has_been_dealt_with_is_not_run_again_also_when_the_clock_is_set_back() -> None:
    back = decide(60, 0)
    assert (back.run, back.skipped, back.up_to, back.again) == ([], [], moment(60), moment(70))


@pytest.mark.parametrize(
    ("missed", "run", "skipped"),
    [
        ({"policy": "All"}, [10, 20, 30], []),
        ({"policy": "All", "limit": 2}, [20, 30], [10]),
        ({"policy": "Last"}, [30], [10, 20]),
        ({}, [30], [10, 20]),
        ({"policy": "None"}, [], [10, 20, 30]),
    ],
)
def test_of_ticks_that_were_missed_the_policy_chooses(
    missed: dict[str, Any], run: list[float], skipped: list[float]
) -> None:
    found = decide(0, 35, missed=missed)
    assert (minutes(found.run), sorted(why(found)), found.up_to) == (run, skipped, moment(30))
    assert all("missed.policy" in words for words in why(found).values())


def test_last_is_the_tick_that_is_due_as_well_where_there_is_one() -> None:
    assert minutes(decide(0, 30.5, missed={"policy": "Last"}).run) == [30]
    assert minutes(decide(0, 30.5, missed={"policy": "None"}).run) == [30]


def test_a_tick_within_a_minute_is_on_time() -> None:
    assert minutes(decide(0, 10.9, missed={"policy": "None"}).run) == [10]
    assert minutes(decide(0, 11.1, missed={"policy": "None"}).run) == []


def test_no_policy_wants_a_tick_beyond_its_starting_deadline() -> None:
    found = decide(0, 35, missed={"policy": "All"}, startingDeadline="20m")
    assert minutes(found.run) == [20, 30]
    assert why(found) == {10: "later than startingDeadline, 20m"}
    assert minutes(decide(0, 10.5, startingDeadline="10s").run) == []


@pytest.mark.parametrize(
    ("concurrency", "active", "run", "skipped"),
    [
        ("Allow", 1, [10, 20], []),
        ("Enqueue", 1, [10, 20], []),
        ("Forbid", 1, [], [10, 20]),
        ("Forbid", 0, [10], [20]),
        ("Replace", 1, [20], [10]),
        ("Replace", 0, [20], [10]),
    ],
)
def test_an_unfinished_run_matters_as_concurrency_says(
    concurrency: str, active: int, run: list[float], skipped: list[float]
) -> None:
    found = decide(0, 20, active, concurrency=concurrency, missed={"policy": "All"})
    assert (minutes(found.run), sorted(why(found)), found.up_to) == (run, skipped, moment(20))


def test_jitter_is_the_same_for_the_same_tick_and_keeps_the_order_of_ticks() -> None:
    schedule = Schedule(every="10m", jitter="30m")
    shifts = [shift(schedule, "uid", moment(tick)) for tick in (10, 20, 30, 40)]
    assert shifts == [shift(schedule, "uid", moment(tick)) for tick in (10, 20, 30, 40)]
    assert len(set(shifts)) == 4 and all(timedelta() <= one < timedelta(minutes=30) for one in shifts)
    assert shift(schedule, "another", moment(10)) != shifts[0]
    done, now = 0.0, 0.0
    order = []
    while len(order) < 4:
        found = decide(done, now, jitter="30m", missed={"policy": "None"})
        order += minutes(found.run)
        assert found.again is not None and found.again > moment(now)
        done, now = minutes([found.up_to])[0], minutes([found.again])[0]
    assert order == [10, 20, 30, 40]


def test_after_the_last_tick_there_is_nothing_to_look_for() -> None:
    assert decide(0, 10, end="2026-01-01T12:15").again is None


def test_of_very_many_missed_ticks_only_the_latest_are_looked_at() -> None:
    found = decide(0, 10 * (DUE_TICKS_LIMIT + 500), missed={"policy": "All", "limit": 1000})
    assert len(found.run) == DUE_TICKS_LIMIT and minutes(found.run)[-1] == 10 * (DUE_TICKS_LIMIT + 500)
    assert f"at most {DUE_TICKS_LIMIT} are considered" in in_words(Calendar(Schedule(every="10m")), found.skipped)


def test_what_became_of_skipped_ticks_is_told_by_reason() -> None:
    words = in_words(
        Calendar(Schedule(every="10m")), decide(0, 35, missed={"policy": "Last"}, startingDeadline="20m").skipped
    )
    assert words == (
        "tick 2026-01-01T12:10:00+00:00 got no run: later than startingDeadline, 20m; "
        "tick 2026-01-01T12:20:00+00:00 got no run: missed (missed.policy: Last)"
    )
