"""Which runs of a DAG come before another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.plan.retention.runs import EndedRun, newest_success
from tradewind.plan.starts.past_runs import PastRun, awaited, before, last_success, previous

DAY = 86_400.0


def run(name: str, day: float, phase: str = "Succeeded", created: int = 0, dated: bool = True) -> PastRun:
    return PastRun(name, phase, day * DAY, created or int(day * DAY), dated)


RUNS = [run("mon", 1), run("tue", 2, "Failed"), run("wed", 3), run("wed-again", 3, "Failed", created=9_999_999)]


@pytest.mark.parametrize(
    ("day", "before", "success"),
    [(1, "", ""), (2, "mon", "mon"), (3, "tue", "mon"), (4, "wed-again", "wed"), (99, "wed-again", "wed")],
)
def test_the_run_before_is_that_of_the_latest_earlier_date_made_last(day: float, before: str, success: str) -> None:
    new = run("new", day, "")
    names = [found.name if found else "" for found in (previous(new, RUNS), last_success(new, RUNS))]
    assert names == [before, success]


def test_a_rerun_sees_what_the_run_of_its_date_saw() -> None:
    assert previous(run("again", 3, ""), RUNS) == previous(run("wed", 3, ""), RUNS)


def test_runs_without_a_date_follow_one_another_within_a_second_too() -> None:
    a, b = (run(name, 1, dated=False) for name in "ab")
    assert before(a, b) and not before(b, a)


@pytest.mark.parametrize(
    ("phase", "waits"),
    [("", True), ("Queued", True), ("Running", True), ("Failed", True), ("Succeeded", False), ("Cancelled", False)],
)
def test_a_run_waits_until_the_one_before_has_succeeded_or_is_not_wanted(phase: str, waits: bool) -> None:
    found = awaited(run("new", 5, ""), [run("old", 3), run("last", 4, phase)])
    assert (found.name if found else "") == ("last" if waits else "")


def test_a_cancelled_run_hides_no_earlier_one() -> None:
    found = awaited(run("new", 5, ""), [run("failed", 3, "Failed"), run("given-up", 4, "Cancelled")])
    assert found and found.name == "failed"


phases = st.sampled_from(["", "Queued", "Running", "Succeeded", "Failed", "Cancelled"])
past = st.builds(
    PastRun, st.text("ab", max_size=3), phases, st.sampled_from([0.0, 1.0, 2.0]), st.integers(0, 2), st.booleans()
)

others = st.lists(past, max_size=8, unique_by=lambda run: run.name)


@given(others, past)
def test_nobody_waits_in_a_circle_and_order_does_not_matter(others: list[PastRun], new: PastRun) -> None:
    assert not before(new, new)
    assert not any(before(other, new) and before(new, other) for other in others)
    for choose in (previous, last_success, awaited):
        assert choose(new, others) == choose(new, reversed(others))


@given(others, past)
def test_the_newest_success_is_the_last_success_of_what_comes_after_all(others: list[PastRun], new: PastRun) -> None:
    later = PastRun("later", "", 3.0, 3, True)
    ended = {
        run.name: EndedRun(0, 0, run.phase == "Succeeded", moment=run.moment, created=run.created) for run in others
    }
    found = last_success(later, others)
    assert newest_success(ended) == ({found.name} if found else set())
