"""The expected results of a scenario, computed from the documents alone."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from .scenario import Scenario, Task

RAN = ("Succeeded", "Failed", "Quit")


@dataclass(frozen=True)
class Again:
    """How a run ends on which someone worked after its end."""

    states: Mapping[str, str]
    phase: str
    anew: Collection[str]
    """Tasks that are decided once more: they were cleared, or had not run."""
    ran: Collection[str]
    """Tasks that run afterwards: those that are decided once more, and those that had failed and are retried."""


def expected(scenario: Scenario) -> tuple[dict[str, str], str]:
    """How each task, and the run, must end: by docs/trigger-rules.md, whatever goes wrong. A task that skips itself is
    Quit, one that does not run Skipped."""
    states: dict[str, str] = {}
    for name, task in scenario.tasks.items():
        states[name] = _decided(task, task, states)
    return states, _phase(scenario, states)


def again(scenario: Scenario) -> Again:
    """The same after someone worked on it, by docs/working-on-runs.md: what is cleared is decided again, with all that
    depends on it. A retry clears approvals that had failed, or depend on what had."""
    assert scenario.rework
    before, task = expected(scenario)[0], scenario.rework.task
    failed = set() if task else {name for name, state in before.items() if state == "Failed"}
    about = failed | below(scenario, failed)
    asked = {name for name in about if scenario.tasks[name].does == "approval" and before[name] in RAN}
    cleared = {task, *below(scenario, {task})} if task else asked | below(scenario, asked)
    states: dict[str, str] = {}
    for name, plan in scenario.tasks.items():
        if name in cleared or before[name] not in RAN:
            states[name] = _decided(plan, plan.mended, states)
        else:
            decided = _decided(plan, plan.mended, states)
            # The items of a fan-out follow from its rule, which is asked again.
            kept = before[name] if decided in RAN or not plan.items else decided
            states[name] = plan.mended.state if name in failed and kept in RAN else kept
    anew = {name for name in before if name in cleared or before[name] not in RAN}
    ran = {name for name in anew | failed if states[name] in RAN}
    return Again(states, _phase(scenario, states), anew, ran)


def below(scenario: Scenario, names: Collection[str]) -> set[str]:
    """All tasks that depend on some, at any depth."""
    found: set[str] = set()
    for name, task in scenario.tasks.items():
        if not (found | set(names)).isdisjoint(task.above):
            found.add(name)
    return found


def above(scenario: Scenario, name: str) -> set[str]:
    """All tasks that one depends on, at any depth."""
    return {other for other in scenario.tasks if name in below(scenario, {other})}


def _decided(task: Task, now: Task, states: Mapping[str, str]) -> str:
    over = {states[other].replace("Quit", "Skipped") for other in task.above}
    verdict = _verdict(task.rule, over) if task.above else "run"
    return ("Skipped" if task.skipped else now.state) if verdict == "run" else verdict


def _phase(scenario: Scenario, states: Mapping[str, str]) -> str:
    bad = ("Failed", "UpstreamFailed")
    return "Failed" if any(states[name] in bad for name in last_tasks(scenario)) else "Succeeded"


def last_tasks(scenario: Scenario) -> list[str]:
    """The tasks that no other one depends on: they decide how a run ends."""
    return [name for name in scenario.tasks if not any(name in task.above for task in scenario.tasks.values())]


def _verdict(rule: str, over: set[str]) -> str:
    failed = bool(over & {"Failed", "UpstreamFailed"})
    if rule == "AllDone":
        return "run"
    if rule == "OneFailed":
        return "run" if failed else "Skipped"
    if failed:
        return "UpstreamFailed"
    return "Skipped" if rule == "AllSucceeded" and "Skipped" in over else "run"
