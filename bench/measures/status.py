"""The size of a run's status: the packed text next to the same as a list of objects."""

import orjson
from tradewind.control.dagrun.attempt_log import Packed, append
from tradewind.plan.outcomes.attempt import Attempt

from bench.figure import Figure

SIZES = (10, 100, 1_000, 10_000)


def figures() -> list[Figure]:
    """Bytes of status.attempts, by the number of ended tasks."""
    found = []
    for size in SIZES:
        # Names of usual length, growing times, three nodes, and in one of twenty attempts a second one after a failure.
        attempts = []
        for at in range(size):
            task, began = f"load-region-{at}", 1_000 + at
            if at % 20 == 0:
                attempts.append(Attempt(task, 1, began, began + 12, "Error", 1, f"node-{at % 3}"))
            attempts.append(Attempt(task, 2 if at % 20 == 0 else 1, began + 12, began + 47, "", None, f"node-{at % 3}"))
        packed = append(Packed(), attempts, 1_000)
        listed = len(orjson.dumps([_listed(item) for item in attempts]))
        what = f"status of {size:,} tasks, packed; floor: as a list of objects"
        found.append(Figure(what, (len(packed.text) + len(packed.archive)) / 1024, "KB", listed / 1024, "", True))
    return found


def _listed(item: Attempt) -> dict[str, object]:
    state = "Failed" if item.reason else "Succeeded"
    times = {
        "startedAt": f"2026-11-24T17:{item.start % 60:02d}:00Z",
        "finishedAt": f"2026-11-24T17:{item.end % 60:02d}:00Z",
    }
    return {"task": item.task, "attempt": item.number, "state": state, **times}
