"""The packed attempts of a run's status."""

import base64
import gzip
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.control.dagrun.attempt_log import ATTEMPT_LOG_BYTES, UNPACKED_BYTES_LIMIT, Packed, append, decode
from tradewind.kube.merge_patch import difference
from tradewind.plan.outcomes.attempt import FAILURES, LOSSES, Attempt, Cleared, Fixed, Retried
from tradewind.plan.outcomes.state import State

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
    assert decode(append(Packed(), attempts, epoch), epoch).attempts == attempts


@given(ATTEMPTS, st.integers(0, 30))
def test_text_that_grows_says_what_text_made_at_once_says(attempts: list[Attempt], cut: int) -> None:
    assert append(append(Packed(), attempts[:cut], 7), attempts[cut:], 7) == append(Packed(), attempts, 7)


def test_what_people_did_is_read_as_it_was_written() -> None:
    done = Fixed("b", State.SUCCEEDED, "marked by hand")
    entries = [Attempt("a", 1, 1, 2, "Error"), Retried("a", 1), Cleared("x[3]", 2), done, Retried("x[3]", 4)]
    log = decode(append(Packed(), entries, 0), 0)
    assert (log.retried, log.cleared, log.fixed) == ({"a": 1, "x[3]": 4}, {"x[3]": 2}, {"b": done})


def many(count: int) -> list[Attempt]:
    return [Attempt(f"task-{index}", 1, 1_000 + index, 1_010 + index, node="node") for index in range(count)]


def test_of_many_attempts_the_latest_are_readable_and_all_are_there() -> None:
    attempts, packed = many(10_000), Packed()
    for first in range(0, 10_000, 100):
        packed = append(packed, attempts[first : first + 100], 1_000)
        assert len(packed.text) <= ATTEMPT_LOG_BYTES
    assert len(packed.text) + len(packed.archive) < 80_000
    assert packed.text.splitlines()[-1] == "task-9999 9999+10"
    assert decode(packed, 1_000).attempts == attempts


@pytest.mark.skipif(not shutil.which("gunzip"), reason="needs gunzip")
def test_a_person_can_read_the_archive_with_ordinary_tools() -> None:
    packed = append(Packed(), many(1_000), 1_000)
    done = subprocess.run(["gunzip"], input=base64.b64decode(packed.archive), capture_output=True, check=True)
    assert (done.stdout.decode() + packed.text).splitlines()[5] == "task-5 5+10"


def test_what_a_hundred_tasks_need_stays_readable() -> None:
    packed = append(Packed(), many(100), 1_000)
    assert not packed.archive and packed.text.splitlines()[5] == "task-5 5+10"


def test_an_unusual_attempt_is_readable() -> None:
    packed = append(Packed(), [Attempt("a", 1, 10, 12, node="n1"), Attempt("a", 2, 20, 21, "Error", 3, "n2")], 10)
    assert packed == Packed("a 0+2\na 10+1 #2 @1 =3 Error", "", ("n1", "n2"))


@pytest.mark.parametrize("text", ["nonsense", "a b+c", "a 1+1 @7", "a 1+1 #x", "\x00"])
def test_garbage_is_named_not_guessed(text: str) -> None:
    with pytest.raises(ValueError, match="can't be read"):
        decode(Packed(text, "", ("n",)), 0)


BOMB = base64.b64encode(gzip.compress(b"\0" * (UNPACKED_BYTES_LIMIT + 1), mtime=0)).decode()
CUT = append(Packed(), many(1_000), 0).archive[:400]
LATIN = base64.b64encode(gzip.compress("ä 1+1".encode("latin-1"), mtime=0)).decode()


@pytest.mark.parametrize("archive", ["not base64!", "aGVsbG8=", "é", BOMB, CUT, LATIN])
def test_an_archive_that_is_garbage_is_named_not_guessed(archive: str) -> None:
    with pytest.raises(ValueError, match=r"status\.archive can't be read"):
        decode(Packed("", archive, ()), 0)


def test_a_difference_names_what_is_new_and_an_empty_field_is_as_good_as_none() -> None:
    before = {"phase": "Active", "schedule": {"upTo": "a"}}
    after = {"phase": "Active", "next": None, "message": "", "schedule": {"upTo": "a", "lastTick": None}}
    assert difference(before, after) == {}
    assert difference(before, {**after, "schedule": {"upTo": "b", "lastTick": None}}) == {"schedule": {"upTo": "b"}}
