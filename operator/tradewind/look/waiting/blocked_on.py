"""The dependencies that a blocked task waits for, in words."""

from tradewind.plan.outcomes.state import FINAL, State
from tradewind.plan.runs.planner import Planner

SHOWN = 5
"""Dependencies that are named."""


def blocked(planner: Planner, task: str, index: int | None) -> str:
    """`waits for load, clean (running)`: dependencies, and tasks in expressions, that have not ended, by state. `index`
    is an item's."""
    gate = planner.ledger.gate(task, planner.ledger.counterpart(task, index))
    names = dict.fromkeys((*gate.dependencies, *gate.needs))
    standing = {name: gate.state(name) for name in names}
    ranked = sorted((_ORDER.index(state), name) for name, state in standing.items() if state not in FINAL)
    parts: dict[State, list[str]] = {}
    for rank, name in ranked[:SHOWN]:
        parts.setdefault(_ORDER[rank], []).append(name)
    words = ", ".join(f"{', '.join(named)} ({state.lower()})" for state, named in parts.items())
    more = f" and {len(ranked) - SHOWN} more" if len(ranked) > SHOWN else ""
    return f"waits for {words}{more}" if words else ""


_ORDER = (State.RUNNING, State.PENDING, State.WAITING, State.READY, State.BLOCKED)
"""Active states come first."""
