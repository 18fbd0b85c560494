"""Batches of inputs, and the search for the one to blame."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from .arena import Arena
from .generators import GENERATORS, inputs
from .inputs import Input
from .oracles import Outcome, Violation

BATCH = 300
WORTH = {"runaways": 20, "crowds": 8, "listings": 4, "sums": 8, "size": 2}
"""How many usual inputs one of a generator counts for, if it is more work: a batch has fewer of them."""


@dataclass
class Found:
    """A violation, and the inputs that cause it."""

    violation: Violation
    inputs: list[Input]
    again: bool
    """Whether it was seen a second time."""


@dataclass
class Result:
    """The result of a campaign."""

    inputs: Counter[str] = field(default_factory=Counter)
    found: list[Found] = field(default_factory=list)
    stored: int = 0
    refused: int = 0
    runs: Counter[str] = field(default_factory=Counter)
    others: list[float] = field(default_factory=list)
    lag: float = 0.0
    memory: int = 0
    whole: int = 0

    def add(self, batch: Sequence[Input], outcome: Outcome) -> None:
        """Adds a batch."""
        self.inputs.update(each.generator for each in batch)
        self.stored, self.refused = self.stored + outcome.stored, self.refused + outcome.refused
        self.runs += outcome.runs
        self.others += outcome.others
        self.lag, self.memory = max(self.lag, outcome.lag), max(self.memory, outcome.memory)
        self.whole = max(self.whole, outcome.whole)


def chosen(count: int, seed: int = 0, only: Sequence[str] = ()) -> list[Input]:
    """This number of inputs of all generators, or of some, each with its share."""
    names = [name for name in GENERATORS if not only or name in only]
    whole = sum(GENERATORS[name][1] for name in names)
    found = [each for name in names for each in inputs(name, max(1, round(count * GENERATORS[name][1] / whole)), seed)]
    if len(found) < count:  # some have fewer: the first has more
        had = sum(each.generator == names[0] for each in found)
        found += inputs(names[0], had + count - len(found), seed)[had:]
    random.Random(seed).shuffle(found)
    return [replace(each, number=number) for number, each in enumerate(found)]


def batches(found: Sequence[Input], size: int = BATCH) -> list[list[Input]]:
    """Batches of about equal work, in order."""
    result: list[list[Input]] = [[]]
    load = 0
    for each in found:
        worth = WORTH.get(each.generator, 1)
        if result[-1] and load + worth > size:
            result.append([])
            load = 0
        result[-1].append(each)
        load += worth
    return result


async def campaign(
    here: Arena, found: Sequence[Input], told: Callable[[Result, Outcome, int, int], None], size: int = BATCH
) -> Result:
    """Plays all batches. For each violation, searches the input that causes it."""
    result, parts = Result(), batches(found, size)
    for number, batch in enumerate(parts):
        outcome = await here.play(batch)
        result.add(batch, outcome)
        told(result, outcome, number + 1, len(parts))
        result.found += await explained(here, batch, outcome.violations)
    told(result, Outcome(), len(parts), len(parts))
    return result


async def explained(here: Arena, batch: Sequence[Input], violations: Sequence[Violation]) -> list[Found]:
    """One violation of each kind and generator, with as few inputs as reproduce it."""
    result, known = [], set[object]()
    for violation in violations:
        key = (violation.oracle, violation.input and violation.input.generator)
        if key in known:
            continue
        known.add(key)
        suspects = [violation.input] if violation.input else list(batch)
        seen = await _again(here, suspects, violation.oracle) or (
            await _again(here, batch, violation.oracle) if violation.input else None
        )
        if seen is None:
            result.append(Found(violation, suspects, False))
            continue
        result.append(
            Found(seen, await _fewest(here, suspects if violation.input else list(batch), violation.oracle), True)
        )
    return result


async def _fewest(here: Arena, suspects: list[Input], oracle: str) -> list[Input]:
    while len(suspects) > 1:
        half = len(suspects) // 2
        for part in (suspects[:half], suspects[half:]):
            if await _again(here, part, oracle):
                suspects = part
                break
        else:
            break  # it takes some of both
    return suspects


async def _again(here: Arena, suspects: Sequence[Input], oracle: str) -> Violation | None:
    await here.restart()
    outcome = await here.play(suspects)
    return next((each for each in outcome.violations if each.oracle == oracle), None)
