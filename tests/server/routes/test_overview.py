"""The overview and the lists of other objects."""

import time
from typing import Any

from tradewind.kube.client import Client
from tradewind.kube.resources import APPROVALS, CLUSTER_POOLS, POOLS, RUNS, TRIGGERS
from tradewind.model.duration import stamp

from server.guest import Guest
from server.world import typed


async def test_it_names_what_needs_a_person_and_what_waits(there: Guest) -> None:
    found = await there.get("overview?namespace=a")
    assert [(need["kind"], need["run"], need["text"]) for need in found["needs"]] == [("approval", "etl-1", "go on?")]
    assert [run["name"] for run in found["running"]] == ["etl-1"]
    assert {share["cause"]: share["tasks"] for share in found["waiting"]} | {"pool": 3, "person": 1} == {
        share["cause"]: share["tasks"] for share in found["waiting"]
    }
    (dag,) = found["dags"]
    assert dag["latest"][0]["name"] == "etl-1" and dag["active"] == 1 and dag["success"] is None
    assert dag["schedule"] == "schedule"
    both = await there.get("overview")
    assert {row["namespace"] for row in both["dags"]} == {"a", "b"}


async def test_counts_rates_and_times_come_from_the_latest_runs(there: Guest, client: Client) -> None:
    for number in range(30):
        name = f"run-{number:02d}"
        await client.create(RUNS, "a", typed(RUNS, name, spec={"dag": "etl"}))
        now = time.time()
        phase = "Failed" if number % 3 == 0 else "Succeeded"
        status = {
            "phase": phase,
            "startedAt": stamp(now),
            "finishedAt": stamp(now + number),
            "message": "no" * (number % 3 == 0),
        }
        await client.patch(RUNS, "a", name, {"status": status}, "status")
    found: dict[str, Any] = {"counts": {"failed24H": 0, "succeeded24H": 0}}
    while found["counts"]["failed24H"] + found["counts"]["succeeded24H"] < 30:
        found = await there.get("overview?namespace=a")
    assert found["counts"] == {"running": 1, "queued": 0, "failed24H": 10, "succeeded24H": 20}
    (dag,) = found["dags"]
    assert len(dag["latest"]) == 25 and 0.5 < dag["success"] < 0.8 and dag["p50"] <= dag["p95"] <= 30


async def test_a_dag_whose_last_run_failed_needs_a_person(there: Guest, client: Client) -> None:
    status = {"phase": "Failed", "finishedAt": stamp(time.time()), "message": "no such table"}
    await client.patch(RUNS, "a", "etl-1", {"status": status}, "status")
    needs: list[dict[str, Any]] = []
    while not needs:
        needs = [need for need in (await there.get("overview"))["needs"] if need["kind"] == "failed"]
    assert needs[0]["text"] == "no such table" and needs[0]["dag"] == "etl"
    assert not [need for need in (await there.get("overview?namespace=a"))["needs"] if need["kind"] == "approval"]


async def test_approvals_that_are_decided_are_left_out_unless_asked_for(there: Guest, client: Client) -> None:
    assert [row["name"] for row in (await there.get("approvals?namespace=a"))["approvals"]] == ["etl-1-ask"]
    assert (await there.get("approvals?namespace=a&run=etl"))["approvals"] == []
    assert [row["name"] for row in (await there.get("approvals?namespace=a&run=etl-1"))["approvals"]] == ["etl-1-ask"]
    await client.patch(APPROVALS, "a", "etl-1-ask", {"spec": {"decision": "Rejected", "by": "me"}})
    await client.patch(APPROVALS, "a", "etl-1-ask", {"status": {"outcome": "Rejected"}}, "status")
    while (await there.get("approvals?namespace=a"))["approvals"]:
        pass
    (row,) = (await there.get("approvals?namespace=a&all=true"))["approvals"]
    assert row["outcome"] == "Rejected" and row["by"] == "me" and not row["can"] and row["dag"] == "etl"


