"""Who gets slots: within the pool, in turn, and nobody waits for ever."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind.plan.pool import AGING, Claim, PoolId, allot

DB: PoolId = ("Pool", "ns", "db")
LIC: PoolId = ("ClusterPool", "", "lic")


def claims(run: str, *slots: int, priority: int = 0, since: float = 0.0, pool: PoolId = DB) -> list[Claim]:
    return [Claim(run, f"t{at}", {pool: number}, priority, since) for at, number in enumerate(slots)]


def keys(granted: list[Claim]) -> list[str]:
    return [f"{claim.run}/{claim.key}" for claim in granted]


def test_runs_take_turns_instead_of_the_first_taking_all() -> None:
    waiting = {"a": claims("a", 1, 1, 1, 1), "b": claims("b", 1, 1, since=5.0)}
    assert keys(allot({DB: 4}, {}, {}, waiting, {}, 10.0)) == ["a/t0", "b/t0", "a/t1", "b/t1"]


def test_the_run_that_holds_least_comes_first() -> None:
    waiting = {"a": claims("a", 1), "b": claims("b", 1, since=5.0)}
    assert keys(allot({DB: 3}, {DB: 2}, {"a": 2}, waiting, {}, 10.0)) == ["b/t0"]


def test_priority_comes_before_turns_and_waiting_raises_it() -> None:
    high, low = claims("high", 1, priority=3, since=0.0), claims("low", 1, since=0.0)
    assert keys(allot({DB: 1}, {}, {}, {"high": high, "low": low}, {}, 1.0)) == ["high/t0"]
    late = claims("late", 1, priority=3, since=4 * AGING)
    assert keys(allot({DB: 1}, {}, {}, {"late": late, "low": low}, {}, 4 * AGING)) == ["low/t0"]


def test_a_large_claim_is_not_overtaken_for_ever_by_small_ones() -> None:
    waiting = {"big": claims("big", 3, priority=1), "small": claims("small", 1, 1)}
    assert keys(allot({DB: 3}, {DB: 2}, {}, waiting, {}, 1.0)) == []
    assert keys(allot({DB: 3}, {DB: 0}, {}, waiting, {}, 1.0)) == ["big/t0"]


def test_a_claim_that_can_never_fit_is_in_nobodys_way() -> None:
    waiting = {
        "big": claims("big", 9, priority=1),
        "none": claims("none", 1, pool=LIC, priority=1),
        "small": claims("small", 1),
    }
    assert keys(allot({DB: 3}, {}, {}, waiting, {}, 1.0)) == ["small/t0"]


def test_a_claim_on_two_pools_gets_both_or_none_and_waits_in_both() -> None:
    both = [Claim("a", "t0", {DB: 1, LIC: 1}, 1, 0.0)]
    waiting = {"a": both, "b": claims("b", 1), "c": claims("c", 1, pool=LIC)}
    assert keys(allot({DB: 1, LIC: 1}, {LIC: 1}, {}, waiting, {}, 1.0)) == []
    assert keys(allot({DB: 1, LIC: 1}, {}, {}, waiting, {}, 1.0)) == ["a/t0"]


def test_a_pool_that_was_made_smaller_waits_until_it_has_room() -> None:
    assert allot({DB: 1}, {DB: 3}, {"a": 3}, {"b": claims("b", 1)}, {}, 1.0) == []


WAITING = st.dictionaries(
    st.sampled_from("abcdef"),
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3), st.integers(0, 300)), max_size=6),
)


@given(st.integers(0, 6), st.integers(0, 3), WAITING)
def test_no_more_slots_are_given_than_there_are(
    capacity: int, used: int, waiting: dict[str, list[tuple[int, int, int]]]
) -> None:
    made = {
        run: [Claim(run, str(at), {DB: s}, p, float(t)) for at, (s, p, t) in enumerate(w)] for run, w in waiting.items()
    }
    granted = allot({DB: capacity}, {DB: used}, {}, made, {}, 300.0)
    assert sum(claim.slots[DB] for claim in granted) <= max(0, capacity - used)
    assert len({(claim.run, claim.key) for claim in granted}) == len(granted)
    fits = [claim for run in made.values() for claim in run if claim.slots[DB] <= capacity]
    if capacity > used and fits and all(claim.slots[DB] == 1 for claim in fits):
        assert granted, "room, and nobody gets it"


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.data())
def test_nobody_starves_however_many_more_important_ones_keep_coming(
    importance: int, weight: int, length: int, data: st.DataObject
) -> None:
    """One claim of priority 0 against a newcomer of higher priority every ten seconds."""
    capacity, holders = 4, {}
    patient = Claim("patient", "t", {DB: weight}, 0, 0.0)
    waiting: dict[str, list[Claim]] = {"patient": [patient]}
    for step in range(400):
        now = step * 10.0
        holders = {name: end for name, end in holders.items() if end[0] > step}
        waiting[f"n{step}"] = [Claim(f"n{step}", "t", {DB: data.draw(st.integers(1, 4))}, importance, now)]
        used = sum(slots for _, slots in holders.values())
        for claim in allot({DB: capacity}, {DB: used}, {}, waiting, {}, now):
            del waiting[claim.run]
            holders[claim.run] = (step + length, claim.slots[DB])
        if "patient" not in waiting:
            return
    raise AssertionError("it never had its turn")
