"""`tradewind top` and `describe run` say where time goes, in both worlds."""

import asyncio
import json
import os
from typing import Any

from tradewind import API_VERSION
from tradewind.kube.resources import POOLS
from worlds.commands import program
from worlds.world import World, eventually


async def tradewind(world: World, *arguments: str) -> str:
    command = [*program(), *arguments, "-n", world.namespace]
    process = await asyncio.create_subprocess_exec(
        *command,
        "--kubeconfig",
        str(world.kubeconfig),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "200"},
    )
    out, told = await process.communicate()
    assert process.returncode == 0, told.decode()
    return out.decode()


async def test_top_names_what_tasks_wait_for_and_describe_what_determined_the_end(operated: World) -> None:
    hold = f"until [ -e {operated.work}/go ]; do sleep 0.1; done; sleep 2"
    dag = operated.dag(
        "spent",
        {
            "holds": {"pools": [{"name": "narrow"}], "priority": 1, "script": {"shell": hold}},
            "queues": {"pools": [{"name": "narrow"}], "command": ["true"]},
            "follows": {"dependsOn": ["holds", "queues"], "command": ["true"]},
        },
    )
    release = operated.dag("release", {"go": {"script": {"shell": f"touch {operated.work}/go"}}})
    pool = {"apiVersion": API_VERSION, "kind": "Pool", "metadata": {"name": "narrow"}, "spec": {"slots": 1}}
    async with operated.client() as client:
        await operated.create(client, POOLS, pool)
        run = await operated.start(client, dag)

        async def seen() -> dict[str, Any] | None:
            data = json.loads(await tradewind(operated, "top", "-o", "json"))
            found = {item["cause"]: item for item in data["causes"]}
            return found if found.keys() == {"dependencies", "pool", "running"} else None

        causes = await eventually(seen)
        assert {name: item["example"]["task"] for name, item in causes.items()} == {
            "dependencies": "follows",
            "pool": "queues",
            "running": "holds",
        }
        assert all(item["tasks"] == 1 and item["example"]["run"] == run for item in causes.values())
        shown = await tradewind(operated, "top")
        assert f"{run}/queues" in shown and "Pool 'narrow': 1 of 1 slot is held" in shown
        described = await tradewind(operated, "describe", "run", run)
        assert (
            "waits for holds (running), queues (ready)" in described
            and "Pool 'narrow': 1 of 1 slot is held" in described
        )
        assert (await operated.result(client, release))["phase"] == "Succeeded"
        assert (await operated.finished(client, run))["phase"] == "Succeeded"
    path = json.loads(await tradewind(operated, "describe", "run", run, "-o", "json"))["criticalPath"]
    assert [step["task"] for step in path] == ["queues", "follows"]
    assert path[0]["waited"] >= 1, "for its slot, while the other one slept for two seconds"
    assert "Critical path" in await tradewind(operated, "describe", "run", run)
    assert "no run is active" in await tradewind(operated, "top")
