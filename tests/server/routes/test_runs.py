"""Runs: the list, and one of them."""

from typing import Any

import pytest
from tradewind.kube.client import Client
from tradewind.kube.resources import RUNS

from server.guest import Guest
from server.hostile import ALL
from server.world import begun, revision, typed


async def made(client: Client, count: int, **spec: Any) -> None:
    for number in range(count):
        await client.create(RUNS, "a", typed(RUNS, f"many-{number:03d}", spec={"dag": "many", **spec}))


async def names(there: Guest, query: str) -> list[str]:
    return [run["name"] for run in (await there.get(f"runs?{query}"))["runs"]]


async def test_pages_together_hold_each_run_once(there: Guest, client: Client) -> None:
    await made(client, 25)
    seen: list[str] = []
    after = ""
    while True:
        page = await there.get(f"runs?limit=10&after={after}")
        assert len(page["runs"]) <= 10
        seen += [run["name"] for run in page["runs"]]
        assert page["more"] == (page["next"] is not None)
        if not page["more"]:
            break
        after = page["next"]
    assert len(seen) == len(set(seen)) == 27


async def test_filters_go_together(there: Guest, client: Client) -> None:
    await made(client, 3)
    await client.patch(RUNS, "a", "many-001", {"status": {"phase": "Failed", "message": "no"}}, "status")
    assert await names(there, "dag=many&phase=Failed") == ["many-001"]
    assert set(await names(there, "dag=many&phase=Active")) == {"many-000", "many-002"}
    assert set(await names(there, "text=MANY-00")) == {"many-000", "many-001", "many-002"}
    assert await names(there, "namespace=b") == ["secretive-1"]
    assert await names(there, "namespace=b&dag=many") == []
    assert await names(there, "since=99999999999999") == [] and await names(there, "until=1") == []
    assert set(await names(there, "phase=Failed&phase=Running")) == {"many-001", "etl-1", "secretive-1"}


async def test_a_run_is_shown_with_why_and_what_can_be_done(there: Guest) -> None:
    found = await there.get("runs/a/etl-1")
    run = found["run"]
    assert run["dag"] == "etl" and run["params"] == {"region": "north"} and found["partial"] is None
    assert run["progress"]["running"] == 2, "the approval counts as well"
    assert "1 task runs" in run["why"]
    assert run["failures"][0]["message"] == "no such table" and run["events"][0]["reason"] == "RunStarted"
    assert "kind: DAGRun" in run["yaml"] and "managedFields" not in run["yaml"]
    assert found["can"]["cancel"] and not found["can"]["resume"]


async def test_who_has_retried_or_stopped_a_run_is_shown(there: Guest, client: Client) -> None:
    notes = {"tradewind.dev/retried-by": "ada", "tradewind.dev/retried-reason": "sums are right now"}
    await client.patch(RUNS, "a", "etl-1", {"metadata": {"annotations": notes}})
    edits: list[dict[str, Any]] = []
    while not edits:
        edits = (await there.get("runs/a/etl-1"))["run"]["edits"]
    assert [(row["action"], row["by"], row["reason"], row["applied"]) for row in edits] == [
        ("Retry", "ada", "sums are right now", True)
    ]


async def test_a_run_that_has_not_begun_is_shown_too(there: Guest, client: Client) -> None:
    await client.create(RUNS, "a", typed(RUNS, "new", spec={"dag": "etl"}))
    run = (await there.get("runs/a/new"))["run"]
    assert run["phase"] == "Queued" and "the operator has not taken it up yet" in run["why"]
    assert (await there.get("runs/a/new/tasks"))["n"] == 0
    assert (await there.get("runs/a/new/waits"))["tasks"] == []
    assert (await there.get("runs/a/new/path"))["rows"] == []


async def test_a_run_whose_revision_is_gone_says_so(there: Guest, client: Client) -> None:
    await begun(client, "a", "old", "etl", "etl-gone", {})
    found = await there.get("runs/a/old")
    assert "revision etl-gone can't be read any more" in found["partial"]
    assert (await there.get("runs/a/old/tasks"))["partial"] == found["partial"]


async def test_a_status_that_can_not_be_read_is_no_error_of_the_server(there: Guest, client: Client) -> None:
    revised = await revision(client, "a", "odd", {"defaults": {"image": "x"}, "tasks": {"t": {"command": ["x"]}}})
    await begun(client, "a", "odd", "odd", revised, {"attempts": "nonsense"})
    status, found = await there.ask("GET", "runs/a/odd/tasks")
    assert status == 422 and "can't be read" in found["detail"]
    assert "odd" in await names(there, "namespace=a")


async def test_what_waits_is_followed_to_its_cause(there: Guest) -> None:
    found = {item["key"]: item for item in (await there.get("runs/a/etl-1/waits"))["tasks"]}
    assert found["each[0]"]["cause"] == "pool" and found["each[0]"]["chain"][0]["link"] == {
        "kind": "pool",
        "namespace": "a",
        "name": "slots",
    }
    chain = [step["text"] for step in found["last"]["chain"]]
    assert chain[0].startswith("last waits for") and "go on?" in chain[-1]


@pytest.mark.parametrize("text", ALL)
async def test_text_of_others_goes_out_as_it_is_and_as_json(there: Guest, client: Client, text: str) -> None:
    notes = {"tradewind.dev/note": text[:500], "tradewind.dev/by": text[:500], "tradewind.dev/reason": text[:500]}
    body = typed(RUNS, "hostile", spec={"dag": "etl", "params": {"region": text}})
    body["metadata"]["annotations"] = notes
    await client.create(RUNS, "a", body)
    await client.patch(RUNS, "a", "hostile", {"status": {"phase": "Failed", "message": text[:4_000]}}, "status")
    async with there.http.get(f"{there.api}runs/a/hostile") as answer:
        assert answer.content_type == "application/json" and answer.headers["X-Content-Type-Options"] == "nosniff"
        found = await answer.json()
    assert found["run"]["params"]["region"] == text and found["run"]["message"] == text[:4_000]
    await there.get("runs?text=hostile")
    await there.get("overview")


async def test_an_unknown_run_is_not_found(there: Guest) -> None:
    for path in ("", "/tasks", "/waits", "/path", "/tasks/load"):
        status, found = await there.ask("GET", f"runs/a/nothing{path}")
        assert status == 404 and "nothing" in found["detail"]
