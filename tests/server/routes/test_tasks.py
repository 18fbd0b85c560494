"""The tasks of a run."""

import random
import time
from typing import Any

import orjson
from tradewind.control.dagrun.attempt_log import Packed, append
from tradewind.kube.client import Client
from tradewind.kube.resources import PODS, RUNS
from tradewind.plan.outcomes.attempt import Attempt

from server.guest import Guest
from server.world import begun, revision


def rows(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The rows by key, with their states and words."""
    return {
        key: {
            "state": found["states"][found["state"][row]],
            "why": found["whys"][found["why"][row]] if found["why"][row] >= 0 else "",
            "waits": [
                (found["causes"][found["waits"][row][at]], found["waits"][row][at + 1])
                for at in range(0, len(found["waits"][row]), 2)
            ],
            **{name: found[name][row] for name in ("start", "end", "attempts", "bars", "since", "item")},
        }
        for row, key in enumerate(found["key"])
    }


async def test_columns_hold_a_row_per_task_and_item(there: Guest) -> None:
    found = await there.get("runs/a/etl-1/tasks")
    assert found["n"] == 8 == len(found["key"]) and found["names"][:2] == ["load", "each"]
    by_key = rows(found)
    assert by_key["load"]["state"] == "Succeeded" and by_key["load"]["attempts"] == 2
    assert by_key["load"]["bars"] == [0, 5, 10, 15] and by_key["load"]["waits"] == [("back-off", 5)]
    assert by_key["work"]["state"] == "Running" and by_key["work"]["end"] is None
    assert by_key["each[1]"]["item"] == 1 and by_key["each[1]"]["waits"][-1][0] == "pool"
    assert by_key["each[0]"]["why"] == "Pool 'slots': 1 of 1 slot is held" and by_key["each[0]"]["since"]
    assert by_key["last"]["why"].startswith("waits for")
    edges = {
        (found["names"][one], found["names"][other])
        for one, other in zip(found["edges"][::2], found["edges"][1::2], strict=True)
    }
    assert edges == {("load", "work"), ("load", "ask"), ("work", "last"), ("ask", "last")}
    kinds = dict(zip(found["names"], found["kinds"], strict=True))
    assert kinds["ask"] == "approval" and kinds["load"] == "pod"
    assert dict(zip(found["names"], found["fan"], strict=True))["each"]


async def test_a_task_shows_why_attempts_inputs_and_its_pod(there: Guest) -> None:
    found = await there.get("runs/a/etl-1/tasks/load")
    assert [(item["number"], item["state"], item["budget"]) for item in found["attempts"]] == [
        (1, "Failed", "failure"),
        (2, "Succeeded", None),
    ]
    assert found["attempts"][0]["message"] == "no such table" and found["attempts"][1]["waits"] == [["back-off", 5.0]]
    assert found["inputs"][0] == {
        "name": "env.REGION",
        "expression": "$[[ params.region ]]",
        "value": "north",
        "problem": "",
    }
    assert found["budgets"]["failures"] == {"used": 1, "limit": 3} and found["neededBy"] == ["ask", "work"]
    work = await there.get("runs/a/etl-1/tasks/work")
    assert work["pod"]["name"] == "etl-1-work-1" and "kind: Pod" in work["manifest"]
    assert work["why"]["cause"] == "running" and work["attempts"][0]["podExists"]


async def test_an_item_and_its_fan_out_can_be_opened(there: Guest) -> None:
    item = await there.get("runs/a/etl-1/tasks/each%5B2%5D")
    assert item["item"] == 2 and item["why"]["cause"] == "pool" and "slots" in item["why"]["todo"]
    assert {"kind": "pool", "namespace": "a", "name": "slots"} in item["links"]
    whole = await there.get("runs/a/etl-1/tasks/each")
    assert whole["attempts"] == [] and "3 ready" in whole["why"]["sentence"]
    assert (await there.ask("GET", "runs/a/etl-1/tasks/each%5B9%5D"))[0] == 404


async def test_a_waiting_task_names_the_cause_behind_its_dependencies(there: Guest) -> None:
    found = await there.get("runs/a/etl-1/tasks/last")
    assert found["why"]["sentence"].startswith("waits for") and "go on?" in found["why"]["sentence"]
    ask = await there.get("runs/a/etl-1/tasks/ask")
    assert ask["why"]["cause"] == "person" and ask["attempts"][0]["pod"] == "" and ask["attempts"][0]["started"]


async def test_an_input_that_can_not_be_computed_says_why(there: Guest, client: Client) -> None:
    tasks = {
        "a": {"command": ["x"], "outputs": {"n": {"type": "integer"}}},
        "b": {"command": ["x"], "dependsOn": ["a"]},
    }
    tasks["b"]["env"] = {"N": "$[[ tasks.a.outputs.n ]]"}  # type: ignore[assignment]
    revised = await revision(client, "a", "odd", {"defaults": {"image": "x"}, "tasks": tasks})
    await begun(client, "a", "odd", "odd", revised, {})
    found = (await there.get("runs/a/odd/tasks/b"))["inputs"][0]
    assert found["expression"] == "$[[ tasks.a.outputs.n ]]" and found["value"] is None and found["problem"]


async def test_the_picture_follows_pods_without_a_new_status(there: Guest, client: Client) -> None:
    before = await there.get("runs/a/etl-1/tasks")
    await client.patch(PODS, "a", "etl-1-work-1", {"status": {"phase": "Failed", "reason": "Evicted"}}, "status")
    while (after := await there.get("runs/a/etl-1/tasks"))["version"] == before["version"]:
        pass
    assert rows(after)["work"]["state"] != "Running"


async def test_an_ended_run_is_drawn_once(there: Guest, client: Client) -> None:
    await client.patch(
        RUNS, "a", "etl-1", {"status": {"phase": "Failed", "finishedAt": "2026-01-01T00:00:00Z"}}, "status"
    )
    first = await there.get("runs/a/etl-1/tasks")
    view = await there.service.pictures.view(there.service.caller, "a", "etl-1")
    assert await there.get("runs/a/etl-1/tasks") == first
    assert await there.service.pictures.view(there.service.caller, "a", "etl-1") is view and view.made
    assert [rows(first)[key]["state"] for key in ("last", "each[0]")] == ["Cancelled"] * 2


async def test_ten_thousand_tasks_are_two_hundred_kilobytes(there: Guest, client: Client) -> None:
    dice, count = random.Random(1), 10_000
    tasks = {}
    for place in range(count):
        above = {f"task-{dice.randrange(max(0, place - 200), place):05d}" for _ in range(2)} if place > 20 else set()
        tasks[f"task-{place:05d}"] = {"command": ["x"], **({"dependsOn": sorted(above)} if above else {})}
    revised = await revision(client, "a", "big", {"defaults": {"image": "x"}, "tasks": tasks})
    await begun(client, "a", "big", "big", revised, {})
    at = int(time.time())
    ended = [
        Attempt(
            f"task-{place:05d}", 1, at + place // 3, at + place // 3 + dice.randrange(200), "", None, f"n{place % 30}"
        )
        for place in range(9_000)
    ]
    packed = append(Packed(), ended, at)
    status = {"attempts": packed.text, "archive": packed.archive, "nodes": list(packed.nodes)}
    await client.patch(RUNS, "a", "big", {"status": status}, "status")
    async with there.http.get(f"{there.api}runs/a/big/tasks", headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip" and int(answer.headers["Content-Length"]) <= 200_000
        assert orjson.loads(await answer.read())["n"] == count
