"""A run with a status of any content, through the planner and the status writer."""

from typing import Any

from tradewind.control.dagrun import status as runstatus
from tradewind.control.dagrun.run import read_run
from tradewind.control.dagrun.state import RunState
from tradewind.kube import merge_patch
from tradewind.kube.pod import parse_pod
from tradewind.kube.size import stored_size
from tradewind.plan.dags.compile import define

SPEC = {
    "defaults": {"image": "x"},
    "params": {"a": {"default": "x"}},
    "tasks": {
        "a": {"outputs": {"rows": {"type": "integer"}, "files": {"type": "list"}}, "retries": {"limit": 2}},
        "b": {"dependsOn": ["a"], "forEach": {"items": "$[[ tasks.a.outputs.files ]]"}},
        "c": {"dependsOn": ["b"], "outputs": {"done": {"type": "boolean"}}, "loop": {"until": "outputs.done", "maxIterations": 3}, "when": "tasks.b.outputs.size() > 0"},
        "d": {"dependsOn": ["c"], "triggerRule": "AllDone", "env": {"A": "$[[ tasks.c.outputs.done ]]"}},
    },
}  # fmt: skip
DEFINITION = define(SPEC)
META = {
    "name": "r",
    "namespace": "default",
    "uid": "u",
    "resourceVersion": "7",
    "generation": 1,
    "creationTimestamp": "2026-01-01T00:00:00Z",
}


OF_RUN = {
    "name": "r-a-1",
    "namespace": "default",
    "uid": "p",
    "resourceVersion": "8",
    "creationTimestamp": "2026-01-01T00:00:00Z",
    "ownerReferences": [{"uid": "u", "controller": True, "kind": "DAGRun", "name": "r"}],
}
"""Metadata of a pod of the run."""


def recorded(raw: bytes) -> None:
    """What the operator would record of a pod: it can be written, whatever the pod contains."""
    state = RunState(
        read_run({"metadata": META, "spec": {"dag": "d"}, "status": {"startedAt": "2026-01-01T00:00:00Z"}})
    )
    pod = parse_pod(raw)
    state.bind(DEFINITION, [pod.metadata.name], 0.0, 0.0)
    state.absorb({pod.metadata.name: pod}, 0.0)
    assert state.planner and state.attempts.news
    plan = state.planner.decide(0.0)
    stored_size(
        runstatus.current(state, state.planner, plan, [end for _, end in state.attempts.ends()], 1_767_300_000.0)
    )


def planned(status: Any, **spec: Any) -> merge_patch.Status:
    """What the operator would write over this status. Raises ValueError if it can't be read."""
    run = read_run({"metadata": META, "spec": {"dag": "d", **spec}, "status": status})
    state = RunState(run)
    planner = state.bind(DEFINITION, {}, 0.0, 0.0)
    state.absorb({}, 0.0)
    written = runstatus.current(state, planner, planner.decide(0.0), [], 1_767_300_000.0)
    again = RunState(
        read_run({"metadata": META, "spec": {"dag": "d", **spec}, "status": merge_patch.merged(run.status, written)})
    )
    again.bind(DEFINITION, {}, 0.0, 0.0).decide(0.0)
    return written
