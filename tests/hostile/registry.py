"""Generators by name: what makes inputs of one sort, and how many of ten thousand they are."""

import itertools
import random
from collections.abc import Callable, Iterator

from .inputs import Input

Generator = Callable[[random.Random], Iterator[Input]]
GENERATORS: dict[str, tuple[Generator, int]] = {}
"""By name: what makes the inputs, and how many of ten thousand they are."""


def generator(share: int) -> Callable[[Generator], Generator]:
    """Registers one, by its name."""

    def registered(make: Generator) -> Generator:
        GENERATORS[make.__name__.replace("_", " ")] = (make, share)
        return make

    return registered


def inputs(name: str, count: int, seed: int = 0) -> list[Input]:
    """So many of a generator, if it has as many; the same for the same seed."""
    return list(itertools.islice(GENERATORS[name][0](random.Random(f"{name} {seed}")), count))
