"""Allotment of slots: within the pool, in turn, and nobody waits forever."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind.plan.capacity.pool_allotment import AGING, Claim, Line, PoolId, turn
from tradewind.plan.capacity.pool_allotment import allot as allot_in_lines

DB: PoolId = ("Pool", "ns", "db")
LIC: PoolId = ("ClusterPool", "", "lic")


def claims(
    run: str, *slots: int, priority: int = 0, since: float = 0.0, pool: PoolId = DB, namespace: str = "ns"
) -> list[Claim]:
    return [Claim(namespace, run, f"t{at}", {pool: number}, priority, since) for at, number in enumerate(slots)]


def lined_up(waiting: Mapping[str, Sequence[Claim]], holding: Mapping[str, int]) -> list[Line]:
    """The claims of runs in their lines."""
    lines: dict[tuple[str, frozenset[PoolId]], Line] = {}
    for run, wanted in waiting.items():
        alike: defaultdict[tuple[str, frozenset[PoolId]], list[Claim]] = defaultdict(list)
        for claim in wanted:
            alike[claim.namespace, frozenset(claim.slots)].append(claim)
        for key, own in alike.items():
            at = turn(own[0], holding.get(run, 0), float("-inf"))
            lines.setdefault(key, Line(*key)).put(run, own, at)
    return list(lines.values())


def allot(
    capacity: Mapping[PoolId, int],
    used: Mapping[PoolId, int],
    holding: Mapping[str, int],
    waiting: Mapping[str, Sequence[Claim]],
    served: Mapping[str, float],
    now: float,
    held: Mapping[str, Mapping[PoolId, int]] | None = None,
) -> list[Claim]:
    return allot_in_lines(capacity, used, lined_up(waiting, holding), held or {}, holding, served, now)


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
    both = [Claim("ns", "a", "t0", {DB: 1, LIC: 1}, 1, 0.0)]
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
        run: [Claim("ns", run, str(at), {DB: s}, p, float(t)) for at, (s, p, t) in enumerate(w)]
        for run, w in waiting.items()
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
    patient = Claim("ns", "patient", "t", {DB: weight}, 0, 0.0)
    waiting: dict[str, list[Claim]] = {"patient": [patient]}
    for step in range(400):
        now = step * 10.0
        holders = {name: end for name, end in holders.items() if end[0] > step}
        waiting[f"n{step}"] = [Claim("ns", f"n{step}", "t", {DB: data.draw(st.integers(1, 4))}, importance, now)]
        used = sum(slots for _, slots in holders.values())
        for claim in allot({DB: capacity}, {DB: used}, {}, waiting, {}, now):
            del waiting[claim.run]
            holders[claim.run] = (step + length, claim.slots[DB])
        if "patient" not in waiting:
            return
    raise AssertionError("it never had its turn")


# Between namespaces.


def of(namespace: str, runs: int, *slots: int, priority: int = 0, since: float = 0.0) -> dict[str, list[Claim]]:
    """Runs of a namespace that want slots of the ClusterPool."""
    return {
        f"{namespace}{at}": claims(
            f"{namespace}{at}", *(slots or (1,)), priority=priority, since=since, pool=LIC, namespace=namespace
        )
        for at in range(runs)
    }


def test_a_namespace_with_a_thousand_runs_delays_another_by_no_more_than_a_turn() -> None:
    waiting = of("a", 1_000) | of("b", 1, since=500.0)
    assert keys(allot({LIC: 2}, {}, {}, waiting, {}, 500.0)) == ["a0/t0", "b0/t0"]
    assert keys(allot({LIC: 1}, {}, {}, waiting, {"a": 499.0}, 500.0)) == ["b0/t0"]


def test_priority_counts_inside_a_namespace_only() -> None:
    waiting = of("a", 3, priority=1_000_000) | of("b", 3)
    granted = allot({LIC: 4}, {}, {}, waiting, {}, 1.0)
    assert Counter(claim.namespace for claim in granted) == {"a": 2, "b": 2}
    inside = of("a", 1) | {"urgent": claims("urgent", 1, priority=9, pool=LIC, namespace="a")}
    assert keys(allot({LIC: 1}, {}, {}, inside, {}, 1.0)) == ["urgent/t0"]


def test_the_namespace_with_the_smallest_share_of_a_pool_comes_first() -> None:
    waiting = of("a", 2) | of("b", 2, since=5.0)
    held = {"a": {LIC: 2}, "b": {LIC: 1, DB: 50}}
    assert keys(allot({LIC: 5}, {LIC: 3}, {}, waiting, {}, 10.0, held)) == ["b0/t0", "a0/t0"]


def test_of_namespaces_that_hold_the_same_the_one_served_longest_ago_comes_first() -> None:
    waiting = of("a", 1) | of("b", 1, since=5.0)
    assert keys(allot({LIC: 1}, {}, {}, waiting, {"a": 9.0, "b": 8.0}, 10.0)) == ["b0/t0"]


def test_claims_on_other_pools_do_not_hold_a_namespace_back() -> None:
    """It holds most of one ClusterPool and waits for more of it: in another one it still comes first."""
    other: PoolId = ("ClusterPool", "", "gpu")
    waiting = of("a", 1) | {"g": claims("g", 1, pool=other, namespace="a")} | of("b", 1)
    waiting |= {"h": claims("h", 1, pool=other, namespace="b")}
    held = {"a": {LIC: 9}, "b": {LIC: 1, other: 1}}
    assert keys(allot({LIC: 10, other: 2}, {LIC: 10, other: 1}, {}, waiting, {}, 1.0, held)) == ["g/t0"]


def test_more_important_claims_of_a_namespace_come_first_where_pools_overlap() -> None:
    both = [Claim("a", "big", "t", {LIC: 1, DB: 1}, 5, 0.0)]
    waiting = {"big": both, "small": claims("small", 1, pool=DB, namespace="a")}
    held = {"a": {LIC: 4}}
    assert keys(allot({LIC: 5, DB: 1}, {LIC: 4}, {}, waiting, {}, 1.0, held)) == ["big/t"]


WANTED = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(1, 3), st.integers(-5, 5), st.integers(0, 300)), max_size=25
)


@given(st.integers(1, 8), st.integers(0, 4), WANTED)
def test_whatever_namespaces_want_no_slot_stays_free_that_a_claim_could_have(
    capacity: int, used: int, wanted: list[tuple[str, int, int, int]]
) -> None:
    waiting = {
        f"r{at}": claims(f"r{at}", *[1] * number, priority=priority, since=float(since), pool=LIC, namespace=namespace)
        for at, (namespace, number, priority, since) in enumerate(wanted)
    }
    granted = allot({LIC: capacity}, {LIC: used}, {}, waiting, {}, 300.0)
    assert len(granted) == min(max(0, capacity - used), sum(map(len, waiting.values())))


@given(st.integers(1, 8), WANTED)
def test_namespaces_that_want_enough_get_the_same(capacity: int, wanted: list[tuple[str, int, int, int]]) -> None:
    waiting = {
        f"r{at}": claims(f"r{at}", *[1] * number, priority=priority, since=float(since), pool=LIC, namespace=namespace)
        for at, (namespace, number, priority, since) in enumerate(wanted)
    }
    wants = Counter(claim.namespace for own in waiting.values() for claim in own)
    got = Counter(claim.namespace for claim in allot({LIC: capacity}, {}, {}, waiting, {}, 300.0))
    for namespace in wants:
        if got[namespace] < wants[namespace]:  # it could have had more: nobody has more than one turn more than it
            assert max(got.values(), default=0) <= got[namespace] + 1


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 4), st.integers(1, 6), st.data())
def test_no_namespace_starves_whatever_others_do(
    capacity: int, weight: int, others: int, length: int, data: st.DataObject
) -> None:
    """One claim of lowest priority in its own namespace, against namespaces that want everything, at once and forever."""
    weight = min(weight, capacity)
    patient = Claim("patient", "p", "t", {LIC: weight}, -1_000_000, 0.0)
    waiting: dict[str, list[Claim]] = {"p": [patient]}
    running: dict[str, tuple[int, Claim]] = {}
    served: dict[str, float] = {}
    for step in range(60 * (others + 1)):
        now = step * 10.0
        running = {name: found for name, found in running.items() if found[0] > step}
        for other in range(others):
            name = f"{other}-{step}"
            slots = data.draw(st.integers(1, capacity))
            waiting[name] = [Claim(f"n{other}", name, "t", {LIC: slots}, 1_000_000, now)]
        held: defaultdict[str, Counter[PoolId]] = defaultdict(Counter)
        for _, claim in running.values():
            held[claim.namespace].update(claim.slots)
        used = {LIC: sum(pools[LIC] for pools in held.values())}
        for claim in allot({LIC: capacity}, used, {}, waiting, served, now, held):
            del waiting[claim.run]
            running[claim.run] = (step + length, claim)
            served[claim.namespace] = now
        if "p" not in waiting:
            return
    raise AssertionError("it never had its turn")


@pytest.mark.parametrize("number", [10, 10_000])
def test_a_decision_looks_at_lines_and_grants_and_not_at_all_that_wait(number: int) -> None:
    looked = 0

    class Counted(dict[str, Sequence[Claim]]):
        def __getitem__(self, run: str) -> Sequence[Claim]:
            nonlocal looked
            looked += 1
            return super().__getitem__(run)

    lines = lined_up(of("a", number) | of("b", number), {})
    for line in lines:
        line.claims = Counted(line.claims)
    assert len(allot_in_lines({LIC: 3}, {}, lines, {}, {}, {}, 1.0)) == 3 and looked <= 8


def test_a_line_stays_in_order_whatever_is_put_and_dropped() -> None:
    line = Line("a", frozenset({LIC}))
    runs = of("a", 5)
    for at, (run, own) in enumerate(runs.items()):
        line.put(run, own, turn(own[0], 5 - at, 0.0))
    line.put("a0", runs["a0"], turn(runs["a0"][0], 0, 0.0))
    line.drop("a3")
    line.drop("nobody")
    assert [at[3] for at in line.turns] == ["a0", "a4", "a2", "a1"] and line.turns == sorted(line.turns)
