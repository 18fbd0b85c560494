"""Generators by name: the function that makes inputs of one kind, and their share of ten thousand."""

import itertools
import random
from collections.abc import Callable, Iterator

from .inputs import Input

Generator = Callable[[random.Random], Iterator[Input]]
GENERATORS: dict[str, tuple[Generator, int]] = {}
"""By name: the function, and its share of ten thousand."""


def generator(share: int) -> Callable[[Generator], Generator]:
    """Registers a generator, by its name."""

    def registered(make: Generator) -> Generator:
        GENERATORS[make.__name__.replace("_", " ")] = (make, share)
        return make

    return registered


def inputs(name: str, count: int, seed: int = 0) -> list[Input]:
    """This number of inputs of a generator, if it has as many; the same for the same seed."""
    return list(itertools.islice(GENERATORS[name][0](random.Random(f"{name} {seed}")), count))
