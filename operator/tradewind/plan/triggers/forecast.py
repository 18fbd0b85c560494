"""Upcoming runs of schedules, their expected duration, and conflicts between them. An estimate: it assumes that every
run takes as long as its DAG's runs usually do."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tradewind.plan.dags.definition import Definition

PODS = "pods"
"""The limit of a ResourceQuota, in addition to the pools in `Shape.wants`."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a DAG needs. `seconds` is the usual duration of its runs, None if unknown."""

    max_active: int | None = None
    concurrency: str = "Queue"
    """concurrencyPolicy."""
    seconds: float | None = None
    wants: Mapping[str, int] = field(default_factory=dict)
    """The maximum that a run may need at once, by limit: PODS, or `pool NAME`."""


@dataclass(frozen=True, slots=True)
class Tick:
    """An upcoming run. `concurrency` is that of the trigger's schedule."""

    at: datetime
    trigger: str
    dag: str
    concurrency: str = "Allow"


@dataclass(frozen=True, slots=True)
class Coming:
    """An upcoming run, its expected end, and what may delay it."""

    tick: Tick
    ends: datetime | None
    notes: Sequence[str] = ()


def shape(definition: Definition, seconds: float | None) -> Shape:
    """What a DAG needs: the maximum over the tasks of one depth, since they may run concurrently; items of fan-outs
    count once."""
    levels: dict[str, int] = {}
    wants: dict[int, Counter[str]] = {}
    podless = definition.podless()
    for name in definition.graph.order:
        depth = levels[name] = 1 + max((levels[above] for above in definition.graph.upstream[name]), default=0)
        task, level = definition.tasks[name], wants.setdefault(depth, Counter())
        if name not in podless:
            level[PODS] += 1
            for claim in task.pools:
                level[f"{'pool' if claim.kind == 'Pool' else 'clusterpool'} {claim.name}"] += claim.slots
    most: Counter[str] = Counter()
    for level in wants.values():
        most |= level
    if definition.spec.parallelism:
        most[PODS] = min(most[PODS], definition.spec.parallelism)
    found = {what: count for what, count in most.items() if count}
    return Shape(definition.spec.max_active_runs, definition.spec.concurrency_policy, seconds, found)


def foresee(ticks: Iterable[Tick], shapes: Mapping[str, Shape], limits: Mapping[str, int]) -> list[Coming]:
    """The runs of ticks, in order. `limits` are the slots of pools, and the pods that a quota allows, by the names in
    `Shape.wants`."""
    found: list[Coming] = []
    beside: list[Coming] = []
    """Runs that are still active."""
    for tick in sorted(ticks, key=lambda tick: (tick.at, tick.trigger)):
        beside = [other for other in beside if other.ends and tick.at < other.ends]
        mine = shapes.get(tick.dag, Shape())
        notes = [*_of_trigger(tick, beside)]
        if notes and tick.concurrency == "Forbid":
            found.append(Coming(tick, None, notes))
            continue
        peers = [other for other in beside if other.tick.dag == tick.dag]
        if mine.max_active is not None and len(peers) >= mine.max_active:
            what = {"Skip": "it is skipped", "Replace": "it replaces one"}.get(mine.concurrency, "it waits")
            notes.append(f"maxActiveRuns {mine.max_active}: {what}, {len(peers)} still active")
        for what, wanted in mine.wants.items():
            if what not in limits:
                continue
            total = wanted + sum(shapes.get(other.tick.dag, Shape()).wants.get(what, 0) for other in beside)
            if total > limits[what]:
                notes.append(f"{what}: up to {total} wanted of {limits[what]}, tasks may wait")
        ends = tick.at + timedelta(seconds=mine.seconds) if mine.seconds is not None else None
        beside.append(Coming(tick, ends, notes))
        found.append(beside[-1])
    return found


def _of_trigger(tick: Tick, beside: Sequence[Coming]) -> list[str]:
    if tick.concurrency == "Allow" or not any(other.tick.trigger == tick.trigger for other in beside):
        return []
    words = {"Forbid": "no run", "Replace": "the run before it is cancelled", "Enqueue": "it waits"}[tick.concurrency]
    return [f"concurrency {tick.concurrency}: {words}, the run before it is still active"]
