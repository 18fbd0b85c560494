"""Without faults, each feature does what it is for, and the checker finds the bug that was planted for it."""

from dataclasses import replace
from typing import Any

import pytest

from .checker import violations
from .deadlines import named, words
from .generation import ALWAYS
from .plants import PLANTS
from .scenario import Scenario, Task
from .world import simulate


def scenario(tasks: dict[str, Task], **more: Any) -> Scenario:
    return Scenario(3, tasks, **{"runs": 1, "retention": "Always", "troubles": (), **more})


LONG = {"t0": Task(fails=ALWAYS), "t1": Task(seconds=100), "t2": Task(("t1",))}
AFTER = {"t0": Task(), "t1": Task(("t0",), follows=True, seconds=10)}
SHOWN = Task(limit=1, fails=1, seconds=10)


@pytest.mark.parametrize(
    ("played", "bug", "said"),
    [
        (scenario(LONG, fails_fast=True), "a DAG that fails fast goes on", "was not stopped, and since"),
        (scenario(AFTER, runs=3), "a task does not wait for itself in the run before", "of the run before had ended"),
        (
            scenario({"t0": Task(fails=2, limit=2, pause=20)}),
            "delays are those of the back-off",
            "20 s were to pass since",
        ),
        (scenario({"t0": Task(seconds=20, due=5)}), "what has ended is not late", "and it is not late"),
        (
            scenario({"t0": Task(slots=1, items=3, seconds=5)}, pool=1, lanes=True, runs=2),
            "a pool that a param names is not claimed",
            "of 1 slots of pool p-a were held at once",
        ),
        (
            scenario({"t0": Task(does="watch"), "t1": Task(("t0",))}, shown=SHOWN),
            "sensors take a task that has begun for one that has succeeded",
            "before t0 had ended",
        ),
    ],
)
def test_a_planted_bug_is_found_and_without_it_nothing_is(played: Scenario, bug: str, said: str) -> None:
    assert violations(played, *simulate(played)) == []
    with PLANTS[bug]():
        found = violations(played, *simulate(played))
    assert any(said in text for text in found), found


def test_waits_in_vain_are_skipped_with_what_depends_on_them() -> None:
    tasks = {"t0": Task(does="sensor", fails=1, quits=True), "t1": Task(does="approval", fails=1, quits=True)}
    played = scenario({**tasks, "t2": Task(("t0", "t1"))})
    history, left = simulate(played)
    assert violations(played, history, left) == [] and history.executions == []
    once = replace(simulate(scenario({"t2": Task()}))[0].executions[0], run_uid=next(iter(history.uids("r0"))))
    history.executions.append(once)
    assert "r0: t2 ran, which was not to run" in violations(played, history, left)


def test_deadlines_of_a_run_and_of_tasks_are_told_in_its_status_and_once_in_an_event() -> None:
    played = scenario({"t0": Task(seconds=20, due=5), "t1": Task(("t0",), due=60)}, due=10)
    history, left = simulate(played)
    assert violations(played, history, left) == []
    assert named(words((history.last("r0") or {})["status"])) == {"the run", "t0"}
    late = {name: event for name, event in left.items() if "DeadlineMissed" in str(event) and "events" in name}
    assert len(late) == 2
    found = violations(played, history, {name: body for name, body in left.items() if name not in late})
    assert any("Events about deadlines: []" in text for text in found)
