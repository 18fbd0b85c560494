"""The server of the web UI on both servers: a run is started, followed, explained, read, decided and tried again."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from server.guest import Guest, guest
from tradewind.kube.resources import DAGS
from worlds.world import World

TASKS: dict[str, Any] = {
    "load": {"script": {"shell": "echo region $REGION"}, "env": {"REGION": "$[[ params.region ]]"}},
    "ask": {"approval": {"message": "go on?"}, "dependsOn": ["load"]},
    "fails": {"script": {"shell": "echo oops; exit 3"}, "dependsOn": ["ask"]},
    "never": {"script": {"shell": "true"}, "dependsOn": ["fails"]},
}


@pytest.fixture
async def there(operated: World) -> AsyncIterator[Guest]:
    async with operated.client() as client, guest(client, namespaces=[operated.namespace]) as made:
        yield made


async def until(there: Guest, path: str, holds: Any) -> Any:
    """The answer, once it is as expected."""
    async with asyncio.timeout(200):
        while not holds(found := await there.get(path)):
            await asyncio.sleep(0.1)
    return found


async def test_a_run_from_its_form_to_its_retry(operated: World, there: Guest) -> None:
    where = operated.namespace
    async with operated.client() as client:
        await operated.create(client, DAGS, operated.dag("etl", TASKS, params={"region": {"default": "north"}}))
    await until(there, f"dags/{where}/etl", lambda found: found["dag"]["revision"])
    async with there.http.get(f"{there.api}stream?topic=runs:{where}&topic=approvals") as stream:
        made = await there.post(f"dags/{where}/etl/runs", {"params": {"region": "south"}, "reason": "a try"})
        run = f"runs/{where}/{made['run']}"
        seen = set()
        async with asyncio.timeout(200):
            while seen != {f"runs:{where}", "approvals"}:
                line = (await stream.content.readline()).decode()
                if line.startswith("data: ") and "topic" in (data := json.loads(line[6:])):
                    seen.add(data["topic"])
    found = await until(there, run, lambda found: "waits for approval" in found["run"]["why"])
    assert found["run"]["reason"] == "a try" and found["can"]["cancel"] and found["partial"] is None
    load = await until(there, f"{run}/tasks/load", lambda found: found["pod"]["phase"] == "Succeeded")
    assert load["inputs"][0]["value"] == "south" and load["state"] == "Succeeded"
    assert {row["type"] for row in load["pod"]["conditions"]} >= {"PodScheduled"} or operated.name == "embedded"
    status, text = await there.ask("GET", f"logs/{where}/{made['run']}/load/1")
    assert (status, text) == (200, "region south\n")
    (approval,) = (await there.get("approvals"))["approvals"]
    assert approval["can"] and approval["task"] == "ask"
    await there.post(f"approvals/{where}/{approval['name']}", {"approve": True, "reason": "fine"})
    found = await until(there, run, lambda found: found["run"]["phase"] == "Failed")
    assert "fails" in found["run"]["why"] and found["run"]["events"]
    tasks = await there.get(f"{run}/tasks")
    states = dict(zip(tasks["key"], (tasks["states"][state] for state in tasks["state"]), strict=True))
    assert states == {"load": "Succeeded", "ask": "Succeeded", "fails": "Failed", "never": "UpstreamFailed"}
    preview = await there.post(f"{run}/actions?preview", {"action": "retry"})
    assert preview["affected"] == ["fails: Failed, tries again", "never: UpstreamFailed, tries again"]
    await there.post(f"{run}/actions", {"action": "retry", "version": preview["version"]})
    await until(there, f"{run}/tasks/fails", lambda found: len(found["attempts"]) == 2 and found["state"] == "Failed")
    grid = await until(there, f"dags/{where}/etl/grid", lambda found: found["runs"][0]["phase"] == "Failed")
    assert grid["states"][grid["cells"][0][grid["tasks"].index("fails")]] == "Failed"
    assert "oops" in (await there.ask("GET", f"{run}/export.html"))[1]
