"""Many scenarios, each from a seed: which ones break a promise, and the smallest version that still does."""

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from .checker import violations
from .generation import generate
from .plants import NEAR, PLANTS, REACH
from .scenario import DURING_WRITES, Scenario
from .troubles import KINDS
from .world import simulate

BATCH = 25


@dataclass
class Result:
    """The results of some scenarios."""

    schedules: int = 0
    executions: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    broken: dict[int, list[str]] = field(default_factory=dict)
    """Violations by seed."""

    def add(self, other: "Result") -> None:
        """Adds the results of others."""
        self.schedules += other.schedules
        self.executions += other.executions
        self.faults += other.faults
        self.broken |= other.broken


def scenario_of(seed: int) -> Scenario:
    """The scenario of a seed."""
    return generate(seed, [kind for kind in KINDS if kind not in DURING_WRITES])


def check(scenario: Scenario) -> tuple[list[str], Result]:
    """Plays a scenario; returns its violations and results."""
    history, left = simulate(scenario)
    return violations(scenario, history, left), Result(1, len(history.executions), Counter(history.faults))


def some(seeds: Iterable[int], plant: str = "") -> Result:
    """Plays scenarios one after the other, with a planted bug if one is named."""
    logging.disable(logging.CRITICAL)
    total = Result()
    with PLANTS[plant]():
        for seed in seeds:
            found, result = check(scenario_of(seed))
            if found:
                result.broken[seed] = found
            total.add(result)
    return total


def campaign(first: int, count: int, workers: int = 0) -> Iterator[Result]:
    """Plays `count` scenarios on all cores; yields the results of each batch."""
    seeds = iter(range(first, first + count))
    batches = list(iter(lambda: list(islice(seeds, BATCH)), []))
    with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
        yield from pool.map(some, batches)


def first_found(plant: str, seeds: range) -> tuple[int, list[str]] | None:
    """A seed at which a planted bug is found, and its violations."""
    near = seeds.index(NEAR[plant])
    for seed in filter(lambda seed: REACH[plant](scenario_of(seed)), [*seeds[near:], *seeds[:near]]):
        if broken := some([seed], plant).broken:
            return seed, broken[seed]
    return None


def shrunk(scenario: Scenario) -> Scenario:
    """The same scenario with as few troubles as still violate something."""
    smaller = True
    while smaller:
        smaller = False
        for trouble in scenario.troubles:
            less = scenario.without(trouble)
            if check(less)[0]:
                scenario, smaller = less, True
                break
    return scenario
