"""A fan-out of calls multiplies at each of eight levels, and a DAG may call itself: the runs that result from one are
limited."""

import asyncio
from collections import Counter

import pytest
from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dagrun.state import RunState
from tradewind.control.podless import descendants
from tradewind.control.podless.descendants import Descendants
from tradewind.control.podless.sub_dags import Call, SubDAGs
from tradewind.kube.labels import ROOT
from tradewind.kube.resources import RUNS
from tradewind.plan.runs.decision import Start

from control.dagrun.test_run_edits import Api


def top(api: Api, name: str, dag: str) -> Run:
    return read_run(api.put(RUNS, {"metadata": {"name": name}, "spec": {"dag": dag}, "status": {"phase": "Running"}}))


async def called(
    api: Api, parent: Run, dag: str, calls: int, states: dict[str, RunState], subdags: SubDAGs
) -> Counter[str]:
    """The results of calls that a run makes at once: reasons, and `made`; runs that were created continue."""

    async def call(index: int) -> str:
        start = Start("t", index, 1, "")
        return (await subdags.execute(parent.facts, Call(start, dag, {}, 0), lambda words: None)).reason

    tasks = [asyncio.create_task(call(index)) for index in range(calls)]
    for _ in range(20):
        await asyncio.sleep(0)
    found = Counter(task.result() if task.done() else "made" for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return found


@pytest.mark.parametrize(
    ("dag", "expected"),
    [
        ("d", {"made": 5, "SubDAGTooMany": 15}),  # it calls itself
        ("other", {"made": 12, "SubDAGTooMany": 8}),
    ],
)
async def test_calls_made_at_once_are_counted(
    dag: str, expected: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(descendants, "MOST_RECURSIVE", 5)
    monkeypatch.setattr(descendants, "DESCENDANTS_LIMIT", 12)
    api = Api(0.0)
    run = top(api, "r", "d")
    states = {run.uid: RunState(run)}
    assert await called(api, run, dag, 20, states, SubDAGs(api, states, lambda uid: None)) == expected


async def test_runs_of_all_levels_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """`a` calls `b`, which calls `a` twice, and so on: the limit is on all of them, not on each."""
    monkeypatch.setattr(descendants, "MOST_RECURSIVE", 5)
    api = Api(0.0)
    first = top(api, "r", "a")
    states = {first.uid: RunState(first)}
    subdags = SubDAGs(api, states, lambda uid: None)
    level, found = [first], Counter[str]()
    for dag in "babab":
        known = set(api.names(RUNS))
        for parent in level:
            found += await called(api, parent, dag, 2, states, subdags)
        level = [read_run(api.objects[RUNS.plural, name]) for name in api.names(RUNS) - known]
        states |= {run.uid: RunState(run) for run in level}
        assert all(run.root == first.uid for run in level)
    assert found["made"] <= 6 and found["SubDAGTooMany"] > 0  # the first `b` does not call itself


def test_what_is_deleted_counts_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descendants, "DESCENDANTS_LIMIT", 1)
    api = Api(0.0)
    run = top(api, "r", "d")
    labels = {ROOT: run.uid, "tradewind.dev/attempt": "1", "tradewind.dev/depth": "1", "tradewind.dev/task": "t"}
    owner = {"uid": run.uid, "controller": True}
    part = read_run(
        api.put(
            RUNS, {"metadata": {"name": "r-t-1", "labels": labels, "ownerReferences": [owner]}, "spec": {"dag": "x"}}
        )
    )
    found = Descendants({run.uid: RunState(run)})
    found.seen(part)
    assert found.refusal(run.facts, "x")[0] == "SubDAGTooMany"
    found.seen(part, deleted=True)
    assert found.refusal(run.facts, "x") == ("", "")
