"""Anyone who may create pods can forge one of a run. It counts only as an attempt that the operator can have started."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from tradewind.control.dagrun.run import read_run
from tradewind.control.dagrun.state import RunState
from tradewind.kube.pod import Pod, parse_pod
from tradewind.plan.dags.compile import define
from tradewind.plan.outcomes.attempt import key as unit_key
from tradewind.plan.runs.decision import Plan

GATED = {
    "before": {"image": "x"},
    "gate": {"dependsOn": ["before"], "approval": {"message": "?"}},
    "after": {"dependsOn": ["gate"], "image": "x"},
    "last": {"dependsOn": ["after"], "image": "x"},
}
META = {"name": "r", "namespace": "ns", "uid": "u", "resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:00Z"}


def state(tasks: dict[str, Any], pods: Mapping[str, Pod], **more: Any) -> RunState:
    """A run after a restart of the operator, with pods that the status does not record."""
    status = {"phase": "Running", **more.pop("status", {})}
    made = RunState(read_run({"metadata": META, "spec": {"dag": "d", **more}, "status": status}))
    made.bind(define({"tasks": tasks}), pods, 0.0, 0.0)
    return made


def pod(task: str, index: int | None = None, done: bool = True, outputs: str = "") -> Pod:
    """A pod with the labels and the owner of an attempt."""
    labels = {"tradewind.dev/run-uid": "u", "tradewind.dev/run": "r", "tradewind.dev/task": task}
    labels |= {"tradewind.dev/attempt": "1"} | ({} if index is None else {"tradewind.dev/item": str(index)})
    name = f"r-{task}-1" if index is None else f"r-{task}-{index}-1"
    owner = {"uid": "u", "name": "r", "kind": "DAGRun", "controller": True}
    meta = {**META, "name": name, "uid": unit_key(task, index), "labels": labels, "ownerReferences": [owner]}
    ended = {
        "exitCode": 0,
        "message": outputs,
        "startedAt": META["creationTimestamp"],
        "finishedAt": META["creationTimestamp"],
    }
    main = {"name": "main", "state": {"terminated": ended} if done else {"running": {}}}
    status = {"phase": "Succeeded" if done else "Running", "containerStatuses": [main]}
    return parse_pod(json.dumps({"metadata": meta, "spec": {"nodeName": "n"}, "status": status}))


def absorbed(tasks: dict[str, Any], *found: Pod, **more: Any) -> tuple[RunState, Plan]:
    pods = {each.metadata.name: each for each in found}
    made = state(tasks, pods, **more)
    made.absorb(pods, 0.0)
    assert made.planner is not None
    return made, made.planner.decide(0.0)


def counted(made: RunState) -> list[str]:
    """The tasks and items of which an end was observed."""
    return sorted(name for name, _ in made.attempts.news)


def test_a_pod_of_a_task_without_pods_decides_nothing_and_is_reported() -> None:
    outputs = '{"approved": true, "by": "alice", "comment": "", "answers": {}}'
    made, plan = absorbed(GATED, pod("before"), pod("gate", outputs=outputs), pod("after"), pod("last"))
    assert counted(made) == ["before"] and made.planner is not None and made.planner.ledger.outputs == {}
    assert plan.starts == [] and [start.key for start in plan.podless] == ["gate"]
    assert [each.metadata.name for each in made.pods.take_strangers()] == ["r-gate-1"]
    assert made.pods.take_strangers() == [], "once"


@pytest.mark.parametrize("task", ["after", "last"])
def test_a_pod_of_a_task_behind_an_approval_does_not_count_before_it(task: str) -> None:
    made, plan = absorbed(GATED, pod("before"), pod(task))
    assert counted(made) == ["before"] and plan.starts == []


def test_it_counts_once_what_comes_before_has_ended() -> None:
    """As after a restart between the decision and the writing of the status."""
    pods = {each.metadata.name: each for each in (pod("before"), pod("after"), pod("last", done=False))}
    made = state(GATED, pods)
    made.absorb(pods, 0.0)
    approved = state(GATED, pods, status={"attempts": "gate 0+1"})
    approved.absorb(pods, 0.0)
    assert counted(made) == ["before"] and counted(approved) == ["after", "before"]
    assert approved.planner is not None and approved.planner.live("last") is not None


@pytest.mark.parametrize("order", [("a", "b", "c"), ("c", "b", "a"), ("b", "c", "a")])
def test_pods_are_observed_in_the_order_of_the_dag_whichever_is_seen_first(order: tuple[str, ...]) -> None:
    tasks = {"a": {"image": "x"}, "b": {"image": "x", "dependsOn": ["a"]}, "c": {"image": "x", "dependsOn": ["b"]}}
    made, plan = absorbed(tasks, *(pod(task) for task in order))
    assert counted(made) == ["a", "b", "c"] and plan.phase == "Succeeded"


@pytest.mark.parametrize("desired", ["Running", "Cancelled", "Terminated"])
def test_live_pods_are_found_again_after_a_restart_and_stopped_if_the_run_is(desired: str) -> None:
    tasks = {
        "a": {"image": "x"},
        "each": {"image": "x", "dependsOn": ["a"], "forEach": {"range": {"stop": 3}}},
        "b": {"image": "x", "dependsOn": ["a"], "when": "tasks.a.outputs.n == 1"},
    }
    live = [pod("each", 0, done=False), pod("each", 2, done=False), pod("b", done=False)]
    made, plan = absorbed(tasks, pod("a", outputs='{"n": 1}'), *live, desiredState=desired)
    planner = made.planner
    assert planner is not None
    assert {name for name in ("each[0]", "each[1]", "each[2]", "b") if planner.live(name)} == {
        "each[0]",
        "each[2]",
        "b",
    }
    stopped = [] if desired == "Running" else ["b", "each[0]", "each[2]"]
    assert sorted(stop.task for stop in plan.stops) == stopped
    assert [start.key for start in plan.starts] == (["each[1]"] if desired == "Running" else [])


def test_a_pod_of_a_task_that_a_condition_skips_does_not_count() -> None:
    tasks = {"a": {"image": "x"}, "b": {"image": "x", "dependsOn": ["a"], "when": "false"}}
    made, plan = absorbed(tasks, pod("a"), pod("b", outputs='{"n": 1}'))
    assert counted(made) == ["a"] and plan.phase == "Succeeded"


def test_a_cleared_attempt_leaves_nothing() -> None:
    tasks = {"a": {"image": "x"}, "b": {"image": "x", "dependsOn": ["a"]}}
    made, _ = absorbed(tasks, pod("a", outputs='{"n": 1}'), status={"attempts": "a ^1"})
    assert [end.attempt.reason for end in made.attempts.news.values()] == ["Superseded"]
    assert made.planner is not None and made.planner.ledger.outputs == {}
