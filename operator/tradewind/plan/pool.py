"""Who gets the slots of pools: a pure decision over everyone who waits, fair between runs and without starvation.

Order: priority, raised by one for every minute that the run has gone without a grant; then the run that holds least; then who has
waited longest. A claim that does not fit keeps its pools for itself until it does, so that small ones don't overtake it for ever.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

AGING = 60.0
"""Seconds of waiting that weigh as much as one step of priority."""
PoolId = tuple[str, str, str]
"""Kind, namespace (empty for a ClusterPool) and name."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A task or item that wants slots. `since` is when it first asked, in monotonic seconds."""

    run: str
    key: str
    slots: Mapping[PoolId, int]
    priority: int
    since: float


def allot(
    capacity: Mapping[PoolId, int],
    used: Mapping[PoolId, int],
    held: Mapping[str, int],
    claims: Mapping[str, Sequence[Claim]],
    served: Mapping[str, float],
    now: float,
) -> list[Claim]:
    """The claims that get their slots now, in order. `held` are the slots that each run holds, `claims` those of each run in the
    order in which it wants them, `served` when each run last got slots."""
    free = {pool: slots - used.get(pool, 0) for pool, slots in capacity.items()}
    holding, last = dict(held), dict(served)
    kept: set[PoolId] = set()
    granted: list[Claim] = []

    def turn(run: str, place: int) -> tuple[float, int, float, str, int]:
        claim = claims[run][place]
        waited = now - max(claim.since, last.get(run, float("-inf")))
        return (-(claim.priority + waited // AGING), holding.get(run, 0), claim.since, run, place)

    heap = [turn(run, 0) for run, waiting in claims.items() if waiting]
    heapify(heap)
    while heap:
        _, _, _, run, place = heappop(heap)
        claim = claims[run][place]
        if all(pool in capacity and slots <= capacity[pool] for pool, slots in claim.slots.items()):
            if kept.isdisjoint(claim.slots) and all(slots <= free[pool] for pool, slots in claim.slots.items()):
                for pool, slots in claim.slots.items():
                    free[pool] -= slots
                holding[run] = holding.get(run, 0) + sum(claim.slots.values())
                last[run] = now
                granted.append(claim)
            else:
                kept.update(claim.slots)
        if place + 1 < len(claims[run]) and any(room > 0 for pool, room in free.items() if pool not in kept):
            heappush(heap, turn(run, place + 1))
    return granted
