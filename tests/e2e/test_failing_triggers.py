"""Triggers that suspend themselves when their runs fail in a row, and are resumed."""

import asyncio
from typing import Any

from tradewind import API_VERSION
from tradewind.kube.client import Client
from tradewind.kube.labels import TRIGGER
from tradewind.kube.resources import CONFIG_MAPS, DAGS, RUNS, TRIGGERS
from worlds.world import Body, World, eventually, printed

TASKS = {"a": {"command": ["sh", "-c", "exit $CODE"], "env": {"CODE": "$[[ config.settings.code ]]"}}}


async def suspended(world: World, client: Client, runs: int) -> Body:
    """The status of the trigger, once it has suspended itself after this number of runs."""
    status: Body = {}

    async def there() -> Any:
        nonlocal status
        status = (await client.get(TRIGGERS, world.namespace, "failing")).get("status") or {}
        found = (await client.list(RUNS, world.namespace, labelSelector=f"{TRIGGER}=failing"))["items"]
        return status.get("phase") == "Suspended" and len(found) == runs

    await eventually(there)
    return status


async def test_a_trigger_stops_after_failures_in_a_row_until_it_is_resumed_or_a_retry_succeeds(operated: World) -> None:
    settings = {"metadata": {"name": "settings"}, "data": {"code": "1"}}
    schedule = {"every": "1s", "concurrency": "Forbid", "missed": {"policy": "None"}}
    spec = {"dag": "failing", "schedule": schedule, "suspendAfterFailures": 2}
    trigger = {"apiVersion": API_VERSION, "kind": "Trigger", "metadata": {"name": "failing"}, "spec": spec}
    async with operated.client() as client:
        await operated.create(client, CONFIG_MAPS, settings)
        await operated.create(
            client, DAGS, operated.dag("failing", TASKS, config={"settings": {"configMap": "settings"}})
        )
        await operated.create(client, TRIGGERS, trigger)
        status = await suspended(operated, client, 2)
        assert status["message"].startswith("2 of its runs have failed in a row (failing-")
        ready = {item["type"]: item for item in status["conditions"]}
        assert (ready["Ready"]["status"], ready["Ready"]["reason"]) == ("False", "FailuresInARow")
        assert (
            ready["Stalled"]["status"] == "True" and "tradewind resume trigger/failing" in ready["Stalled"]["message"]
        )

        async def told() -> Any:
            return [words for reason, words in await operated.events(client, "failing") if reason == "FailuresInARow"]

        assert "2 of its runs have failed in a row" in (await eventually(told))[0]
        shown = await asyncio.to_thread(printed, operated, "describe", "trigger", "failing")
        assert "Suspended: 2 of its runs have failed in a row" in shown

        await asyncio.to_thread(printed, operated, "resume", "trigger/failing")
        await suspended(operated, client, 4)  # Two more, since failures before don't count.
        await client.patch(CONFIG_MAPS, operated.namespace, "settings", {"data": {"code": "0"}})
        runs = (await client.list(RUNS, operated.namespace, labelSelector=f"{TRIGGER}=failing"))["items"]
        latest = max(run["metadata"]["name"] for run in runs)
        edits = [{"action": "Succeed", "tasks": ["a"]}]
        await client.patch(RUNS, operated.namespace, latest, {"spec": {"edits": edits}})

        async def resumed() -> Any:
            found = await client.list(RUNS, operated.namespace, labelSelector=f"{TRIGGER}=failing")
            return len(found["items"]) > 4

        await eventually(resumed)
        await client.delete(TRIGGERS, operated.namespace, "failing")