async def test_pools_show_who_holds_them_and_whose_turn_is_next(there: Guest, client: Client) -> None:
    users = [
        {"namespace": "a", "run": "etl-1", "task": "each[0]"},
        {"namespace": "b", "run": "secretive-1", "task": "x", "slots": 2},
    ]
    await client.patch(
        POOLS, "a", "slots", {"status": {"used": 1, "waiting": 1, "holders": users[:1], "waiters": users[1:]}}, "status"
    )
    await client.create(CLUSTER_POOLS, "", typed(CLUSTER_POOLS, "gpus", spec={"slots": 4}))
    await client.patch(CLUSTER_POOLS, None, "gpus", {"status": {"used": 2, "holders": users}}, "status")
    rows: dict[str, Any] = {}
    while rows.get("gpus", {}).get("used") != 2:
        rows = {f"{row['name']}{row['namespace']}": row for row in (await there.get("pools"))["pools"]}
    assert rows["slotsa"]["holders"][0]["task"] == "each[0]" and rows["slotsa"]["slots"] == 1
    assert rows["slotsa"]["queue"][0]["why"] == "it is number 1 in the queue and needs 2 slots"
    assert rows["gpus"]["kind"] == "ClusterPool" and len(rows["gpus"]["holders"]) == 2


async def test_assets_are_tied_to_what_makes_and_follows_them(there: Guest, client: Client) -> None:
    follows = {"dag": "etl", "assets": {"anyOf": [{"name": "sales"}, {"allOf": ["costs", "sales"]}]}}
    await client.create(TRIGGERS, "a", typed(TRIGGERS, "on-sales", spec=follows))
    edges: list[dict[str, Any]] = []
    while not edges:
        found = await there.get("assets?namespace=a")
        edges = found["edges"]
    assert [(row["name"], row["dag"], row["task"]) for row in found["assets"]] == [("sales", "etl", "load")]
    assert {(edge["asset"], edge["direction"], edge["trigger"]) for edge in edges} == {
        ("sales", "starts", "on-sales"),
        ("costs", "starts", "on-sales"),
    }


async def test_triggers_and_backfills_are_listed(there: Guest) -> None:
    (trigger,) = (await there.get("triggers?namespace=a"))["triggers"]
    assert trigger["dag"] == "etl" and trigger["source"] == "schedule"
    (backfill,) = (await there.get("backfills?namespace=a"))["backfills"]
    assert backfill["start"] == "2026-01-01T00:00:00Z" and backfill["total"] == 0


async def test_search_finds_what_begins_with_the_text_first(there: Guest, client: Client) -> None:
    for number in range(30):
        await client.create(RUNS, "a", typed(RUNS, f"x-etl-{number}", spec={"dag": "other"}))
    hits: list[dict[str, Any]] = []
    while len(hits) < 20:
        hits = (await there.get("search?q=ETL"))["hits"]
    assert (hits[0]["kind"], hits[0]["name"]) == ("dag", "etl") and hits[1]["name"] == "etl-1"
    assert (await there.get("search?q="))["hits"] == []
    kinds = {
        (hit["kind"], hit["name"])
        for query in ("sales", "nightly", "past", "slots")
        for hit in (await there.get(f"search?q={query}"))["hits"]
    }
    assert kinds == {("asset", "sales"), ("trigger", "nightly"), ("backfill", "past"), ("pool", "slots")}


async def test_me_knows_the_user_rights_and_namespaces(there: Guest) -> None:
    me = await there.get("me")
    assert me["user"] == "admin" and me["namespaces"] == ["a", "b"] and me["problems"] == []
    assert "create" in me["can"]["*"]["dagruns"] and me["can"]["*"]["pods/log"] == ["get"]


async def test_health_is_what_the_doctor_says(there: Guest) -> None:
    found = (await there.get("health?namespace=a"))["findings"]
    assert found[0]["level"] == "problem" and {"operator", "crds", "kubernetes"} <= {item["check"] for item in found}
