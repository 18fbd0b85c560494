"""The stages of scheduling latency, compared with the pods' own timestamps and with a watch of the test."""

import asyncio
import socket
import urllib.request
from datetime import datetime

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tradewind.kube.labels import RUN_UID
from tradewind.kube.resources import DAGS, PODS
from worlds.world import Body, World

WIDTH = 12


def stages(port: int) -> dict[str, tuple[float, float]]:
    """Count and sum of each stage."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
        families = text_string_to_metric_families(response.read().decode())
    found: dict[str, dict[str, float]] = {}
    for family in families:
        for sample in family.samples if family.name == "tradewind_task_latency_seconds" else ():
            found.setdefault(sample.labels["stage"], {})[sample.name.rpartition("_")[2]] = sample.value
    return {stage: (values["count"], values["sum"]) for stage, values in found.items()}


def seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


def of_pod(pod: Body) -> dict[str, float]:
    """The stages of a pod that has ended, by its timestamps."""
    conditions = {item["type"]: item for item in pod["status"]["conditions"]}
    created = seconds(pod["metadata"]["creationTimestamp"])
    scheduled = seconds(conditions["PodScheduled"]["lastTransitionTime"])
    started = seconds(pod["status"]["containerStatuses"][0]["state"]["terminated"]["startedAt"])
    return {
        "created_to_scheduled": max(0.0, scheduled - created),
        "scheduled_to_started": max(0.0, started - scheduled),
    }


@pytest.mark.timeout(180)
async def test_under_load_the_stages_add_up_to_what_the_timestamps_of_all_pods_say(world: World) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = world.start_operator(f"--metrics-port={port}")
    try:
        async with world.client() as client:
            tasks = {
                "wide": {"forEach": {"range": {"stop": WIDTH}}, "command": ["true"]},
                "last": {"dependsOn": ["wide"], "command": ["true"]},
            }
            await world.create(client, DAGS, world.dag("load", tasks))
            seen: dict[str, Body] = {}
            version = (await client.list(PODS, world.namespace, limit="1"))["metadata"]["resourceVersion"]

            async def watch() -> None:
                query = {"labelSelector": RUN_UID, "resourceVersion": version}
                async for line in client.watch(PODS, world.namespace, **query):
                    event = orjson.loads(line) if line else {"type": "BOOKMARK"}
                    if event["type"] in ("ADDED", "MODIFIED"):
                        seen[event["object"]["metadata"]["name"]] = event["object"]

            watching = asyncio.create_task(watch())
            run = await world.start(client, "load")
            status = await world.finished(client, run)
            assert status["phase"] == "Succeeded", status
            async with asyncio.timeout(100):
                while len(seen) < WIDTH + 1 or any(pod["status"].get("phase") != "Succeeded" for pod in seen.values()):
                    await asyncio.sleep(0.05)
            watching.cancel()
        told = await asyncio.to_thread(stages, port)
        for stage in ("created_to_scheduled", "scheduled_to_started"):
            assert told[stage] == (WIDTH + 1, pytest.approx(sum(of_pod(pod)[stage] for pod in seen.values())))
        assert told["ready_to_created"][0] == WIDTH + 1
        ends = [seconds(pod["status"]["containerStatuses"][0]["state"]["terminated"]["finishedAt"]) for name, pod in seen.items() if "-wide-" in name]  # fmt: skip
        began = seconds(seen[f"{run}-last-1"]["status"]["containerStatuses"][0]["state"]["terminated"]["startedAt"])
        assert told["dependency_finished_to_started"] == (1, pytest.approx(began - max(ends)))
    finally:
        process.kill()
        process.wait()
