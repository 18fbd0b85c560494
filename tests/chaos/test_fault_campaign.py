"""Schedules of faults violate nothing, and the checker that verifies this finds the bugs that were planted for it."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from nightly import sized

from .campaign import scenario_of, shrunk, some
from .checker import violations
from .generation import ALWAYS
from .history import History
from .plants import NEAR, PLANTS
from .scenario import Rework, Scenario, Task
from .world import simulate

pytestmark = pytest.mark.timeout(1200)
SCHEDULES = sized(150, 5_000)
TESTS = Path(__file__).parents[1]


def chaos(*flags: str) -> str:
    done = subprocess.run([sys.executable, "-m", "chaos", *flags], cwd=TESTS, capture_output=True, text=True)
    print(done.stdout[-4_000:], done.stderr[-4_000:])
    assert done.returncode == 0, done.stdout[-4_000:]
    return done.stdout


def test_schedules_of_faults_violate_nothing_and_every_planted_bug_is_found() -> None:
    said = chaos("--schedules", str(SCHEDULES))
    assert re.search(rf"schedules {SCHEDULES}, faults \d{{3,}}, violations 0", said)
    assert f"planted bugs found {len(PLANTS) - 1}/{len(PLANTS) - 1}" in said and len(PLANTS) > 8


def test_a_seed_always_makes_the_same_history() -> None:
    assert chaos("--seed", "7") == chaos("--seed", "7")


def test_what_a_process_did_before_changes_no_history() -> None:
    seeds = [11, *range(40, 60)]
    first = {seed: simulate(scenario_of(seed))[0].digest() for seed in seeds}
    scattered = [bytearray(size % 600) for size in range(100_000)][::3]  # moves later objects to other addresses
    assert {seed: simulate(scenario_of(seed))[0].digest() for seed in reversed(seeds)} == first and scattered


def test_what_violates_something_is_shrunk_to_the_troubles_that_it_takes() -> None:
    bug = "a pod that is to be deleted counts as ended"
    with PLANTS[bug]():
        seed = next(
            seed for seed in range(NEAR[bug], 1_000) if some([seed]).broken and len(scenario_of(seed).troubles) > 2
        )
        least = shrunk(scenario_of(seed))
        assert 0 < len(least.troubles) < len(scenario_of(seed).troubles)


def test_the_checker_sees_what_a_history_of_lies_says() -> None:
    scenario = Scenario(3, {"t0": Task()}, runs=1, retention="Always", troubles=())
    history, left = simulate(scenario)
    assert violations(scenario, history, left) == []
    ran = next(item for item in history.executions if item.code == 0)
    history.executions.append(replace(ran, attempt=9, pod="another", uid="u"))
    found = violations(scenario, history, left)
    assert any("alive at once" in words for words in found) and any("once too often" in words for words in found)
    assert violations(scenario, History(), left) != []


def test_the_checker_sees_a_task_that_ran_although_the_one_before_it_skipped_itself() -> None:
    tasks = {"t0": Task(quits=True, fails=1, limit=1), "t1": Task(("t0",))}
    scenario = Scenario(3, tasks, runs=1, retention="Always", troubles=())
    history, left = simulate(scenario)
    assert violations(scenario, history, left) == [] and [item.code for item in history.executions] == [1, 99]
    history.executions.append(replace(history.executions[-1], key="t1", code=0))
    assert "r0: t1 ran, which was not to run" in violations(scenario, history, left)


def test_the_checker_sees_handlers_that_did_not_run_or_ran_for_nothing() -> None:
    scenario = Scenario(3, {"t0": Task(fails=1), "t1": Task()}, runs=1, retention="Always", troubles=(), told=True)
    history, left = simulate(scenario)
    assert violations(scenario, history, left) == []
    told = next(item for item in history.executions if item.item == "t0 Failed 1")
    history.executions.remove(told)
    assert "r0: handlers ran for the failures of [], and failed had ['t0']" in violations(scenario, history, left)
    history.executions += [told, replace(told, key="tell[7]"), replace(told, item="t1 Failed 1")]
    found = violations(scenario, history, left)
    assert any("are both about 't0 Failed 1'" in words for words in found)
    assert any("is about several ends: ['t0 Failed 1', 't1 Failed 1']" in words for words in found)


def test_the_checker_sees_an_approval_that_a_retry_did_not_request_again_or_too_early() -> None:
    breaks = Task(fails=ALWAYS, mends=True)
    tasks = {"t0": breaks, "t1": Task(("t0",), "AllDone", does="approval"), "t2": Task(("t1",))}
    scenario = Scenario(3, {**tasks, "t3": breaks}, runs=1, retention="Always", troubles=(), rework=Rework(after=3))
    history, left = simulate(scenario)
    assert violations(scenario, history, left) == [] and len(history.asked) == 2 and len(history.reworked) == 1
    _, uid, key = history.asked.pop()
    assert any("t1 was not requested after" in words for words in violations(scenario, history, left))
    history.asked.append((history.reworked[uid] + 0.01, uid, key))
    assert any("before all upstream of it had ended" in words for words in violations(scenario, history, left))
    history.decided.pop()
    assert any("before t1 had ended" in words for words in violations(scenario, history, left))


def test_what_is_cleared_runs_again_with_all_that_depends_on_it() -> None:
    tasks = {"t0": Task(), "t1": Task(), "t2": Task(("t0",))}
    scenario = Scenario(3, tasks, runs=1, retention="Always", troubles=(), rework=Rework("t0"))
    history, left = simulate(scenario)
    assert violations(scenario, history, left) == []
    assert sorted(item.key for item in history.executions) == ["t0", "t0", "t1", "t2", "t2"]


def test_the_checker_sees_a_run_that_did_not_wait_for_the_run_before_or_read_what_it_left() -> None:
    scenario = Scenario(3, {"t0": Task()}, runs=3, retention="Always", troubles=(), chained=True)
    history, left = simulate(scenario)
    assert violations(scenario, history, left) == []
    for bug in ("a run does not wait for the run before", "what a run leaves for the next is forgotten"):
        with PLANTS[bug]():
            assert violations(scenario, *simulate(scenario)) != []
