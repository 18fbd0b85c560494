"""Which namespaces belong to which shard, and which shards to which replica. Pure: every replica computes the same
result."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache


@lru_cache(maxsize=4_096)  # called for every event, and for every holder of a pool's slots
def shard_of(namespace: str, count: int) -> int:
    """The shard of a namespace. A namespace is in one shard as a whole, so one replica sees everything that its runs
    share (pools, limits of DAGs)."""
    return int.from_bytes(hashlib.sha256(namespace.encode()).digest()[:8]) % count


@dataclass(frozen=True, slots=True)
class Share:
    """What a replica does about its shards."""

    keep: frozenset[int]
    take: tuple[int, ...]
    drop: frozenset[int]


def share(count: int, members: Sequence[str], holders: Mapping[int, str], me: str) -> Share:
    """The share of `me` of `count` shards. `members` are the live replicas, `holders` the current holder of each shard.
    Replicas keep theirs up to an equal share (the remainder goes to the first by name), release the rest, and take
    unheld shards."""
    rank = sorted(members).index(me)
    quota = count // len(members) + (rank < count % len(members))
    mine = sorted(shard for shard, holder in holders.items() if holder == me)
    free = [shard for shard in range(count) if shard not in holders]
    # Replicas that start at the same time begin at different shards, so that few request the same one.
    start = rank * quota % len(free) if free else 0
    wanted = [*free[start:], *free[:start]][: max(0, quota - len(mine))]
    return Share(frozenset(mine[:quota]), tuple(wanted), frozenset(mine[quota:]))


@dataclass(frozen=True, slots=True)
class Owned:
    """The shards of a replica."""

    count: int = 1
    shards: frozenset[int] = frozenset({0})

    def owns(self, namespace: str) -> bool:
        """Whether this replica owns a namespace."""
        return self.count == 1 or shard_of(namespace, self.count) in self.shards

    def portion(self, slots: int) -> int:
        """How many slots of a ClusterPool are this replica's: shards can't count each other's pods in time, so they
        divide the slots."""
        return sum(slots // self.count + (shard < slots % self.count) for shard in self.shards)


WHOLE = Owned()
"""Without shards one replica works, and owns everything."""
