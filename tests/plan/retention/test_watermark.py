"""Up to where runs are recorded, and which of them wait."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.plan.retention.runs import EndedRun, Surplus
from tradewind.plan.retention.watermark import NOTHING, Unrecorded, Watermark, data, read, released

NOW = 1_000_000
MARK = Watermark(70, 60)


def stored(**more: Any) -> dict[str, Any]:
    found = data(MARK, "u", "cluster", "2026-05-01T06:00:00Z")
    return {"metadata": {"uid": "u", "resourceVersion": "80"}, "data": found, **more}


def test_what_is_written_is_read() -> None:
    assert read(stored()) == MARK


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"metadata": {}},
        stored(data=None),
        stored(data={}),
        stored(metadata={"uid": "another", "resourceVersion": "80"}),
        stored(metadata={"uid": "u", "resourceVersion": "70"}),
        stored(metadata={"uid": "u"}),
        stored(metadata={"resourceVersion": "80"}, data={"runsUpTo": "5", "configMap": None}),
        stored(data={**data(MARK, "u", "c", ""), "runsUpTo": "9" * 40, "logsUpTo": "x"}),
    ],
    ids=range(9),
)
def test_one_of_another_cluster_or_time_counts_as_none(body: dict[str, Any]) -> None:
    assert read(body) == NOTHING


def item(name: str, version: int, age: int = 60) -> Surplus:
    return Surplus(name, EndedRun(NOW - age, version, True), "limit")


def names(found: Any) -> list[str]:
    return [run.name for run in found]


def test_runs_wait_until_they_are_recorded() -> None:
    found = released([item("a", 5), item("b", 9), item("c", 7)], 7, Unrecorded(), NOW)
    assert (names(found.free), names(found.lost), found.waiting) == (["a", "c"], [], 1)


def test_the_oldest_of_too_many_no_longer_wait() -> None:
    found = released([item(str(n), 100 + n) for n in range(5)], 0, Unrecorded(runs=2), NOW)
    assert (names(found.free), names(found.lost), found.waiting) == (["0", "1", "2"], ["0", "1", "2"], 2)


def test_no_run_waits_longer_than_the_limit() -> None:
    found = released([item("a", 5, 100), item("b", 6, 99)], 0, Unrecorded(seconds=100), NOW)
    assert (names(found.free), names(found.lost), found.waiting) == (["a"], ["a"], 1)


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 200)), max_size=30), st.integers(0, 50), st.integers(0, 9))
def test_what_waits_is_bounded_and_all_else_is_free(runs: list[tuple[int, int]], up_to: int, most: int) -> None:
    given = [item(str(n), version, age) for n, (version, age) in enumerate(runs)]
    found = released(given, up_to, Unrecorded(most, 150), NOW)
    assert len(found.free) + found.waiting == len(given) and found.waiting <= most
    recorded = {run.name for run in given if run.past.version <= up_to}
    assert recorded <= set(names(found.free)) and not recorded & set(names(found.lost))
    assert set(names(found.free)) == recorded | set(names(found.lost))
