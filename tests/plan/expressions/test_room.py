"""What rendered data takes."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.plan.expressions.room import held


@given(st.text(max_size=200), st.sampled_from(["", "é", "中", "😀", "\ud800"]))
def test_a_text_counts_as_the_memory_that_it_takes(text: str, wide: str) -> None:
    fresh = "".join([*(text + wide)])
    assert held(fresh) <= sys.getsizeof(fresh) <= held(fresh) + 80


@pytest.mark.parametrize(("last", "each"), [("a", 1), ("é", 1), ("中", 2), ("😀", 4)])
def test_one_wide_character_widens_all(last: str, each: int) -> None:
    assert held("a" * 99 + last) == 100 * each
