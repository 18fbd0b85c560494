"""A run is part of another if it was when it began, with the revisions and params of the call. Users who may create and
label runs pass no approval by a run that ends before its approval exists, or that asks for none."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tradewind.cli.starts.wanted import run_body
from tradewind.kube.errors import Invalid
from tradewind.kube.labels import ATTEMPT, DAG, DEPTH, HOW, ROOT, RUN, RUN_UID, TASK
from tradewind.kube.resources import APPROVALS, DAGS, RUNS
from tradewind.local.session import Session, session
from tradewind.model.run import FINAL_PHASES
from worlds.world import World, eventually

Body = dict[str, Any]
HOLD: Body = {"hold": {"approval": {"message": "go on?"}}}
PAY: Body = {
    "gate": {"when": "params.amount > 100", "approval": {"message": "pay?"}},
    "go": {"dependsOn": ["gate"], "triggerRule": "NoneFailed", "compute": {"x": "params.amount"}},
}
AMOUNT: Body = {"params": {"amount": {"type": "integer", "default": 1}}}
MONTH: Body = {
    **HOLD,
    "sub": {"dependsOn": ["hold"], "dag": {"name": "pay", "params": {"amount": "$[[ params.amount ]]"}}},
    "after": {"dependsOn": ["sub"], "compute": {"x": "1"}},
}
GATED: Body = {"gate": {"approval": {"message": "really?"}}, "work": {"dependsOn": ["gate"], "compute": {"x": "1"}}}
OPEN: Body = {"free": {"compute": {"x": "666"}}}
WORD: Body = {"params": {"word": {"default": ""}}}
OUTER: Body = {
    **HOLD,
    "sub": {
        "dependsOn": ["hold"],
        "dag": {"name": "inner", "params": {"word": "$[[ tasks.hold.outputs.comment ]]"}},
    },
    "after": {"dependsOn": ["sub"], "compute": {"x": "2"}},
}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Session]:
    async with session(lambda: None, cwd=str(tmp_path)) as found:
        yield found


async def apply(here: Session, name: str, tasks: Body, **spec: Any) -> None:
    await here.client.create(DAGS, "default", World("embedded", Path(), "default", "").dag(name, tasks, **spec))


async def edit(here: Session, dag: str, tasks: Body) -> None:
    """Replaces all tasks of a DAG."""
    dags = await here.client.get(DAGS, "default", dag)
    gone = dict.fromkeys(dags["spec"]["tasks"])
    await here.client.patch(DAGS, "default", dag, {"spec": {"tasks": {**gone, **tasks}}})


async def status(here: Session, run: str) -> Body:
    found: Body = (await here.client.get(RUNS, "default", run)).get("status") or {}
    return found


async def reached(here: Session, run: str, phase: str) -> Body:
    async def there() -> Body | None:
        found = await status(here, run)
        return found if found.get("phase") == phase else None

    found: Body = await eventually(there)
    return found


async def started(here: Session, name: str, dag: str, **spec: Any) -> Body:
    """The run, once it has begun."""
    body = run_body(dag, spec.pop("params", {}), name)
    body["spec"] |= spec
    await here.client.create(RUNS, "default", body)

    async def begun() -> Body | None:
        found = await here.client.get(RUNS, "default", name)
        return found if (found.get("status") or {}).get("revision") else None

    found: Body = await eventually(begun)
    return found


async def forge(here: Session, caller: Body, dag: str, labelled: bool = False, **params: Any) -> str:
    """A run ends that has the name that the caller's run of `dag` will have, and its labels if `labelled`."""
    name, at = f"{caller['metadata']['name']}-sub-1", caller["metadata"]["creationTimestamp"]
    body = run_body(dag, params, name)
    body["spec"] |= dict.fromkeys(("logicalDate", "intervalStart", "intervalEnd"), at)
    body["metadata"] |= claim(caller, dag) if labelled else {}
    await here.client.create(RUNS, "default", body)
    await reached(here, name, "Succeeded")
    return name


def claim(caller: Body, dag: str) -> Body:
    """The metadata of the caller's run."""
    name, uid = caller["metadata"]["name"], caller["metadata"]["uid"]
    labels = {RUN_UID: uid, RUN: name, DAG: dag, TASK: "sub", ATTEMPT: "1", DEPTH: "1", ROOT: uid, HOW: "parent"}
    owner = {"apiVersion": "tradewind.dev/v1alpha1", "kind": "DAGRun", "name": name, "uid": uid, "controller": True}
    return {"labels": labels, "ownerReferences": [owner]}


async def approve(here: Session, name: str) -> None:
    await eventually(lambda: _pending(here, name))
    await here.client.patch(
        APPROVALS, "default", name, {"spec": {"decision": "Approved", "by": "alice", "comment": "fine"}}
    )


async def _pending(here: Session, name: str) -> bool:
    return name in await asked(here)


async def asked(here: Session) -> set[str]:
    """Names of the approvals that wait for a decision."""
    found = (await here.client.list(APPROVALS, "default"))["items"]
    return {item["metadata"]["name"] for item in found if (item.get("status") or {}).get("outcome") == "Pending"}


