"""What a history must show about waits before an attempt: after a failure, and for the run before."""

from collections.abc import Iterator
from itertools import pairwise

from .expectation import RAN, expected
from .history import History
from .scenario import NOTHING_TO_DO, Scenario

ROUNDED = 1.5
"""Seconds by which timestamps of the API server may be wrong."""


def broken_delays(scenario: Scenario, history: History, run: str) -> Iterator[str]:
    """After a failure for which `delays` names a time, the next attempt starts no earlier. What someone retries starts at once."""
    paused = {key: task.pause for name, task in scenario.tasks.items() if task.pause for key in scenario.keys(name)}
    if "rolled back" in history.touched[run] or not {"two leaders", "clock set"}.isdisjoint(history.faults):
        return  # the failure was forgotten, or counts from another time
    for key, items in history.of(run).items() if paused else ():
        for one, other in pairwise(sorted(items, key=lambda item: item.started)):
            failed = one.code == 1 and one.ended is not None and not history.touched[one.pod]
            retried = other.started >= history.reworked.get(other.run_uid, float("inf"))
            if not failed or retried or one.run_uid != other.run_uid:
                continue
            if key in paused and other.started < (one.ended or 0.0) + paused[key] - ROUNDED:
                yield f"{other.pod} started at {other.started:.1f}, {paused[key]} s were to pass since {one.ended:.1f}"


def broken_following(scenario: Scenario, history: History, run: str) -> Iterator[str]:
    """A task that waits for itself in the run before starts when that has succeeded there."""
    following = [name for name, task in scenario.tasks.items() if task.follows]
    changed = any({"deleted", "rolled back", "cancelled"} & how for how in history.touched.values())
    at = scenario.names.index(run)
    if not following or not at or changed or not {"stale lists", "two leaders"}.isdisjoint(history.faults):
        return  # an operator may not have heard of the run before
    before, now, states = history.of(scenario.names[at - 1]), history.of(run), expected(scenario)[0]
    for name in following:
        for key in scenario.keys(name) if states[name] in RAN else ():
            done = [item.ended for item in before.get(key, ()) if item.code in (0, NOTHING_TO_DO) and item.ended]
            for name_now in scenario.keys(name):
                for item in now.get(name_now, ()):
                    if not done or item.started < min(done):
                        yield f"{item.pod} started at {item.started:.1f} before {key} of the run before had ended"
