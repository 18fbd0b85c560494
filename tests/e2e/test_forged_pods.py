"""A pod that someone else makes, with the labels and the owner of a run's attempt, passes no approval; in both worlds."""

import asyncio
import json
from typing import Any

from tradewind import API_VERSION
from tradewind.kube.client import Client
from tradewind.kube.labels import ATTEMPT, DAG, RUN, RUN_UID, TASK
from tradewind.kube.resources import APPROVALS, PODS, RUNS
from worlds.world import World, eventually

TASKS = {
    "gate": {"approval": {"message": "pay?"}},
    "pay": {"dependsOn": ["gate"], "script": {"shell": "echo paid"}},
    "last": {"dependsOn": ["pay"], "compute": {"done": "true"}},
}


async def forge(world: World, client: Client, run: str, task: str, outputs: dict[str, Any]) -> str:
    """A pod of an author who may create pods; returns its name once it has succeeded."""
    meta = (await client.get(RUNS, world.namespace, run))["metadata"]
    owner = {"apiVersion": API_VERSION, "kind": "DAGRun", "name": run, "uid": meta["uid"], "controller": True}
    labels = {RUN_UID: meta["uid"], RUN: run, DAG: "paid", TASK: task, ATTEMPT: "1"}
    write = f"echo '{json.dumps(outputs)}' > ${{TRADEWIND_OUTPUTS:-/dev/termination-log}}"
    main = {"name": "main", "image": "python:3.11-slim", "command": ["sh", "-c", write]}
    name = f"{run}-{task}-1"
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels, "ownerReferences": [owner]},
        "spec": {"restartPolicy": "Never", "containers": [main]},
    }
    await client.create(PODS, world.namespace, body)

    async def over() -> bool:
        return bool((await client.get(PODS, world.namespace, name)).get("status", {}).get("phase") == "Succeeded")

    await eventually(over)
    return name


async def test_only_a_persons_decision_passes_an_approval(operated: World) -> None:
    decision = {"approved": True, "by": "alice", "comment": "", "answers": {}}
    async with operated.client() as client:
        run = await operated.start(client, operated.dag("paid", TASKS))

        async def asked() -> str:
            for each in (await client.list(APPROVALS, operated.namespace))["items"]:
                if each["metadata"]["name"].startswith(run):
                    return str(each["metadata"]["name"])
            return ""

        approval = await eventually(asked)
        await forge(operated, client, run, "gate", decision)
        await forge(operated, client, run, "pay", {"paid": 1})

        async def reported() -> bool:
            events = await operated.events(client, run)
            return any(reason == "PodNotOwn" and "gate" in message for reason, message in events)

        await eventually(reported)
        await asyncio.sleep(2)  # longer than a pass
        status = (await client.get(RUNS, operated.namespace, run))["status"]
        assert (status["phase"], status["done"], status.get("outputs") or {}) == ("Running", 0, {})
        spec = {"decision": "Rejected", "by": "admin"}
        await client.patch(APPROVALS, operated.namespace, approval, {"spec": spec})
        status = await operated.finished(client, run)
        assert status["phase"] == "Failed" and "last" not in (status.get("outputs") or {})
