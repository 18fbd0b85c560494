"""Which units start, in which order, and why other ready units don't."""

from heapq import merge
from itertools import islice

from tradewind.plan.outcomes.attempt import LOSSES
from tradewind.plan.runs.decision import Hold, Plan, Start
from tradewind.plan.runs.ready_queue import Entry, Way
from tradewind.plan.runs.task_ledger import TaskLedger
from tradewind.plan.runs.unit import Unit

WINDOW = 256
"""Starts per lane and plan: a plan for ten thousand ready tasks need not list them all."""


def select_starts(ledger: TaskLedger, plan: Plan) -> None:
    """Adds the starts to a plan, and why other ready units do not start."""
    parallelism = ledger.definition.spec.parallelism
    plan.room = None if parallelism is None else max(0, parallelism - ledger.alive)
    chosen: dict[Way, list[list[tuple[Entry, Unit]]]] = {Way.POD: [], Way.RUN: [], Way.FREE: []}
    for (task, pools, way), lane in ledger.lanes.items():
        if pools:
            plan.wanting[pools] = plan.wanting.get(pools, 0) + len(lane.entries)
        own = ledger.groups[task].source.parallelism if task else None
        limit = WINDOW if own is None else min(WINDOW, own - ledger.groups[task].live)
        room = None if way is Way.FREE else plan.room
        found = lane.first(limit if room is None else min(limit, room))
        chosen[way].append(found)
        hidden = len(lane.entries) - len(found)
        if not hidden or len(found) == WINDOW:
            continue  # each pod that is created brings another pass, and the next ones
        what = (
            f"forEach.parallelism of task {task} is {own}"
            if len(found) == limit
            else f"the run's parallelism is {parallelism}"
        )
        first = lane.units[lane.entries[len(found)]]
        plan.holds.append(Hold(first.key, "Parallelism", f"{turns(hidden)}: {what}"))
        plan.held += hidden
    pods, runs, free = _merged(chosen[Way.POD]), _merged(chosen[Way.RUN]), _merged(chosen[Way.FREE])
    claiming = [pair for pair in runs if _claims(ledger, pair)]
    runs = _with_room(ledger, plan, pods, [pair for pair in runs if not _claims(ledger, pair)])
    plan.starts = [_start(ledger, unit, entry) for entry, unit in pods]
    plan.podless = [_start(ledger, unit, entry) for entry, unit in _merged([runs, claiming, free])]
    if ledger.suspended:
        _suspend(ledger, plan)


def _merged(lanes: list[list[tuple[Entry, Unit]]]) -> list[tuple[Entry, Unit]]:
    """Ready units of several lanes, in order. Mostly there is one lane, or none."""
    some = [lane for lane in lanes if lane]
    return [*merge(*some, key=_order)] if len(some) > 1 else some[0] if some else []


def turns(count: int) -> str:
    """A message that `count` tasks wait."""
    return "waits its turn" if count == 1 else f"{count} wait their turn"


def _order(pair: tuple[Entry, Unit]) -> Entry:
    return pair[0]


def _claims(ledger: TaskLedger, pair: tuple[Entry, Unit]) -> bool:
    return bool(ledger.definition.tasks[pair[1].task].pools)


def _with_room(
    ledger: TaskLedger, plan: Plan, pods: list[tuple[Entry, Unit]], runs: list[tuple[Entry, Unit]]
) -> list[tuple[Entry, Unit]]:
    """The runs of other DAGs that start together with the pods: as many of both as there is room for, in order. What
    waits for a pool takes no room."""
    if plan.room is None or not runs:
        return runs
    ahead = [pair for pair in pods if not _claims(ledger, pair)]
    first = {entry for entry, _ in islice(merge(ahead, runs, key=_order), plan.room)}
    started = [pair for pair in runs if pair[0] in first]
    plan.room -= len(started)
    if len(started) < len(runs):
        words = f"{turns(len(runs) - len(started))}: the run's parallelism is {ledger.definition.spec.parallelism}"
        plan.holds.append(Hold(runs[len(started)][1].key, "Parallelism", words))
        plan.held += len(runs) - len(started)
    return started


def _suspend(ledger: TaskLedger, plan: Plan) -> None:
    """Nothing starts; active tasks continue."""
    if waiting := [*plan.starts, *plan.podless]:
        words = f"the run is suspended, {len(waiting)} could start: `tradewind resume run/{ledger.run.name}`"
        plan.holds.insert(0, Hold(waiting[0].key, "Suspended", words))
        plan.held += len(waiting)
    plan.starts, plan.podless, plan.wanting = [], [], {}


def _start(ledger: TaskLedger, unit: Unit, entry: Entry) -> Start:
    terms = ledger.definition.terms[unit.task]
    last_chance = bool(unit.ended) and unit.ended[-1].reason in LOSSES
    last_chance = last_chance and unit.spent.losses == terms.retries.infrastructure_limit
    return Start(
        unit.task,
        unit.index,
        unit.next,
        unit.why,
        -entry[0],
        ledger.pools(unit.task),
        entry[1],
        ooms=sum(attempt.reason == "OOMKilled" for attempt in unit.ended),
        avoid_spot=terms.retries.avoid_spot and last_chance,
    )
