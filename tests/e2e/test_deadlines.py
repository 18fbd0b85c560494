"""Deadlines of runs and tasks: they tell, and nothing is stopped."""

import asyncio
from typing import Any

from tradewind.kube.client import Client
from tradewind.kube.resources import DAGS
from worlds.world import Body, World, eventually, printed


def late(status: Body) -> str:
    found = [item for item in status.get("conditions") or () if item["type"] == "DeadlineMissed"]
    assert all(item["status"] == "True" for item in found)
    return str(found[0]["message"]) if found else ""


async def events(world: World, client: Client, name: str) -> list[str]:
    return [words for reason, words in await world.events(client, name) if reason == "DeadlineMissed"]


async def test_a_run_and_tasks_that_are_late_are_told_and_go_on(operated: World) -> None:
    tasks = {
        "quick": {"deadline": "1h", "compute": {"n": "1"}},
        "slow": {"deadline": "1s", "wait": {"duration": "6s"}},
        "after": {"dependsOn": ["slow"], "deadline": "2s", "compute": {"n": "1"}},
    }
    async with operated.client() as client:
        name = await operated.start(client, operated.dag("late", tasks, deadline="3s"))
        words = "not over in time: the run (3s), slow (1s), after (2s); nothing is stopped because of it"
        running = await operated.until(client, name, lambda status: late(status) == words)
        assert running["status"]["phase"] == "Running"
        shown = await asyncio.to_thread(printed, operated, "describe", "run", name)
        assert f"DeadlineMissed: True (DeadlineMissed) {words}" in " ".join(shown.split())
        status = await operated.finished(client, name)
        assert status["phase"] == "Succeeded" and late(status) == words

        async def told() -> Any:
            return words in await events(operated, client, name)

        await eventually(told)


async def test_a_run_that_waits_for_its_turn_is_late_too_and_one_in_time_is_not(operated: World) -> None:
    async with operated.client() as client:
        dag = operated.dag("held", {"a": {"compute": {"n": "1"}}}, deadline="2s", suspend=True)
        name = await operated.start(client, dag)
        words = "not over in time: the run (2s); nothing is stopped because of it"
        queued = await operated.until(client, name, lambda status: late(status) == words)
        assert queued["status"]["phase"] == "Queued"
        await client.patch(DAGS, operated.namespace, "held", {"spec": {"suspend": False, "deadline": "1h"}})
        status = await operated.finished(client, name)
        assert status["phase"] == "Succeeded" and late(status) == ""