async def gate_of(here: Session, caller: str) -> str:
    """The approval that a run of the caller waits for, or the phase in which the caller ended without one."""

    async def there() -> str:
        gates = [name for name in await asked(here) if name.startswith(f"{caller}-sub-") and "gate" in name]
        phase = str((await status(here, caller)).get("phase"))
        return gates[0] if gates else phase if phase in FINAL_PHASES else ""

    found: str = await eventually(there)
    return found


async def test_a_run_with_other_params_that_is_labelled_later_passes_no_approval(here: Session) -> None:
    await apply(here, "pay", PAY, **AMOUNT)
    await apply(here, "month", MONTH, **AMOUNT)
    caller = await started(here, "m", "month", params={"amount": 5000})
    forged = await forge(here, caller, "pay", amount=1)
    with pytest.raises(Invalid, match="params can't be changed: create another run"):
        await here.client.patch(RUNS, "default", forged, {"spec": {"params": {"amount": 5000}}})
    await here.client.patch(RUNS, "default", forged, {"metadata": claim(caller, "pay")})
    await approve(here, "m-hold-1")
    gate = await gate_of(here, "m")
    assert gate not in FINAL_PHASES
    await approve(here, gate)
    assert (await reached(here, "m", "Succeeded"))["outputs"]["after"] == {"x": 1}


@pytest.mark.parametrize("labelled", [True, False])
async def test_a_run_of_another_revision_passes_no_approval(here: Session, labelled: bool) -> None:
    """The caller is pinned to the revision with an approval. A run that has its labels before the params of the call are
    known gets no pins."""
    await apply(here, "inner", GATED, **WORD)
    await apply(here, "outer", OUTER)
    caller = await started(here, "o", "outer")
    await edit(here, "inner", OPEN)
    forged = await forge(here, caller, "inner", labelled, word="fine")
    await here.client.patch(RUNS, "default", forged, {"metadata": claim(caller, "inner")})
    await edit(here, "inner", GATED)
    await approve(here, "o-hold-1")
    gate = await gate_of(here, "o")
    assert gate not in FINAL_PHASES
    await approve(here, gate)
    await reached(here, "o", "Succeeded")


@pytest.mark.parametrize("some", ["only", "until"])
async def test_a_run_of_some_tasks_only_passes_no_approval(here: Session, some: str) -> None:
    await apply(here, "inner", {"first": {"compute": {"x": "1"}}, **GATED}, **WORD)
    await apply(here, "outer", OUTER)
    caller = await started(here, "o", "outer")
    name, at = "o-sub-1", caller["metadata"]["creationTimestamp"]
    body = run_body("inner", {"word": "fine"}, name)
    body["spec"] |= {**dict.fromkeys(("logicalDate", "intervalStart", "intervalEnd"), at), some: ["first"]}
    body["metadata"] |= claim(caller, "inner")
    await here.client.create(RUNS, "default", body)
    await reached(here, name, "Succeeded")
    await approve(here, "o-hold-1")
    gate = await gate_of(here, "o")
    assert gate not in FINAL_PHASES
    await approve(here, gate)
    await reached(here, "o", "Succeeded")


async def test_a_run_is_part_of_another_by_what_it_was_when_it_began(here: Session) -> None:
    await apply(here, "inner", GATED, **WORD)
    await apply(here, "outer", OUTER)
    caller = await started(here, "o", "outer")
    await approve(here, "o-hold-1")
    gate = await gate_of(here, "o")
    assert (await status(here, "o-sub-1"))["calledBy"] == {
        "run": "o",
        "uid": caller["metadata"]["uid"],
        "task": "sub",
        "attempt": 1,
        "depth": 1,
        "root": caller["metadata"]["uid"],
    }
    away = {"labels": dict.fromkeys((TASK, ATTEMPT, DEPTH)), "ownerReferences": None}
    await here.client.patch(RUNS, "default", "o-sub-1", {"metadata": away})
    await approve(here, gate)
    await reached(here, "o", "Succeeded")


async def test_no_decision_is_reused_of_a_run_whose_sub_dag_asked_for_none(here: Session) -> None:
    await apply(here, "leaf", OPEN)
    await apply(here, "inner", {"call": {"dag": {"name": "leaf"}}})
    await apply(here, "outer", {"sub": {"dag": {"name": "inner"}}, "after": OUTER["after"]})
    day = {"logicalDate": "2026-01-01T00:00:00Z"}
    await started(here, "p", "outer", **day)
    await reached(here, "p", "Succeeded")
    again = {**day, "reuse": {"run": "p", "rerun": ["after"]}}
    await started(here, "same", "outer", **again)
    await reached(here, "same", "Succeeded")
    assert not await asked(here)
    await edit(here, "leaf", GATED)
    await started(here, "q", "outer", **again)
    gate = await gate_of(here, "q")
    assert gate not in FINAL_PHASES
    body = run_body("outer", {}, "only")
    body["spec"] |= {**day, "reuse": {"run": "p", "only": ["after"]}}
    await here.client.create(RUNS, "default", body)
    assert "approval sub is needed" in (await reached(here, "only", "Failed"))["message"]
