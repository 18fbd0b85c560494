"""Tasks that wait for slots of pools, in sorted lines."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from tradewind.plan.capacity.pool_allotment import Claim, Line, PoolId, turn

Key = tuple[str, frozenset[PoolId]]
"""Namespace and pools."""


class Lines:
    """Lines by namespace and pools."""

    def __init__(self) -> None:
        self._lines: dict[Key, Line] = {}
        self._of_pool: defaultdict[PoolId, set[Key]] = defaultdict(set)
        self._of_run: dict[str, list[Key]] = {}

    def put(self, run: str, claims: Sequence[Claim], held: int, served: float) -> None:
        """Sets a run's claims, in its order, the slots that it holds, and when (monotonic seconds) it last got some."""
        self._drop(run)
        alike: dict[Key, list[Claim]] = {}
        for claim in claims:
            alike.setdefault((claim.namespace, frozenset(claim.slots)), []).append(claim)
        for key, own in alike.items():
            if (line := self._lines.get(key)) is None:
                line = self._lines[key] = Line(*key)
                for pool in line.pools:
                    self._of_pool[pool].add(key)
            line.put(run, own, turn(own[0], held, served))
        if alike:
            self._of_run[run] = list(alike)

    def moved(self, run: str, held: int, served: float) -> None:
        """Repositions a run that holds more or fewer slots than before."""
        for key in self._of_run.get(run, ()):
            claims = self._lines[key].claims[run]
            self._lines[key].put(run, claims, turn(claims[0], held, served))

    def of(self, wanted: Callable[[PoolId], bool]) -> list[Line]:
        """The lines for at least one of the wanted pools."""
        keys = {key: None for pool, keys in self._of_pool.items() if wanted(pool) for key in keys}
        return [self._lines[key] for key in keys]

    def _drop(self, run: str) -> None:
        for key in self._of_run.pop(run, ()):
            line = self._lines[key]
            line.drop(run)
            if line.claims:
                continue
            del self._lines[key]
            for pool in line.pools:
                self._of_pool[pool].discard(key)
                if not self._of_pool[pool]:
                    del self._of_pool[pool]
