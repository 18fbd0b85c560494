"""The size of regular expressions with their repetitions expanded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.plan.cel.functions.prices import compiling
from tradewind.plan.cel.functions.regex_size import extent

ATOMS = ["a", "é", "[a-z]", "[^a]", "[]é]", r"\pL", r"\p{Greek}", r"\PN", r"\d", r"\W", ".", r"\x{10000}", r"\x41", r"\Qa(b\E", "(?:ab)", "(?P<n>x)"]  # fmt: skip
PIECES = st.lists(
    st.tuples(st.sampled_from(ATOMS), st.sampled_from(["", "*", "+?", "{3}", "{2,50}", "{1000}"])),
    min_size=1,
    max_size=6,
).map(lambda parts: "".join(atom + count for atom, count in parts))


@given(PIECES, PIECES)
def test_parts_that_follow_one_another_are_added_up(one: str, other: str) -> None:
    both, first, second = extent(one + other), extent(one), extent(other)
    assert both.states == pytest.approx(first.states + second.states)
    assert both.large == first.large + second.large


@given(PIECES, st.integers(1, 1_000))
def test_a_group_is_as_large_as_what_is_in_it_as_often_as_it_is_repeated(inside: str, times: int) -> None:
    assert extent(f"(?:{inside}){{{times}}}").states >= times * extent(inside).states


def test_many_parts_of_which_each_is_repeated_cost_as_much_as_all_of_them() -> None:
    part = r"\pL{50}"
    assert compiling(part * 20) == pytest.approx(20 * compiling(part), rel=0.1)
    assert compiling(f"(?:{part}|x){{20}}") > 19 * compiling(part)


@pytest.mark.parametrize(
    ("pattern", "letters"),
    [("a", 1), ("a{5}", 5), ("a{2,7}b", 8), ("(a{10}){10}", 110), (r"\Q(ab\E{3}", 5), ("a{0}", 1), (r"a\{9\}", 4), ("[a{9}]", 1), ("((((a{9}", 13), ("a)){9}", 9)],
)  # fmt: skip
def test_letters_are_counted(pattern: str, letters: int) -> None:
    assert extent(pattern).letters == letters


@pytest.mark.parametrize("pattern", ["(?i)é", "(?si)[é]", r"(?i)\W", r"(?mi)[^a]"])
def test_a_class_that_ignores_case_beyond_ascii_is_one_of_unicode(pattern: str) -> None:
    assert extent(pattern).large == 1


def test_a_number_of_thousands_of_digits_is_none() -> None:
    assert extent("a{" + "9" * 5_000 + "}").letters == 5_003


@given(st.text(alphabet=r"()[]{}|*+?.\Qpx^$:<>i1259,aé", max_size=60))
def test_any_text_has_a_size(pattern: str) -> None:
    assert 0 <= extent(pattern).states < float("inf")
