"""Facts about runs, collected until they complete an occasion: in any order, each once."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tradewind.plan.triggers.accumulate import FACTS_LIMIT, Gathered, gathered, needed
from tradewind.plan.triggers.run_fact import Fact

FACTS = st.lists(
    st.builds(
        lambda source, at, uid: Fact(source, at, "ns", f"run-{uid}", f"uid-{uid}", "Succeeded"),
        st.sampled_from(["a", "b", "c"]),
        st.integers(1_000, 1_020),
        st.integers(0, 30),
    ),
    max_size=40,
)


def following(*sources: str, since: int = 1_000) -> Gathered:
    return Gathered().following(dict.fromkeys(sources, since))


def taken(found: Gathered, facts: list[Fact], need: int = 2, within: float | None = None) -> Gathered:
    for fact in facts:
        if not found.knows(fact):
            found = found.take(fact, True, lambda had: len(had) >= need, within)
    return found


@given(FACTS, st.integers(1, 3), st.none() | st.integers(0, 5))
def test_no_fact_is_in_two_occasions_and_what_is_known_changes_nothing(
    facts: list[Fact], need: int, within: float | None
) -> None:
    found = taken(following("a", "b", "c"), facts, need, within)
    used = [fact for occasion in found.due for fact in occasion.facts]
    assert len(used) == len(set(used))
    assert not set(used) & set(found.pending)
    assert taken(found, facts, need, within) == found
    for occasion in found.due:
        assert len({fact.source for fact in occasion.facts}) == len(occasion.facts) >= need
        if within is not None:
            assert max(fact.at for fact in occasion.facts) - min(fact.at for fact in occasion.facts) <= within


@given(FACTS)
def test_where_each_counts_alone_the_order_does_not_matter(facts: list[Fact]) -> None:
    forwards = taken(following("a", "b", "c"), facts, 1)
    backwards = taken(following("a", "b", "c"), facts[::-1], 1)
    assert {occasion.suffix for occasion in forwards.due} == {occasion.suffix for occasion in backwards.due}
    assert len(forwards.due) == len(set(facts))


@given(FACTS, st.integers(1, 3))
def test_a_status_says_all_of_it(facts: list[Fact], need: int) -> None:
    found = taken(following("a", "b", "c").following({"a": 1_000, "b": 1_000, "c": None}), facts, need)
    assert gathered(found.written()) == found


def test_of_many_facts_the_earliest_are_remembered_by_their_order_alone() -> None:
    facts = sorted(
        (Fact("a", 2_000, "ns", f"r{at}", f"u{at}") for at in range(FACTS_LIMIT + 50)), key=lambda fact: fact.order
    )
    found = taken(following("a"), facts, 1)
    standing = found.standings["a"]
    assert standing is not None and len(standing.taken) == FACTS_LIMIT
    assert all(found.knows(fact) for fact in facts)
    assert not found.knows(replace(facts[0], at=2_001))


def test_facts_that_are_too_far_apart_do_not_meet() -> None:
    early, late, later = (
        Fact("a", 1_000, "ns", "r1", "u1"),
        Fact("b", 1_011, "ns", "r2", "u2"),
        Fact("a", 1_020, "ns", "r3", "u3"),
    )
    found = taken(following("a", "b"), [early, late], within=10)
    assert found.due == () and found.pending == (late,)
    assert taken(found, [later], within=10).due[0].facts == (late, later)


def test_partitions_do_not_meet() -> None:
    facts = [Fact("a", 1_000, "ns", "r1", "u1", partition="x"), Fact("b", 1_000, "ns", "r2", "u2", partition="y")]
    found = taken(following("a", "b"), facts)
    assert found.due == () and set(found.pending) == set(facts)
    other = Fact("b", 1_001, "ns", "r3", "u3", partition="x")
    assert taken(found, [other]).due[0].facts == (facts[0], other)


def test_a_run_is_needed_until_it_has_been_dealt_with_and_led_to_something() -> None:
    fact, other = Fact("a", 1_000, "ns", "r1", "u1"), Fact("b", 1_000, "ns", "r2", "u2")
    assert needed(Gathered(), 1_000, [fact]) and not needed(Gathered(), 1_001, [fact])
    found = following("a", "b")
    assert needed(found, 0, [fact])
    waiting = taken(found, [fact])
    assert needed(waiting, 0, [fact])
    due = taken(waiting, [other])
    assert needed(due, 0, [fact]) and needed(due, 0, [other])
    assert not needed(replace(due, due=()), 0, [fact, other])
    assert not needed(Gathered().following({"a": None}), 0, [fact])
