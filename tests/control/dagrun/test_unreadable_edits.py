"""An edit that can't be read has no effect and is reported, and does not block later ones: nobody can take it back."""

from typing import Any, cast

from tradewind.control.dagrun.run import read_run
from tradewind.control.dags.bound_approvals import read_edits
from tradewind.kube.resources import RUNS
from tradewind.plan.dags.compile import define
from tradewind.plan.runs.planner import Planner

from control.triggerworld import Server

DEEP: Any = 1
for _ in range(100):
    DEEP = [DEEP]


async def test_those_after_it_are_done() -> None:
    bad = {"action": "Succeed", "tasks": ["a"], "outputs": {"a": {"rows": DEEP}}}
    spec = {"dag": "d", "edits": [bad, {"action": "Skip", "tasks": ["a"]}]}
    run = read_run(Server(0.0).put(RUNS, {"metadata": {"name": "r"}, "spec": spec, "status": {"phase": "Running"}}))
    planner = Planner(define({"tasks": {"a": {"image": "x"}}}), run.facts)
    planner.decide(0.0)
    asked = await read_edits(cast(Any, None), run, planner)
    assert [change.key for change in asked.changes] == ["a"] and len(asked.edits) == 2
    assert ["spec.edits[0]" in problem.path for problem in asked.problems] == [True]
