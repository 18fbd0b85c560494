"""One DAG: its state, revisions, graph, grid, trend and form."""

import time
from typing import Any

from tradewind.control.dagrun.attempt_log import Packed, append
from tradewind.kube.client import Client
from tradewind.kube.resources import DAGS, RUNS
from tradewind.model.duration import stamp
from tradewind.plan.outcomes.attempt import Attempt

from server.guest import Guest
from server.world import SPEC, TASKS, begun, revision, typed


async def ended(client: Client, name: str, revised: str, phase: str = "Succeeded", **status: Any) -> None:
    """A run of DAG etl that has ended."""
    end = {"phase": phase, "finishedAt": stamp(time.time() + 60), **status}
    await begun(client, "a", name, "etl", revised, end)


async def test_a_dag_is_shown_with_revisions_and_triggers(there: Guest) -> None:
    found = await there.get("dags/a/etl")
    assert found["dag"]["params"][0]["name"] == "region" and found["dag"]["invalid"] == []
    assert [row["number"] for row in found["revisions"]] == [1] and found["revisions"][0]["at"]
    assert [row["name"] for row in found["triggers"]] == ["nightly"] and found["dag"]["schedule"][0][
        "trigger"
    ] == "nightly"
    assert "kind: DAG" in found["dag"]["yaml"] and "managedFields" not in found["dag"]["yaml"]
    spec = await there.get("dags/a/etl/revisions/1")
    assert spec["yaml"].startswith("spec:") and "region" in spec["yaml"]
    assert (await there.ask("GET", "dags/a/etl/revisions/7"))[0] == 404


async def test_an_invalid_dag_says_what_is_wrong(there: Guest, client: Client) -> None:
    await client.create(DAGS, "a", typed(DAGS, "bad", spec={"tasks": {"t": {"command": ["x"]}}}))
    condition = {
        "type": "Valid",
        "status": "False",
        "reason": "Invalid",
        "message": "spec.tasks.t.image: required\nand more",
    }
    condition["lastTransitionTime"] = stamp(1e9)
    generation = (await client.get(DAGS, "a", "bad"))["metadata"]["generation"]
    status = {"phase": "Invalid", "observedGeneration": generation, "conditions": [condition]}
    await client.patch(DAGS, "a", "bad", {"status": status}, "status")
    assert (await there.get("dags/a/bad"))["dag"]["invalid"] == ["spec.tasks.t.image: required", "and more"]
    assert "spec.tasks.t.image" in (await there.get("dags/a/bad/form"))["invalid"]
    code, found = await there.ask("GET", "dags/a/bad/graph")
    assert code == 422 and "spec.tasks.t.image" in found["detail"]
    code, found = await there.ask("POST", "dags/a/bad/runs", {})
    assert code == 422 and "a run of it would fail" in found["detail"]
    needs = []
    while not needs:  # the cache follows
        needs = [need for need in (await there.get("overview"))["needs"] if need["kind"] == "invalid"]
    assert needs[0]["name"] == "bad" and needs[0]["since"] == 1_000_000_000_000


async def test_the_graph_has_each_dependency_once(there: Guest) -> None:
    found = await there.get("dags/a/etl/graph")
    assert set(found["names"]) == set(TASKS) and len(found["edges"]) == 8
    assert found["kinds"][found["names"].index("ask")] == "approval" and found["fan"][found["names"].index("each")]
    assert (await there.get("dags/a/etl/graph?revision=1"))["names"] == found["names"]


async def test_teardowns_handlers_and_exit_tasks_are_groups(there: Guest, client: Client) -> None:
    tasks: dict[str, Any] = {
        "up": {"command": ["x"]},
        "down": {"command": ["x"], "teardown": {"of": ["up"]}},
        "bye": {"command": ["x"], "onExit": ["Failed"]},
    }
    await client.create(DAGS, "a", typed(DAGS, "grouped", spec={"defaults": {"image": "x"}, "tasks": tasks}))
    found = await there.get("dags/a/grouped/graph")
    groups = {
        name: found["groups"][place] if place >= 0 else ""
        for name, place in zip(found["names"], found["group"], strict=True)
    }
    assert groups == {"up": "", "down": "teardowns", "bye": "exit tasks"}


async def test_the_grid_has_a_column_per_run_and_pages_to_the_left(there: Guest, client: Client) -> None:
    changed = {**SPEC, "tasks": {"load": TASKS["load"], "extra": {"command": ["x"], "dependsOn": ["load"]}}}
    second = await revision(client, "a", "etl", changed)
    first = (await client.get(RUNS, "a", "etl-1"))["status"]["revision"]
    created = int(time.time())
    lines = append(
        Packed(), [Attempt("load", 1, created, created + 1), Attempt("extra", 1, created, created, "Error", 1)], created
    )
    for number in range(4):
        await ended(client, f"run-{number}", second, "Failed", attempts=lines.text, nodes=[""])
    await ended(client, "older", first, "Succeeded")
    seen: list[str] = []
    before = ""
    while True:
        found = await there.get(f"dags/a/etl/grid?runs=2&before={before}")
        seen = [run["name"] for run in found["runs"]] + seen
        for run, cells in zip(found["runs"], found["cells"], strict=True):
            state = {
                name: found["states"][cell] if cell >= 0 else None
                for name, cell in zip(found["tasks"], cells, strict=True)
            }
            if run["name"].startswith("run-"):
                assert state["load"] == "Succeeded" and state["extra"] == "Failed"
        if found["next"] is None:
            break
        before = found["next"]
    assert sorted(seen) == ["etl-1", "older", "run-0", "run-1", "run-2", "run-3"]
    whole = await there.get("dags/a/etl/grid")
    assert set(whole["tasks"]) == {*TASKS, "extra"}
    assert whole["tasks"].index("load") < whole["tasks"].index("extra") and whole == await there.get("dags/a/etl/grid")


async def test_the_trend_has_ended_runs_the_oldest_first(there: Guest, client: Client) -> None:
    first = (await client.get(RUNS, "a", "etl-1"))["status"]["revision"]
    await ended(client, "one", first)
    found: dict[str, Any] = {"names": []}
    while found["names"] != ["one"]:
        found = await there.get("dags/a/etl/trend")
    assert found["phases"] == ["Succeeded"] and found["seconds"][0] >= 0 and found["waited"] == [0.0]


async def test_the_form_has_params_with_their_bounds(there: Guest, client: Client) -> None:
    params = {
        "n": {"type": "integer", "min": 1, "max": 9, "title": "Number", "section": "Size", "examples": [3]},
        "key": {"type": "secret"},
        "maybe": {"optional": True},
        "one": {"enum": ["a", "b"], "default": "a"},
    }
    await client.create(DAGS, "a", typed(DAGS, "asks", spec={**SPEC, "params": {**params, **SPEC["params"]}}))
    rows = {row["name"]: row for row in (await there.get("dags/a/asks/form"))["params"]}
    assert rows["n"] | {"min": 1, "max": 9, "title": "Number", "section": "Size", "required": True} == rows["n"]
    assert rows["key"]["secret"] and rows["maybe"]["nullable"] and not rows["maybe"]["required"]
    assert rows["one"]["enum"] == ["a", "b"] and rows["one"]["default"] == "a"
