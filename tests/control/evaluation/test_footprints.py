"""The memory that the runs of a namespace may take."""

from hypothesis import given
from hypothesis import strategies as st
from tradewind.control.evaluation.footprints import LOOK_AGAIN, Footprints


def test_a_run_waits_while_the_others_of_its_namespace_take_what_there_is() -> None:
    seen = Footprints(limit=10)
    seen.note("a", "1", 6)
    seen.note("a", "2", 4)
    assert seen.crowded("a", "3", False) and not seen.crowded("a", "3", True)
    assert not seen.crowded("a", "1", False), "what it takes itself does not keep it waiting"
    assert not seen.crowded("b", "4", False)
    seen.note("a", "1", 5)
    assert not seen.crowded("a", "3", False)


def test_a_run_that_another_waits_for_has_as_much_again() -> None:
    seen = Footprints(limit=10)
    seen.note("a", "1", 20)
    assert seen.crowded("a", "2", True)


def test_many_that_wait_look_less_often() -> None:
    seen = Footprints(limit=10)
    for uid in ("x", "y", *map(str, range(200))):
        seen.note("b" if uid == "y" else "a", uid, 0)
    assert seen.wait("a", "x", False) is None
    assert seen.wait("a", "x", True) == LOOK_AGAIN
    assert [seen.wait("a", str(number), True) for number in range(200)][-1] == 20.1
    assert seen.wait("b", "y", True) == LOOK_AGAIN
    assert seen.wait("a", "x", False) is None


def test_a_run_that_is_gone_does_not_wait() -> None:
    seen = Footprints(limit=10)
    seen.note("a", "1", 5)
    assert seen.wait("a", "1", True) == LOOK_AGAIN
    seen.drop("1")
    assert seen.wait("a", "1", True) is None and not seen._waiting


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("12345"), st.integers(-1, 9))))
def test_sums_are_those_of_the_runs_that_are_there(steps: list[tuple[str, str, int]]) -> None:
    seen, sizes = Footprints(limit=10), dict[str, int]()
    for namespace, name, size in steps:
        uid = namespace + name
        if size < 0:
            seen.drop(uid)
            sizes.pop(uid, None)
        else:
            seen.note(namespace, uid, size)
            sizes[uid] = size
        for space in "ab":
            total = sum(count for key, count in sizes.items() if key[0] == space)
            assert seen.crowded(space, "other", False) == (total >= 10)
    for uid in [*sizes]:
        seen.drop(uid)
    assert not seen._sums and not seen._of_run and not seen._waiting
