"""Triggers that stop firing when their runs fail, one after the other: decided from the runs that exist."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.model.history import History
from tradewind.model.trigger import TriggerSpec
from tradewind.plan.triggers.failures_in_a_row import EndedRun, EndedRuns, check, words
from tradewind.plan.triggers.trigger import check as check_trigger

NOW = 1_000_000.0


def runs(outcomes: str) -> list[EndedRun]:
    """A run a minute: `f` and `s` of the trigger, `F` and `S` of others. Each takes half a minute."""
    return [
        EndedRun(
            f"r{at}", letter in "sS", NOW - 9_000 + 60 * at, NOW - 9_000 + 60 * at + 30, "t" if letter.islower() else ""
        )
        for at, letter in enumerate(outcomes)
    ]


def in_a_row(made: Iterable[EndedRun], keep: History, since: float, now: float, most: int = 100) -> list[str]:
    ended = EndedRuns()
    for run in made:
        ended.put(run)
    return ended.in_a_row("t", keep, since, now, most)


def history(**succeeded: Any) -> History:
    return History.model_validate({"succeeded": succeeded})


@pytest.mark.parametrize(
    ("outcomes", "keep", "failed"),
    [
        ("", {}, []),
        ("fff", {}, ["r2", "r1", "r0"]),
        ("ffsff", {}, ["r4", "r3"]),
        ("ffs", {}, []),
        ("fSfFf", {}, ["r4", "r2", "r0"]),  # Runs of others don't count, whatever their outcome.
        # A history that is full may have deleted a success between older failures.
        ("ffSff", {"limit": 1}, ["r4", "r3"]),
        ("fffSSf", {"limit": 2}, ["r5"]),
        ("fffSSf", {"limit": 3}, ["r5", "r2", "r1", "r0"]),
        ("fff", {"limit": 0}, []),
        ("fff", {"ttl": "1h"}, []),
        ("fff", {"ttl": "1d"}, ["r2", "r1", "r0"]),
    ],
)
def test_failures_after_the_last_success_count_as_far_as_history_tells(
    outcomes: str, keep: dict[str, Any], failed: list[str]
) -> None:
    assert in_a_row(reversed(runs(outcomes)), history(**keep), float("-inf"), NOW) == failed


def test_failures_before_a_resumption_do_not_count() -> None:
    made = runs("ffff")
    assert in_a_row(made, history(), made[2].created, NOW) == ["r3", "r2"]


def test_as_many_as_are_asked_for_are_told() -> None:
    assert in_a_row(runs("ffff"), history(), float("-inf"), NOW, most=2) == ["r3", "r2"]


@given(st.lists(st.tuples(st.integers(0, 6), st.sampled_from("fsFSx")), max_size=30), st.integers(0, 3))
def test_runs_that_come_change_and_go_count_as_those_that_are_left(moves: list[tuple[int, str]], limit: int) -> None:
    ended, left = EndedRuns(), dict[str, EndedRun]()
    for at, letter in moves:
        [run] = runs("f" * at + letter)[-1:]
        if letter == "x":
            ended.drop(run.name)
            left.pop(run.name, None)
        else:
            ended.put(run)
            left[run.name] = run
    keep = history(limit=limit)
    assert ended.in_a_row("t", keep, float("-inf"), NOW, 100) == in_a_row(left.values(), keep, float("-inf"), NOW)


@given(st.text("fsS", max_size=30), st.integers(1, 5))
def test_what_history_deletes_never_makes_more_failures_in_a_row(outcomes: str, limit: int) -> None:
    made = runs(outcomes)
    kept = [run for run in made if run.succeeded][-limit:]
    left = [run for run in made if not run.succeeded or run in kept]
    whole = in_a_row(made, history(limit=1_000), float("-inf"), NOW)
    assert set(in_a_row(left, history(limit=limit), float("-inf"), NOW)) <= set(whole)


@pytest.mark.parametrize(
    ("limit", "keep", "problem"),
    [
        (None, {"failed": {"limit": 0}}, ""),
        (3, {}, ""),
        (
            3,
            {"failed": {"limit": 2}},
            "spec.suspendAfterFailures: DAG d keeps 2 failed runs, so 3 are never seen; write a smaller",
        ),
        (
            3,
            {"succeeded": {"limit": 0}},
            "spec.suspendAfterFailures: DAG d keeps no successful runs, so failures in a row can't",
        ),
    ],
)
def test_a_history_that_can_not_tell_is_a_problem(limit: int | None, keep: dict[str, Any], problem: str) -> None:
    found = [str(item) for item in check(limit, "d", History.model_validate(keep))]
    assert (found == []) if not problem else found[0].startswith(problem)


@pytest.mark.parametrize(
    ("since", "words"),
    [
        ("2026-05-01", "has no time zone: add Z"),
        ("2026-05-32T00:00:00Z", "May 2026 has 31 days"),
        ("2026-05-01T00:00:00Z", ""),
    ],
)
def test_a_time_since_which_failures_count_is_one(since: str, words: str) -> None:
    spec = TriggerSpec.model_validate({"dag": "d", "schedule": {"cron": "@daily"}, "failuresSince": since})
    found = [str(problem) for problem in check_trigger(spec, None)]
    assert (found == []) if not words else found[0].startswith("spec.failuresSince: ") and words in found[0]


def test_the_message_says_how_to_resume_and_is_short() -> None:
    text = words(3, "nightly", [f"nightly-{number}" for number in range(9)])
    assert "nightly-4, ...)" in text and "`tradewind resume trigger/nightly`" in text
