"""Which runs are deleted after their end, and when."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.model.history import History
from tradewind.plan.retention.runs import GRACE, REPEATS, EndedRun, surplus

NOW = 1_000_000


def keep(**rules: Any) -> History:
    return History.model_validate(rules)


def ended(*ages: int, succeeded: bool = True, prefix: str = "r") -> dict[str, EndedRun]:
    """Runs by how many seconds ago they ended."""
    return {f"{prefix}{age}": EndedRun(NOW - age, 1, succeeded) for age in ages}


@pytest.mark.parametrize(
    ("rules", "ages", "gone", "again"),
    [
        ({}, (20, 30), [], None),
        ({"succeeded": {"limit": 2}}, (20, 30, 40, 50), ["r50", "r40"], None),
        ({"succeeded": {"limit": 0}}, (9, 10), ["r10"], NOW + 1),
        ({"succeeded": {"limit": 1}}, (1, 3), [], NOW + 7),
        ({"succeeded": {"ttl": "60s"}}, (20, 59, 60, 90), ["r90", "r60"], NOW + 1),
        ({"succeeded": {"ttl": "0s"}}, (3, 30), ["r30"], NOW + 7),
        ({"succeeded": {"limit": 1, "ttl": "1h"}}, (20, 30, 7200), ["r7200", "r30"], NOW + 3580),
        ({"failed": {"limit": 0}}, (20, 30), [], None),
    ],
)
def test_limit_and_time_to_live(
    rules: dict[str, Any], ages: tuple[int, ...], gone: list[str], again: int | None
) -> None:
    found, when = surplus(ended(*ages), keep(**rules), NOW)
    assert ([item.name for item in found], when) == (gone, again)


def test_successes_and_failures_are_counted_apart() -> None:
    runs = ended(20, 30) | ended(25, 35, succeeded=False, prefix="f")
    found, _ = surplus(runs, keep(succeeded={"limit": 1}, failed={"limit": 1}), NOW)
    assert [(item.name, item.reason) for item in found] == [("f35", "limit"), ("r30", "limit")]


def test_a_hundred_of_each_are_kept_unless_a_dag_says_otherwise() -> None:
    found, _ = surplus(ended(*range(20, 121)), History(), NOW)
    assert [item.name for item in found] == ["r120"]


@given(
    st.dictionaries(st.text("abc", max_size=4), st.tuples(st.integers(0, 200), st.booleans()), max_size=30),
    st.integers(0, 5),
    st.one_of(st.none(), st.integers(0, 150)),
)
def test_what_stays_is_within_the_limits_and_what_goes_is_older_than_all_that_stays(
    runs: dict[str, tuple[int, bool]], limit: int, ttl: int | None
) -> None:
    past = {name: EndedRun(NOW - age, 1, good) for name, (age, good) in runs.items()}
    rule = {"limit": limit, **({} if ttl is None else {"ttl": f"{ttl}s"})}
    found, again = surplus(past, keep(succeeded=rule, failed=rule), NOW)
    gone = {item.name for item in found}
    for good in (True, False):
        stays = [item for name, item in past.items() if item.succeeded is good and name not in gone]
        goes = [item for name, item in past.items() if item.succeeded is good and name in gone]
        settled = [item for item in stays if NOW - item.ended >= GRACE]
        assert len(settled) <= limit and all(ttl is None or NOW - item.ended < ttl for item in settled)
        assert all(old.ended <= new.ended for old in goes for new in stays)
        assert all(NOW - item.ended >= GRACE for item in goes)
    if again is not None:
        assert again > NOW
        assert surplus(
            {name: item for name, item in past.items() if name not in gone}, keep(succeeded=rule, failed=rule), again
        )[0]


def test_a_run_of_an_event_stays_as_long_as_its_sender_may_try_again() -> None:
    runs = {name: EndedRun(NOW - age, 1, True, REPEATS) for name, age in (("old", 600), ("new", 599))}
    for rules in ({"limit": 0}, {"ttl": "1m"}):
        found, again = surplus(runs, keep(succeeded=rules), NOW)
        assert ([item.name for item in found], again) == (["old"], NOW + 1)
