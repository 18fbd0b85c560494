"""Seats that namespaces share: turns, shares, and hosts."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from tradewind.plan.capacity.seats import Seats

WHO = st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"))


def called(seats: Seats[int]) -> list[tuple[str, str, int]]:
    found = []
    while one := seats.call():
        found.append(one)
    return found


def test_whoever_holds_least_is_next_however_many_wait() -> None:
    seats = Seats[int](total=64, share=16)
    for number in range(1_000):
        seats.wait("loud", "", number)
    assert len(called(seats)) == 16, "a share, though the rest is free"
    seats.wait("quiet", "", 0)
    assert called(seats) == [("quiet", "", 0)]


def test_namespaces_take_turns_when_all_seats_are_taken() -> None:
    seats = Seats[int](total=4, share=4)
    for number in range(8):
        seats.wait("a", "", number)
    assert [number for *_, number in called(seats)] == [0, 1, 2, 3]
    for namespace in "bc":
        for number in range(2):
            seats.wait(namespace, "", number)
    order = []
    for _ in range(4):
        seats.leave("a", "")
        order += [namespace for namespace, *_ in called(seats)]
    assert order == ["b", "c", "a", "b"], "a holds no more than the others by then"


def test_a_host_is_shared_too() -> None:
    seats = Seats[int](total=32, share=16, host=6, host_share=4)
    for number in range(20):
        seats.wait("a", "shared", number)
    seats.wait("a", "other", 20)
    seats.wait("b", "shared", 21)
    assert Counter((namespace, host) for namespace, host, _ in called(seats)) == {
        ("a", "shared"): 4,
        ("a", "other"): 1,
        ("b", "shared"): 1,
    }


@given(st.lists(st.one_of(WHO, st.integers(0, 30))))
def test_bounds_hold_and_nobody_waits_for_a_free_seat(steps: list[tuple[str, str] | int]) -> None:
    """A pair is an arrival; a number is a departure of one of those seated."""
    seats, seated, waiting = Seats[int](6, 4, 4, 3), list[tuple[str, str]](), Counter[tuple[str, str]]()
    for number, step in enumerate(steps):
        if isinstance(step, tuple):
            seats.wait(*step, number)
            waiting[step] += 1
        elif seated:
            seats.leave(*seated.pop(step % len(seated)))
        for namespace, host, _ in called(seats):
            seated.append((namespace, host))
            waiting[namespace, host] -= 1
        both, namespaces, hosts = Counter(seated), Counter(a for a, _ in seated), Counter(b for _, b in seated)
        assert len(seated) <= 6 and max(namespaces.values(), default=0) <= 4
        assert max(hosts.values(), default=0) <= 4 and max(both.values(), default=0) <= 3
        assert dict(namespaces) == dict(seats.held)
        for (namespace, host), count in waiting.items():
            full = namespaces[namespace] == 4 or hosts[host] == 4 or both[namespace, host] == 3
            assert not count or full or len(seated) == 6
