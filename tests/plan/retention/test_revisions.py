"""Which revisions of a DAG are deleted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.plan.dags.compile import define
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.retention.revisions import Keep, surplus


def revisions(*numbers: int) -> dict[str, int]:
    return {f"r{number}": number for number in numbers}


@pytest.mark.parametrize(
    ("numbers", "keep", "used", "gone"),
    [
        ((1, 2, 3), Keep(3, 10), (), []),
        ((1, 2, 3, 4), Keep(4, 2), (), ["r1"]),
        ((1, 2, 3), Keep(3, 0), (), ["r1", "r2"]),
        ((9, 10, 11), Keep(11, 1), (), ["r9"]),  # by number, not by name
        ((1, 2, 3, 4), Keep(4, 1), ("r1",), ["r2"]),
        ((1, 2, 3), Keep(3, 0), ("r1", "r2"), []),
        ((1, 2, 3, 4), Keep(1, 1), (), ["r2"]),  # rolled back: the current one is not the newest, and the newest stays
        ((1, 2, 3), Keep(0, 0), (), ["r1", "r2"]),  # the spec is invalid: no revision is current
        ((1, 2, 3), None, ("r2",), ["r1", "r3"]),  # the DAG is gone
        ((), None, (), []),
    ],
)
def test_limit_use_and_the_current_one(
    numbers: tuple[int, ...], keep: Keep | None, used: tuple[str, ...], gone: list[str]
) -> None:
    assert surplus(revisions(*numbers), keep, used) == gone


NUMBERS = st.sets(st.integers(1, 40), max_size=20)


@given(NUMBERS, st.integers(0, 40), st.integers(0, 5), st.sets(st.integers(1, 40)))
def test_what_goes_is_unused_not_current_and_older_than_everything_spare_that_stays(
    numbers: set[int], current: int, limit: int, used: set[int]
) -> None:
    names = {f"r{number}" for number in used}
    gone = {int(name[1:]) for name in surplus(revisions(*numbers), Keep(current, limit), names)}
    spare = numbers - used - {current, max(numbers, default=0)}
    assert gone <= spare and len(spare - gone) == min(limit, len(spare))
    assert not gone or not spare - gone or max(gone) < min(spare - gone)


@pytest.mark.parametrize("limit", [-1, 1_001, "many"])
def test_a_limit_that_is_none_is_refused_with_its_field(limit: object) -> None:
    with pytest.raises(Invalid, match=r"spec\.revisionHistoryLimit: "):
        define({"revisionHistoryLimit": limit, "tasks": {"a": {"image": "x"}}})
