"""What a history must show about limits."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from .history import RUNS, Execution, History
from .scenario import Scenario


def broken_bounds(scenario: Scenario, history: History) -> Iterator[str]:
    """Limits that were exceeded."""
    if "two leaders" in history.faults:
        return  # each operator counts what it has heard of
    yield from _runs_at_once(scenario, history)
    if not history.misled:  # it can't count pods that it has not heard of
        yield from _pool(scenario, history)
        yield from _parallelism(scenario, history)


def _most(items: Iterable[tuple[Execution, int]]) -> int:
    """The maximum held at once, by containers whose existence anyone could know of."""
    changes: list[tuple[float, int]] = []
    for item, slots in items:
        if not item.forced:
            changes += [(item.started, slots), (item.ended or float("inf"), -slots)]
    most = now = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


def _pool(scenario: Scenario, history: History) -> Iterator[str]:
    for pool in scenario.pools:
        items = [item for item in history.executions if scenario.pool_of(history.whose(item).run) == pool]
        if (most := _most((item, scenario.work(item.key).slots) for item in items)) > scenario.pool:
            yield f"{most} of {scenario.pool} slots of pool {pool} were held at once"


def _parallelism(scenario: Scenario, history: History) -> Iterator[str]:
    of_run: defaultdict[str, list[tuple[Execution, int]]] = defaultdict(list)
    for item in history.executions:
        # A run does not count what it forgot with its status, until it gets to it again.
        if not item.asked and item.run in scenario.names and "rolled back" not in history.touched[item.run]:
            of_run[item.run_uid].append((item, 1))
    for items in of_run.values() if scenario.parallelism else ():
        if (most := _most(items)) > scenario.parallelism:
            yield f"{most} pods of {items[0][0].run} at once, and parallelism is {scenario.parallelism}"


def _runs_at_once(scenario: Scenario, history: History) -> Iterator[str]:
    limit = 1 if scenario.concurrency in ("Enqueue", "Forbid") else scenario.at_once
    running: set[str] = set()
    for write in history.writes if limit else ():
        if write.kind == RUNS and write.name in scenario.names and "rolled back" not in history.touched[write.name]:
            phase = ((write.body or {}).get("status") or {}).get("phase")
            (running.add if phase == "Running" else running.discard)(write.name)
            if len(running) > limit:
                yield f"{', '.join(sorted(running))} ran at once, and at most {limit} may"
                return
