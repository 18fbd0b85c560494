"""The planner's cost per event, by the size of the run. The floor is the same event in a run of a hundred tasks."""

import random
import statistics
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from tradewind.plan.dags.compile import define
from tradewind.plan.outcomes.attempt import Attempt
from tradewind.plan.runs.decision import Live, RunFacts
from tradewind.plan.runs.planner import Planner

from bench.figure import Figure

SIZES = (100, 1_000, 10_000)
EVENTS = 200
"""Tasks that are started and ended to measure: the median of their costs is the figure."""


def _chain(size: int) -> dict[str, Any]:
    return {f"t{at}": {"dependsOn": [f"t{at - 1}"] if at else []} for at in range(size)}


def _fan_out(size: int) -> dict[str, Any]:
    fan = {"forEach": {"range": {"stop": size - 2}}, "dependsOn": ["first"]}
    return {"first": {}, "fan": fan, "last": {"dependsOn": ["fan"]}}


def _random(size: int) -> dict[str, Any]:
    rng = random.Random(size)
    # Among the fifty before it, so that the number of tasks that an event changes does not grow with the run.
    above = {at: rng.sample(range(max(0, at - 50), at), min(at, 3)) for at in range(size)}
    return {f"t{at}": {"dependsOn": [f"t{other}" for other in found]} for at, found in above.items()}


SHAPES: dict[str, Callable[[int], dict[str, Any]]] = {
    "chain": _chain,
    "fan-out": _fan_out,
    "random DAG of in-degree 3": _random,
}


def _event(shape: str, size: int) -> tuple[float, float]:
    """Microseconds of the median event, and milliseconds for a new planner."""
    definition = define({"defaults": {"image": "x"}, "tasks": SHAPES[shape](size)})
    began = time.perf_counter()
    planner = Planner(definition, RunFacts())
    plan = planner.decide(0.0)
    whole = (time.perf_counter() - began) * 1e3
    costs: list[float] = []
    live: deque[tuple[str, int]] = deque()
    while len(costs) < EVENTS:
        # Like the operator: all ready tasks get their pods before the next pod ends.
        while plan.starts:
            for start in plan.starts:
                planner.tell_live(start.key, Live(start.number))
                live.append((start.key, start.number))
            plan = planner.decide(0.0)
        if not live:
            break
        key, number = live.popleft()
        began = time.perf_counter()
        planner.tell_ended(key, [Attempt(key, number, 0, 1)], 0.0)
        planner.tell_live(key, None)
        plan = planner.decide(0.0)
        costs.append((time.perf_counter() - began) * 1e6)
    # The first event of a fan-out makes all its items; the median ignores it.
    return statistics.median(costs), whole


def figures() -> list[Figure]:
    """An event in runs of each size, next to the same in the smallest."""
    found = []
    for shape in SHAPES:
        floor, _ = _event(shape, SIZES[0])
        for size in SIZES[1:]:
            value, whole = _event(shape, size)
            what = f"planner, {shape} of {size:,}: an event (anew: {whole:.0f} ms); floor: of {SIZES[0]}"
            found.append(Figure(what, value, "µs", floor, "≤ 2 times the floor", value <= 2 * floor))
    return found
