"""What a history must show about deadlines: what is late is called so, once and for good, and nothing else is."""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from tradewind.kube.client import Object
from tradewind.model import duration

from .clock import EPOCH
from .expectation import RAN, expected
from .history import History
from .scenario import HEEDED, Scenario

EVENTS = "/events"
MISSED = "DeadlineMissed"
RUN = "the run"
"""What the words call the run itself."""
ROUNDED = 3.0
"""Seconds by which timestamps, and a status that was written a little later, may differ from what really happened."""


def broken_deadlines(scenario: Scenario, history: History, left: Mapping[str, Object], run: str) -> Iterator[str]:
    """Statuses that name the wrong tasks as late."""
    due = {name: task.due for name, task in scenario.tasks.items() if task.due}
    if not (scenario.due or due) or "clock set" in history.faults or history.touched[run]:
        return
    if history.uids(run) & history.reworked.keys():
        yield from _anew(history, run, min(filter(None, (scenario.due, *due.values()))))
        return
    states, phase = expected(scenario)
    told = [(at, words(status)) for at, status in history.statuses(run)]
    body = history.last(run)
    if body is None or (body.get("status") or {}).get("phase") != phase:
        return  # another check reports that
    # A task of which an operator heard nothing for a while may have ended in time.
    really = {RUN, *(name for name, late in _late_tasks(scenario, history, states, body).items() if late)}
    for (_, before), (at, after) in pairwise(told):
        if lost := (named(before) - named(after)) & really:
            yield f"{sorted(lost)} were late, and from {at:.1f} on they are not"
    yield from _run(scenario, body, told)
    yield from _tasks(scenario, history, states, body)
    if scenario.calm:
        yield from _events(left, body, {text for _, text in told if text})


def _anew(history: History, run: str, least: int) -> Iterator[str]:
    """A run on which someone works has its time once more."""
    late = [(at, status) for at, status in history.statuses(run) if status.get("reopenedAt") and words(status)]
    for at, status in late:
        if at + ROUNDED < (since := duration.instant(status["reopenedAt"]) - EPOCH) + least:
            yield f"it went on at {since:.0f}, and was late at {at:.0f}: {words(status)}"


def _run(scenario: Scenario, body: Object, told: list[tuple[float, str]]) -> Iterator[str]:
    if not scenario.due:
        return
    late_at = duration.instant(body["metadata"]["creationTimestamp"]) + scenario.due
    over, late = duration.instant(body["status"]["finishedAt"]), RUN in named(words(body["status"]))
    if abs(over - late_at) > ROUNDED and late != (over > late_at):
        yield f"it ended at {over - EPOCH:.0f}, its deadline was {late_at - EPOCH:.0f}, and it is{'' if late else ' not'} late"
    first = next((at for at, text in told if RUN in named(text)), float("inf"))
    if scenario.calm and min(first, over - EPOCH) > late_at - EPOCH + HEEDED:
        yield f"its deadline was {late_at - EPOCH:.0f}, which was told at {first:.0f}"


def _tasks(scenario: Scenario, history: History, states: Mapping[str, str], body: Object) -> Iterator[str]:
    late, really = named(words(body["status"])), _late_tasks(scenario, history, states, body)
    for name, is_late in really.items():
        if is_late and name not in late:
            yield f"{name} ended after its deadline, and it is not late"
        elif scenario.calm and scenario.tasks[name].does == "pod" and not is_late and name in late:
            yield f"{name} ended before its deadline, and it is late"


def _late_tasks(scenario: Scenario, history: History, states: Mapping[str, str], body: Object) -> dict[str, bool]:
    """Whether tasks with a deadline ended after it; without those that ended at about that time, or of which that is not known."""
    found, executions = dict[str, bool](), history.of(body["metadata"]["name"])
    began = duration.instant(body["status"]["startedAt"]) - EPOCH
    for name, task in scenario.tasks.items():
        items = [item for key in scenario.keys(name) for item in executions.get(key, ()) if item.code is not None]
        if not task.due or not items or states[name] not in RAN or any(item.forced for item in items):
            continue
        by = max(item.ended or 0.0 for item in items) - began - task.due
        if abs(by) > ROUNDED:
            found[name] = by > 0
    return found


def _events(left: Mapping[str, Object], body: Object, told: set[str]) -> Iterator[str]:
    """Where nothing goes wrong, there is an Event for each message."""
    uid = body["metadata"]["uid"]
    events = [event for kind, event in left.items() if kind.startswith(f"{EVENTS}/")]
    found = [
        event["message"] for event in events if event["reason"] == MISSED and event["involvedObject"]["uid"] == uid
    ]
    if sorted(found) != sorted(told):
        yield f"Events about deadlines: {sorted(found)}, and told was {sorted(told)}"


def words(status: Mapping[str, Any]) -> str:
    """The message of the condition; empty without one."""
    conditions = status.get("conditions") or ()
    return next((str(item["message"]) for item in conditions if item["type"] == MISSED), "")


def named(text: str) -> set[str]:
    """What the message of a condition names as late."""
    return set(re.findall(r"[:,] ([a-z0-9 ]+) \(", text))
