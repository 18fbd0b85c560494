"""What is to start, in which order, and why other ready units do not start."""

from heapq import merge

from tradewind.plan.attempt import LOSSES
from tradewind.plan.decision import Hold, Plan, Start
from tradewind.plan.lane import Entry
from tradewind.plan.ledger import Ledger
from tradewind.plan.unit import Unit

WINDOW = 256
"""Starts per lane and plan: a plan for ten thousand ready tasks need not list them all."""


def pick(board: Ledger, plan: Plan) -> None:
    """The starts, and why other ready units do not start."""
    parallelism = board.definition.spec.parallelism
    plan.room = None if parallelism is None else max(0, parallelism - board.alive)
    chosen: list[list[tuple[Entry, Unit]]] = []
    free: list[list[tuple[Entry, Unit]]] = []
    for (task, pools, podless), lane in board.lanes.items():
        if pools:
            plan.wanting[pools] = plan.wanting.get(pools, 0) + len(lane.entries)
        own = board.groups[task].source.parallelism if task else None
        limit = WINDOW if own is None else min(WINDOW, own - board.groups[task].live)
        room = None if podless else plan.room
        found = lane.first(limit if room is None else min(limit, room))
        (free if podless else chosen).append(found)
        hidden = len(lane.entries) - len(found)
        if not hidden or len(found) == WINDOW:
            continue  # Each pod that is made brings another look, and the next ones.
        what = f"the parallelism of {task} is {own}" if len(found) == limit else f"the run's is {parallelism}"
        first = lane.units[lane.entries[len(found)]]
        plan.holds.append(Hold(first.key, "Parallelism", f"{hidden} wait their turn: {what}"))
        plan.held += hidden
    plan.starts, plan.podless = (
        [_start(board, unit, entry) for entry, unit in merge(*lanes, key=lambda pair: pair[0])]
        for lanes in (chosen, free)
    )
    if board.suspended:
        _suspend(board, plan)


def _suspend(board: Ledger, plan: Plan) -> None:
    """Nothing starts; what has started goes on."""
    if waiting := [*plan.starts, *plan.podless]:
        words = f"the run is suspended, {len(waiting)} could start: `tradewind resume run/{board.run.name}`"
        plan.holds.insert(0, Hold(waiting[0].key, "Suspended", words))
        plan.held += len(waiting)
    plan.starts, plan.podless, plan.wanting = [], [], {}


def _start(board: Ledger, unit: Unit, entry: Entry) -> Start:
    terms = board.definition.terms[unit.task]
    last_chance = bool(unit.ended) and unit.ended[-1].reason in LOSSES
    last_chance = last_chance and unit.spent.losses == terms.retries.infrastructure_limit
    return Start(
        unit.task,
        unit.index,
        unit.next,
        unit.why,
        -entry[0],
        tuple(board.definition.tasks[unit.task].pools),
        ooms=sum(attempt.reason == "OOMKilled" for attempt in unit.ended),
        avoid_spot=terms.retries.avoid_spot and last_chance,
    )
