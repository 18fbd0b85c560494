"""Changes of a pod's labels, and scheduling gates, cost no attempt and create no second pod; in both worlds."""

import asyncio
from typing import Any

import pytest
from tradewind.kube.client import Client
from tradewind.kube.labels import RUN_UID, TASK
from tradewind.kube.resources import DAGS, PODS, RUNS
from worlds.world import World, eventually


async def live(world: World, client: Client, run: str) -> dict[str, Any]:
    async def running() -> dict[str, Any] | None:
        pods = await world.pods(client, run)
        return pods[0] if pods and pods[0]["status"].get("phase") == "Running" else None

    found: dict[str, Any] = await eventually(running)
    return found


@pytest.mark.parametrize("labels", [(RUN_UID,), (RUN_UID, TASK)])
async def test_a_pod_that_lost_its_labels_is_neither_lost_nor_doubled(operated: World, labels: tuple[str, ...]) -> None:
    name = f"unlabelled-{len(labels)}"
    hold = f"until [ -e {operated.work}/{name} ]; do sleep 0.1; done"
    dag = operated.dag(name, {"t": {"script": {"shell": hold}}})
    release = operated.dag(f"release-{len(labels)}", {"go": {"script": {"shell": f"touch {operated.work}/{name}"}}})
    async with operated.client() as client:
        run = await operated.start(client, dag)
        pod = await live(operated, client, run)
        taken = {"metadata": {"labels": dict.fromkeys(labels)}}
        await client.patch(PODS, operated.namespace, pod["metadata"]["name"], taken)
        await asyncio.sleep(1)
        assert (await operated.result(client, release))["phase"] == "Succeeded"
        status = await operated.finished(client, run, 90)
        assert status["phase"] == "Succeeded" and not status.get("failures")
        owned = [
            body["metadata"]["name"]
            for body in (await client.list(PODS, operated.namespace))["items"]
            if any(owner["name"] == run for owner in body["metadata"].get("ownerReferences") or ())
        ]
        assert owned == [pod["metadata"]["name"]]


async def test_a_task_and_an_item_whose_names_come_to_the_same_have_results_of_their_own(operated: World) -> None:
    child = {"v": {"default": ""}}
    body = operated.dag("echo", {"t": {"compute": {"v": "params.v"}}}, params=child, outputs={"v": "tasks.t.outputs.v"})
    each = {
        "dependsOn": ["a-1"],
        "forEach": {"items": ["p", "q"]},
        "dag": {"name": "echo", "params": {"v": "$[[ item ]]"}},
    }
    tasks = {"a-1": {"dag": {"name": "echo", "params": {"v": "one"}}}, "a": each}
    async with operated.client() as client:
        await operated.create(client, DAGS, body)
        status = await operated.result(client, operated.dag("alike", tasks))
        assert status["phase"] == "Succeeded"
        assert {key: found["v"] for key, found in status["outputs"].items()} == {"a-1": "one", "a[0]": "p", "a[1]": "q"}
        runs = (await client.list(RUNS, operated.namespace))["items"]
        assert sum(run["spec"]["dag"] == "echo" for run in runs) == 3


async def test_a_pod_behind_a_scheduling_gate_waits_until_it_is_gone(operated: World) -> None:
    if operated.name != "real":
        pytest.skip("only a real scheduler knows gates")
    gated = {"spec": {"schedulingGates": [{"name": "example.com/queue"}]}}
    task = {"podTemplate": gated, "pendingTimeout": "2s", "command": ["true"]}
    async with operated.client() as client:
        run = await operated.start(client, operated.dag("gated", {"t": task}))
        waiting = await operated.until(client, run, lambda status: status.get("waiting"))
        assert waiting["status"]["waiting"][0]["reason"] == "SchedulingGated"
        assert "has the scheduling gates example.com/queue" in waiting["status"]["waiting"][0]["message"]
        await asyncio.sleep(4)  # longer than it may be pending
        [pod] = await operated.pods(client, run)
        assert pod["metadata"].get("deletionTimestamp") is None
        await client.patch(PODS, operated.namespace, pod["metadata"]["name"], {"spec": {"schedulingGates": []}})
        status = await operated.finished(client, run, 90)
        assert status["phase"] == "Succeeded" and not status.get("failures")
