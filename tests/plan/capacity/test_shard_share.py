"""Every shard has one replica, every replica its share, whichever ones come and go."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from tradewind.plan.capacity.shard_share import WHOLE, Owned, shard_of, share

MEMBERS = st.lists(st.sampled_from("abcdef"), min_size=1, unique=True)


def settled(count: int, holders: dict[int, str], members: list[str]) -> dict[int, str]:
    """The result when every replica acts in turn, twice."""
    holders = {shard: holder for shard, holder in holders.items() if holder in members and shard < count}
    for _ in range(2):
        for me in members:
            ours = share(count, members, holders, me)
            assert ours.keep | ours.drop == {shard for shard, holder in holders.items() if holder == me}
            for shard in ours.drop:
                del holders[shard]
            for shard in ours.take:
                assert shard not in holders, "took what another one holds"
                holders[shard] = me
    return holders


@given(st.integers(1, 12), st.lists(MEMBERS, min_size=1, max_size=6))
def test_after_any_change_every_shard_is_held_once_and_shares_differ_by_one_at_most(
    count: int, generations: list[list[str]]
) -> None:
    holders: dict[int, str] = {}
    for members in generations:
        before, holders = holders, settled(count, holders, members)
        assert set(holders) == set(range(count))
        counts = Counter(holders.values())
        assert max(counts[me] for me in members) - min(counts[me] for me in members) <= 1
        again = settled(count, dict(holders), members)
        assert again == holders, "nothing moves once it is settled"
        stayed = [me for me in members if me in before.values()]
        if len(stayed) == len(members) == len(set(before.values())):
            assert holders == before


@given(st.text(min_size=1, max_size=63), st.integers(1, 64))
def test_a_namespace_is_in_one_shard(namespace: str, count: int) -> None:
    owners = [shard for shard in range(count) if Owned(count, frozenset({shard})).owns(namespace)]
    assert owners == [shard_of(namespace, count)] and WHOLE.owns(namespace)


def test_namespaces_spread() -> None:
    counts = Counter(shard_of(f"team-{at}", 4) for at in range(1_000))
    assert min(counts.values()) > 200


@given(st.integers(0, 1_000), st.integers(1, 10))
def test_the_slots_of_a_cluster_pool_are_divided_and_none_is_lost(slots: int, count: int) -> None:
    shares = [Owned(count, frozenset({shard})).portion(slots) for shard in range(count)]
    assert sum(shares) == slots and max(shares) - min(shares) <= 1
    assert Owned(count, frozenset(range(count))).portion(slots) == slots
