"""A chain of tasks, each of which depends on the one before: bare pods from a loop, and the operator."""

import time
from typing import Any

import orjson
from tradewind.control.pods.builder import build
from tradewind.control.pods.names import pod_name
from tradewind.kube.client import Client
from tradewind.kube.resources import PODS
from tradewind.plan.dags.compile import define
from tradewind.plan.runs.decision import RunFacts, Start
from worlds.world import World


def dag(world: World, length: int) -> dict[str, Any]:
    """A chain of `true`."""
    tasks = {f"t{at:03d}": {"command": ["true"], "dependsOn": [f"t{at - 1:03d}"] if at else []} for at in range(length)}
    return world.dag("chain", tasks, defaults={"image": "python:3.11-slim"})


async def bare(world: World, client: Client, length: int, round_: int, creates: list[float]) -> float:
    """Seconds for the same pods, created one by one by a loop that waits for each. Appends the seconds of each create."""
    definition = define(dag(world, length)["spec"])
    facts = RunFacts(f"bare-{round_}", world.namespace, "", "chain")
    began = time.perf_counter()
    for task in definition.graph.order:
        start = Start(task, None, 1, "")
        pod = orjson.loads(build(pod_name(facts.name, task, 1), start, definition.tasks[task], facts, str, ""))
        del pod["metadata"]["ownerReferences"]
        pod["metadata"]["labels"] = {"bench": "bare"}
        asked = time.perf_counter()
        created = orjson.loads(await client.create(PODS, world.namespace, pod))
        creates.append(time.perf_counter() - asked)
        await _wait_ended(client, world.namespace, created)
    return time.perf_counter() - began


async def _wait_ended(client: Client, namespace: str, pod: dict[str, Any]) -> None:
    name, version = pod["metadata"]["name"], pod["metadata"]["resourceVersion"]
    async for line in client.watch(PODS, namespace, fieldSelector=f"metadata.name={name}", resourceVersion=version):
        found = orjson.loads(line)["object"] if line else {}
        for status in found.get("status", {}).get("containerStatuses", []):
            if "terminated" in status["state"]:
                return


async def tradewind(world: World, client: Client) -> float:
    """Seconds from creating the run until its status says that it has ended."""
    began = time.perf_counter()
    name = await world.start(client, "chain")
    status = await world.finished(client, name, 600)
    if status["phase"] != "Succeeded":
        raise RuntimeError(f"the chain failed: {status['message']}")
    return time.perf_counter() - began
