"""What a history must show about a DAG that fails fast."""

from collections.abc import Iterator, Mapping

from tradewind.kube.client import Object
from tradewind.plan.outcomes.attempt import FAILURES

from .expectation import expected, last_tasks
from .history import RUNS, History, attempts
from .scenario import HEEDED, LATE, TELL, Scenario


def broken_stops(scenario: Scenario, history: History, run: str) -> Iterator[str]:
    """Once the failure of a last task is on record, no other container starts, and those that run are stopped. Handlers continue."""
    states, phase = expected(scenario)
    if not scenario.fails_fast or phase != "Failed" or history.cut_off:
        return
    if not history.touched[run].isdisjoint({"rolled back", "deleted"}):
        return  # the failure was forgotten, or another run has this name
    doomed = doomed_at(scenario, history, states, run)
    for key, items in history.of(run).items():
        for item in items if not key.startswith(TELL) else ():
            if item.started > doomed + LATE:
                yield f"{item.pod} started at {item.started:.1f}, and since {doomed:.1f} the run can't succeed"
            elif scenario.calm and (item.ended or float("inf")) > doomed + HEEDED:
                yield f"{item.pod} was not stopped, and since {doomed:.1f} the run can't succeed"


def doomed_at(scenario: Scenario, history: History, states: Mapping[str, str], run: str) -> float:
    """When the first status was stored that reports the failure of a last task."""
    needed = {}
    for name in last_tasks(scenario):
        task = scenario.tasks[name]
        if states[name] == "Failed" and not task.silent:
            needed[name] = (task.calls if task.does == "dag" else task.limit) + 1
    stored = [(write.at, write.body) for write in history.writes if (write.kind, write.name) == (RUNS, run)]
    for at, body in stored:
        if body and any(_failed(body, scenario.keys(name), count) for name, count in needed.items()):
            return at
    return float("inf")


def _failed(body: Object, keys: list[str], count: int) -> bool:
    """Whether each of these has used up its failures."""
    bad = [attempt.task for attempt in attempts(body) if attempt.reason in FAILURES]
    return all(bad.count(key) >= count for key in keys)
