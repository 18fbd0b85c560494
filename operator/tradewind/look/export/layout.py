"""Where the tasks of a graph are drawn: in layers, each task after what it depends on."""

from collections.abc import Sequence
from dataclasses import dataclass

from tradewind.plan import pacing

SWEEPS = 4
"""Times that layers are ordered by their neighbours, to and fro."""


@dataclass(frozen=True, slots=True)
class Place:
    """A column and a row, from 0."""

    column: int
    row: int


def layout(count: int, edges: Sequence[int]) -> list[Place]:
    """The places of `count` tasks, numbered in an order in which they can run; `edges` are pairs of their numbers."""
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    for at in pacing.each(range(0, len(edges), 2)):
        above[edges[at + 1]].append(edges[at])
        below[edges[at]].append(edges[at + 1])
    column = [0] * count
    for task in pacing.each(range(count)):
        column[task] = max((column[other] + 1 for other in above[task]), default=0)
    layers: list[list[int]] = [[] for _ in range(max(column, default=-1) + 1)]
    for task in range(count):
        layers[column[task]].append(task)
    row = [0.0] * count
    for layer in layers:
        _number(layer, row)
    for sweep in range(SWEEPS):
        near = above if sweep % 2 == 0 else below
        for layer in pacing.each(layers if sweep % 2 == 0 else layers[::-1]):
            layer.sort(
                key=lambda task: (
                    (sum(row[other] for other in near[task]) / len(near[task])) if near[task] else row[task]
                )
            )
            _number(layer, row)
    return [Place(column[task], int(row[task])) for task in range(count)]


def _number(layer: list[int], row: list[float]) -> None:
    for place, task in enumerate(layer):
        row[task] = float(place)
