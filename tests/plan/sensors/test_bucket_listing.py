"""Which objects of a bucket are new: each once, with a memory that is bounded."""

from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind.model.duration import stamp
from tradewind.plan.sensors import bucket_listing as objects
from tradewind.plan.sensors.bucket_listing import SETTLED, Mark, Object, fresh

MOST, KEYS = 4, 8
BEGUN = 1_000


def made(key: str, at: int, etag: str = "e") -> Object:
    return Object(key, 1, etag, stamp(at))


class Watcher:
    """Does what a trigger does with a bucket."""

    def __init__(self) -> None:
        self.mark: Mark = (BEGUN, "")
        self.keys: list[str] = []
        self.found: list[Object] = []

    def poll(self, there: list[Object], now: float) -> bool:
        with patch.multiple(objects, KEYS_REMEMBERED=MOST, MOST_KEYS=KEYS):
            new = fresh(there, self.mark, self.keys, now)
        assert len(new.found) <= MOST and len(new.keys) <= KEYS + MOST and new.mark >= self.mark
        self.mark, self.keys = new.mark, list(new.keys)
        self.found += new.found
        return new.more


# Steps: how many objects appear, how much time passes, how many of the oldest are removed.
steps = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 5), st.integers(0, 6)), max_size=30)


@settings(deadline=None)
@given(steps, st.randoms(use_true_random=False))
def test_each_object_is_new_once_however_many_there_are(history: list[tuple[int, int, int]], random: object) -> None:
    watcher, there, now = Watcher(), [made(f"old{n}", BEGUN - 1 - n) for n in range(5)], float(BEGUN)
    came: list[Object] = []
    for count, passes, gone in history:
        for _ in range(count):
            item = made(f"{random.random()}-{len(came)}", int(now))  # type: ignore[attr-defined]
            came.append(item)
            there.append(item)
        now += passes
        watcher.poll(there, now)
        done = {item.digest for item in watcher.found}
        taken = [item for item in there if item.digest in done][:gone]
        there = [item for item in there if item not in taken]
    now += SETTLED
    while watcher.poll(there, now):
        pass
    assert sorted(item.digest for item in watcher.found) == sorted(item.digest for item in came)


@settings(deadline=None)
@given(st.lists(st.integers(0, 3_000), max_size=KEYS, unique=True))
def test_one_that_turns_up_late_is_new_as_long_as_the_others_are_remembered(times: list[int]) -> None:
    watcher, there = Watcher(), []
    for number, time in enumerate(times):  # in any order: an upload's time is when it began
        there.append(made(f"{number}", BEGUN + 1 + time))
        while watcher.poll(there, BEGUN + 5_000):
            pass
        assert {item.key for item in watcher.found} == {item.key for item in there}
    assert len(watcher.found) == len(there)


def test_one_that_is_written_again_is_new_again() -> None:
    watcher = Watcher()
    watcher.poll([made("a", 1_001)], 1_100)
    watcher.poll([made("a", 1_050, "f")], 1_100)
    watcher.poll([made("a", 1_050, "f")], 1_200)
    assert [item.etag for item in watcher.found] == ["e", "f"]


def test_one_that_has_just_come_is_left_alone_for_a_moment() -> None:
    watcher = Watcher()
    watcher.poll([made("a", 1_100)], 1_100)
    assert not watcher.found
    watcher.poll([made("a", 1_100)], 1_100 + SETTLED)
    assert len(watcher.found) == 1
