"""Which tasks get slots of pools: a pure decision over all waiting tasks. Namespaces take turns first, then runs, so
nobody starves.

Between namespaces: the one that holds the smallest share of the ClusterPools that its claim needs comes first; of equal
ones, the one that got slots longest ago. Priority does not count there. Within a namespace: priority, raised by one for
every minute that the run has gone without a grant; then the run that holds least; then the longest wait. A claim that
does not fit reserves its pools until it does, so that small ones can't overtake it forever.

A turn does not depend on the current time, so lines can be kept sorted: a decision costs as much as there are lines and
grants, not as much as there are waiting runs."""

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

AGING = 60.0
"""Seconds of waiting that count as one step of priority."""
PoolId = tuple[str, str, str]
"""Kind, namespace (empty for a ClusterPool) and name."""
NOTHING: Mapping[PoolId, int] = {}
Turn = tuple[float, int, float, str]
"""The sort key of runs in a line."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A task or item that requests slots. `since` is the time of its first request, in monotonic seconds."""

    namespace: str
    run: str
    key: str
    slots: Mapping[PoolId, int]
    priority: int
    since: float


def turn(claim: Claim, held: int, served: float) -> Turn:
    """A run's turn, from its next claim, the slots that it holds, and the time (monotonic seconds) of its last grant."""
    since = max(claim.since, served)
    return (since // AGING - claim.priority, held, since, claim.run)


@dataclass(slots=True)
class Line:
    """Runs of one namespace whose claims need the same pools, by turn; the claims of each in the run's order."""

    namespace: str
    pools: frozenset[PoolId]
    turns: list[Turn] = field(default_factory=list)
    claims: dict[str, Sequence[Claim]] = field(default_factory=dict)
    """Claims by run."""
    _turn: dict[str, Turn] = field(default_factory=dict)

    def put(self, run: str, claims: Sequence[Claim], at: Turn) -> None:
        """Inserts a run; `at` is the turn of its first claim."""
        self.drop(run)
        self.claims[run], self._turn[run] = claims, at
        insort(self.turns, at)

    def drop(self, run: str) -> None:
        """Removes a run."""
        if (at := self._turn.pop(run, None)) is not None:
            del self.turns[bisect_left(self.turns, at)]
            del self.claims[run]


def allot(
    capacity: Mapping[PoolId, int],
    used: Mapping[PoolId, int],
    lines: Iterable[Line],
    held: Mapping[str, Mapping[PoolId, int]],
    holding: Mapping[str, int],
    served: Mapping[str, float],
    now: float,
    most: int | None = None,
) -> list[Claim]:
    """The claims that get their slots now, in order, at most `most`. `held` are the slots held by each namespace,
    `holding` the number held by each run; `served` is when each namespace last got slots."""
    taken: Counter[PoolId] = Counter()
    gained: defaultdict[str, Counter[PoolId]] = defaultdict(Counter)
    more: Counter[str] = Counter()
    """Slots granted now: by pool, by namespace and pool, and by run."""
    kept: set[PoolId] = set()
    granted: list[Claim] = []

    def free(pool: PoolId) -> int:
        return capacity.get(pool, 0) - used.get(pool, 0) - taken[pool]

    def share(namespace: str, pool: PoolId) -> float:
        if pool[0] != "ClusterPool" or not capacity.get(pool):
            return 0.0
        return (held.get(namespace, NOTHING).get(pool, 0) + gained[namespace][pool]) / capacity[pool]

    def rank(queue: "_Queue") -> tuple[float, float, Turn]:
        name = queue.namespace
        largest = max(share(name, pool) for pool in queue.first.slots)
        return largest, now if gained.get(name) else served.get(name, float("-inf")), queue.turn

    heap = [(rank(queue), at, queue) for at, queue in enumerate(_queues(lines)) if queue.there]
    heapify(heap)
    while heap and len(granted) != most:
        ranked, at, queue = heappop(heap)
        if not any(free(pool) > 0 and pool not in kept for pool in queue.pools):
            continue
        if (ranked_now := rank(queue)) != ranked:  # its namespace got slots meanwhile, in another line
            heappush(heap, (ranked_now, at, queue))
            continue
        claim = queue.first
        if any(slots > capacity.get(pool, 0) for pool, slots in claim.slots.items()):
            queue.skip()  # it can never be met
        elif kept.isdisjoint(claim.slots) and all(slots <= free(pool) for pool, slots in claim.slots.items()):
            taken.update(claim.slots)
            gained[claim.namespace].update(claim.slots)
            more[claim.run] += sum(claim.slots.values())
            granted.append(claim)
            queue.grant(holding.get(claim.run, 0) + more[claim.run], now)
        else:
            kept.update(claim.slots)
            queue.skip()
        if queue.there:
            heappush(heap, (rank(queue), at, queue))
    return granted


class _Queue:
    """Lines of one namespace that share pools, during an allotment: their claims by turn."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.namespace, self._lines = lines[0].namespace, lines
        self.pools = frozenset[PoolId]().union(*(line.pools for line in lines))
        self._places = [0] * len(lines)
        self._later: list[tuple[Turn, int, str, int]] = []
        """Runs that have had a turn: the next turn, the line, and the index of the claim."""
        self._find()

    def _find(self) -> None:
        """Finds the claim whose turn it is."""
        heads = [
            (line.turns[place], at)
            for at, line in enumerate(self._lines)
            if (place := self._places[at]) < len(line.turns)
        ]
        fresh = min(heads, default=None)
        self.there = bool(fresh or self._later)
        if fresh and (not self._later or fresh < self._later[0][:2]):
            self.turn, self._at = fresh
            self._run, self._place = self.turn[3], 0
            self._again = False
        elif self._later:
            self.turn, self._at, self._run, self._place = self._later[0]
            self._again = True
        if self.there:
            self._claims = self._lines[self._at].claims[self._run]
            self.first = self._claims[self._place]

    def grant(self, holding: int, now: float) -> None:
        """The claim got its slots: its run now holds `holding` and has its next turn later."""
        self._next(holding, now)

    def skip(self) -> None:
        """The claim got no slots: the next one of its run has the same turn."""
        self._next(self.turn[1], float("-inf"))

    def _next(self, holding: int, served: float) -> None:
        if self._again:
            heappop(self._later)
        else:
            self._places[self._at] += 1
        if self._place + 1 < len(self._claims):
            following = turn(self._claims[self._place + 1], holding, served)
            heappush(self._later, (following, self._at, self._run, self._place + 1))
        self._find()


def _queues(lines: Iterable[Line]) -> Iterator[_Queue]:
    """The lines of each namespace, grouped by shared pools, direct or transitive."""
    groups: dict[tuple[str, PoolId], list[Line]] = {}
    for line in lines:
        touched = {id(group): group for pool in line.pools if (group := groups.get((line.namespace, pool)))}
        joined, *others = sorted(touched.values(), key=len, reverse=True) or [[]]
        for member in (line, *(member for group in others for member in group)):
            joined.append(member)
            groups.update(dict.fromkeys(((line.namespace, pool) for pool in member.pools), joined))
    for group in {id(group): group for group in groups.values()}.values():
        yield _Queue(group)
