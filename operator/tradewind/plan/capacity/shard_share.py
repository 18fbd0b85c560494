"""Which namespaces belong to which shard, and which shards to which replica. Pure: every replica computes the same
result."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache


@lru_cache(maxsize=4_096)  # asked for every event, and for every holder of a pool's slots
def shard_of(namespace: str, count: int) -> int:
    """The shard of a namespace. A whole namespace is in one, so that what its runs share (pools, limits of DAGs) is seen by one."""
    return int.from_bytes(hashlib.sha256(namespace.encode()).digest()[:8]) % count


@dataclass(frozen=True, slots=True)
class Share:
    """What a replica does about its shards."""

    keep: frozenset[int]
    take: tuple[int, ...]
    drop: frozenset[int]


def share(count: int, members: Sequence[str], holders: Mapping[int, str], me: str) -> Share:
    """The share of `me` of `count` shards. `members` are the replicas that live, `holders` who holds a shard now. Replicas keep what
    they have up to an equal share (the first by name get what is left over), give the rest away and take what nobody holds."""
    rank = sorted(members).index(me)
    quota = count // len(members) + (rank < count % len(members))
    mine = sorted(shard for shard, holder in holders.items() if holder == me)
    free = [shard for shard in range(count) if shard not in holders]
    # Replicas that come at the same time begin at different places, so that few ask for the same one.
    start = rank * quota % len(free) if free else 0
    wanted = [*free[start:], *free[:start]][: max(0, quota - len(mine))]
    return Share(frozenset(mine[:quota]), tuple(wanted), frozenset(mine[quota:]))


@dataclass(frozen=True, slots=True)
class Owned:
    """The shards of a replica."""

    count: int = 1
    shards: frozenset[int] = frozenset({0})

    def owns(self, namespace: str) -> bool:
        """Whether a namespace is this replica's."""
        return self.count == 1 or shard_of(namespace, self.count) in self.shards

    def portion(self, slots: int) -> int:
        """How many of the slots of a ClusterPool are this replica's: shards can't count each other's pods in time, so they divide
        them."""
        return sum(slots // self.count + (shard < slots % self.count) for shard in self.shards)


WHOLE = Owned()
"""Without shards there is one replica at work, and everything is its own."""
