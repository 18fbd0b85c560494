"""The packed attempts of a run's status."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.control.status import append, decode
from tradewind.plan.attempt import FAILURES, LOSSES, Attempt

ATTEMPTS = st.lists(
    st.builds(
        lambda task, number, start, length, reason, code, node: Attempt(
            task, number, start, start + length, reason, code, node
        ),
        st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?(\[[0-9]{1,4}\])?", fullmatch=True),
        st.integers(1, 200),
        st.integers(-5, 10_000_000),
        st.integers(0, 100_000),
        st.sampled_from(["", *FAILURES, *LOSSES, "Cancelled"]),
        st.one_of(st.none(), st.integers(1, 255)),
        st.sampled_from(["", "node-a", "node-b"]),
    ),
    max_size=30,
)


@given(ATTEMPTS, st.integers(0, 2_000_000_000))
def test_what_is_written_is_what_is_read(attempts: list[Attempt], epoch: int) -> None:
    text, nodes = append("", [], attempts, epoch)
    assert decode(text, nodes, epoch) == attempts


@given(ATTEMPTS, st.integers(0, 30))
def test_text_that_grows_says_what_text_made_at_once_says(attempts: list[Attempt], cut: int) -> None:
    text, nodes = append(*append("", [], attempts[:cut], 7), attempts[cut:], 7)
    assert (text, nodes) == append("", [], attempts, 7)


def test_the_usual_attempt_takes_few_bytes() -> None:
    attempts = [Attempt(f"task-{index}", 1, 1_000 + index, 1_010 + index, node="node") for index in range(10_000)]
    text, _ = append("", [], attempts, 1_000)
    assert len(text) < 200_000
    assert text.splitlines()[5] == "task-5 5+10"


def test_an_unusual_attempt_is_readable() -> None:
    text, nodes = append("", [], [Attempt("a", 1, 10, 12, node="n1"), Attempt("a", 2, 20, 21, "Error", 3, "n2")], 10)
    assert text == "a 0+2\na 10+1 #2 @1 =3 Error" and nodes == ["n1", "n2"]


@pytest.mark.parametrize("text", ["nonsense", "a b+c", "a 1+1 @7", "a 1+1 #x", "\x00"])
def test_garbage_is_named_not_guessed(text: str) -> None:
    with pytest.raises(ValueError, match="can't be read"):
        decode(text, ["n"], 0)
