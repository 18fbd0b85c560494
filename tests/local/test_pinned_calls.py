"""An active run is not changed by an apply, at any depth: it runs the revisions of sub-DAGs that were current when it
began."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tradewind.cli.starts.wanted import run_body
from tradewind.control.dags.revisions import Revisions
from tradewind.control.retention.revisions import uses
from tradewind.kube.errors import AlreadyExists, NotFound
from tradewind.kube.labels import ATTEMPT, DEPTH, RUN, RUN_UID, TASK
from tradewind.kube.resources import DAGS, REVISIONS, RUNS
from tradewind.local.session import Session, session
from tradewind.plan.dags.definition import Definition
from worlds.world import World, eventually

Body = dict[str, Any]
HOLD: Body = {"hold": {"wait": {"duration": "1h"}}}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Session]:
    async with session(lambda: None, cwd=str(tmp_path)) as found:
        yield found


async def apply(here: Session, name: str, tasks: Body, **spec: Any) -> None:
    dag = World("embedded", Path(), "default", "").dag(name, tasks, **spec)
    try:
        await here.client.create(DAGS, "default", dag)
    except AlreadyExists:
        await here.client.patch(DAGS, "default", name, {"spec": dag["spec"]})


async def chain(here: Session, word: str) -> None:
    """Two DAGs, one of which calls the other."""
    await apply(here, "inner", {"x": {"compute": {"v": f"'{word}'"}}}, outputs={"v": "tasks.x.outputs.v"})
    call = {"dag": {"name": "inner"}, "outputs": {"v": {}}}
    await apply(here, "mid", {"call": call}, outputs={"v": f"tasks.call.outputs.v + ' by {word}'"})


async def start(here: Session, name: str, dag: str = "outer") -> Body:
    await here.client.create(RUNS, "default", run_body(dag, {}, name))
    return await reached(here, name, "Running")


async def reached(here: Session, name: str, phase: str) -> Body:
    async def there() -> Body | None:
        try:
            status: Body = (await here.client.get(RUNS, "default", name)).get("status") or {}
        except NotFound:
            return None
        return status if status.get("phase") == phase else None

    found: Body = await eventually(there)
    return found


async def release(here: Session, name: str) -> Body:
    edit = {"action": "Succeed", "tasks": ["hold"]}
    await here.client.patch(RUNS, "default", name, {"spec": {"edits": [edit]}})
    return await reached(here, name, "Succeeded")


OUTER = {**HOLD, "sub": {"dependsOn": ["hold"], "dag": {"name": "mid"}, "outputs": {"v": {}}}}


async def test_what_is_applied_meanwhile_does_not_change_a_run(here: Session) -> None:
    await chain(here, "old")
    await apply(here, "outer", OUTER)
    began = await start(here, "one")
    assert set(began["calls"]) == {"mid", "inner"}
    await chain(here, "new")
    assert (await release(here, "one"))["outputs"]["sub"] == {"v": "old by old"}
    await start(here, "two")
    assert (await release(here, "two"))["outputs"]["sub"] == {"v": "new by new"}


async def test_a_dag_that_is_deleted_meanwhile_runs_as_it_was(here: Session) -> None:
    await chain(here, "old")
    await apply(here, "outer", OUTER)
    began = await start(here, "one")
    for name in ("mid", "inner"):
        await here.client.delete(DAGS, "default", name)
    assert await uses(here.client, "default", "inner") == {began["calls"]["inner"]: 1}
    assert (await release(here, "one"))["outputs"]["sub"] == {"v": "old by old"}


async def test_a_dag_that_calls_itself_is_pinned_too(here: Session) -> None:
    again = {"when": "params.n > 0", "dag": {"name": "self", "params": {"n": "$[[ params.n - 1 ]]"}}}
    word = {**HOLD, "again": {"dependsOn": ["hold"], **again}}
    params = {"n": {"type": "integer", "default": 1}}
    await apply(here, "self", word, params=params)
    began = await start(here, "one", "self")
    assert began["calls"] == {"self": began["revision"]}
    await here.client.patch(DAGS, "default", "self", {"spec": {"description": "another revision"}})
    edit = {"action": "Succeed", "tasks": ["hold"]}
    await here.client.patch(RUNS, "default", "one", {"spec": {"edits": [edit]}})
    part = await reached(here, "one-again-1", "Running")
    assert part["revision"] == began["revision"] and part["calls"] == began["calls"]


async def test_a_revision_that_somebody_deleted_is_used_as_long_as_it_is_in_memory(here: Session) -> None:
    await chain(here, "old")
    await apply(here, "outer", {**OUTER, "hold": {"wait": {"duration": "3s"}}})
    began = await start(here, "one")
    await chain(here, "new")
    await here.client.delete(REVISIONS, "default", began["calls"]["inner"])
    assert (await reached(here, "one", "Succeeded"))["outputs"]["sub"]["v"] == "old by old"


async def test_a_run_whose_pinned_revision_is_gone_fails(here: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not begin with another one."""
    load = Revisions.load

    async def gone(self: Revisions, namespace: str, name: str) -> Definition:
        if name.startswith("mid-"):
            raise NotFound(404, "NotFound", name)
        return await load(self, namespace, name)

    monkeypatch.setattr(Revisions, "load", gone)
    await chain(here, "old")
    await apply(here, "outer", {"sub": {"dag": {"name": "mid"}}})
    await here.client.create(RUNS, "default", run_body("outer", {}, "one"))
    ended = await reached(here, "one", "Failed")
    assert ended["failures"][0]["reason"] == "SubDAGFailed"
    words = f"revision {ended['calls']['mid']} of DAG mid, to which its caller is bound, is gone"
    assert words in (await reached(here, "one-sub-1", "Failed"))["message"]


async def test_a_dag_that_is_not_there_yet_is_as_it_is_when_it_is_called(here: Session) -> None:
    await apply(here, "outer", OUTER)
    assert "calls" not in await start(here, "one")
    await chain(here, "late")
    assert (await release(here, "one"))["outputs"]["sub"] == {"v": "late by late"}


@pytest.mark.parametrize(
    ("name", "params"), [("forged", {}), ("one-sub-1", {"who": "me"}), ("one-sub-9", {"who": "me"})]
)
async def test_who_only_says_he_is_a_part_runs_what_the_dag_is(here: Session, name: str, params: Body) -> None:
    who = {"who": {"default": "nobody"}}
    await apply(here, "mid", {"x": {"compute": {"v": "'old'"}}}, params=who)
    await apply(here, "outer", OUTER | {"sub": {"dependsOn": ["hold"], "dag": {"name": "mid"}}})
    began = await start(here, "one")
    await apply(here, "mid", {"x": {"compute": {"v": "'new'"}}}, params=who)
    caller = await here.client.get(RUNS, "default", "one")
    number = name.rpartition("-")[2] if "-" in name else "1"
    labels = {RUN_UID: caller["metadata"]["uid"], RUN: "one", TASK: "sub", ATTEMPT: number, DEPTH: "1"}
    body = run_body("mid", params, name)
    owner = {"apiVersion": "tradewind.dev/v1alpha1", "kind": "DAGRun", "name": "one", "uid": caller["metadata"]["uid"]}
    body["metadata"] |= {"labels": labels, "ownerReferences": [{**owner, "controller": True}]}
    await here.client.create(RUNS, "default", body)
    forged = await reached(here, name, "Succeeded")
    assert forged["revision"] != began["calls"]["mid"] and forged["outputs"]["x"] == {"v": "new"}
