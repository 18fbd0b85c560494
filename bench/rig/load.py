"""Common parts of the shapes: a namespace with a fake kubelet, runs to create, and an observer with its own watches."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from tradewind import API_VERSION
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError
from tradewind.kube.labels import DAG, HOW, MANUAL, RUN_UID
from tradewind.kube.resources import DAGS, PODS, RUNS, Resource
from tradewind.model.run import FINAL_PHASES
from worlds.world import World

from bench.rig import fakekubelet

FAKED: dict[str, Any] = {"image": "x", "command": ["true"], "podTemplate": fakekubelet.template()}
KEPT = {"succeeded": {"limit": 100_000}}


@contextlib.contextmanager
def faked(world: World, *others: World) -> Iterator[None]:
    """Ends pods of the worlds' namespaces in a process of its own, so that it is not measured with anything else."""
    path = os.pathsep.join(["tests", ".", os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "bench.rig.fakekubelet", str(world.kubeconfig)]
    command += [each.namespace for each in (world, *others)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path})
    try:
        yield
    finally:
        process.kill()
        process.wait()


@dataclass
class Seen:
    """When (perf_counter) an outside observer first saw something, by the object's name."""

    run_created: dict[str, float] = field(default_factory=dict)
    run_began: dict[str, float] = field(default_factory=dict)
    run_ended: dict[str, float] = field(default_factory=dict)
    pod_created: dict[str, float] = field(default_factory=dict)
    pod_scheduled: dict[str, float] = field(default_factory=dict)
    pod_started: dict[str, float] = field(default_factory=dict)
    pod_ended: dict[str, float] = field(default_factory=dict)
    first_pod: dict[str, float] = field(default_factory=dict)
    """By run."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def run(self, body: dict[str, Any]) -> None:
        """A run was created or changed."""
        now, name = time.perf_counter(), body["metadata"]["name"]
        phase = (body.get("status") or {}).get("phase")
        self.run_created.setdefault(name, now)
        if phase == "Running":
            self.run_began.setdefault(name, now)
        if phase in FINAL_PHASES:
            self.run_ended.setdefault(name, now)

    def pod(self, body: dict[str, Any]) -> None:
        """A pod was created or changed."""
        now, name = time.perf_counter(), body["metadata"]["name"]
        self.pod_created.setdefault(name, now)
        self.first_pod.setdefault(body["metadata"]["labels"].get("tradewind.dev/run", ""), now)
        if body["spec"].get("nodeName"):
            self.pod_scheduled.setdefault(name, now)
        if any("waiting" not in item["state"] for item in body["status"].get("containerStatuses", ())):
            self.pod_started.setdefault(name, now)
        if body["status"].get("phase") in ("Succeeded", "Failed"):
            self.pod_ended.setdefault(name, now)

    async def wait_ended(self, count: int, seconds: float) -> None:
        """Waits until `count` runs have ended."""
        async with asyncio.timeout(seconds):
            while len(self.run_ended) < count:
                self.changed.clear()
                await self.changed.wait()


@contextlib.asynccontextmanager
async def observed(world: World, pods: bool = True) -> AsyncIterator[Seen]:
    """An observer of the world's namespace, by its own watches from now on; without pods it costs the API server half."""
    seen = Seen()
    async with world.client() as client:
        follows = [(RUNS, seen.run, {}), *([(PODS, seen.pod, {"labelSelector": RUN_UID})] if pods else [])]
        tasks = []
        for resource, take, query in follows:
            # The watch begins at this list, so no later event is missed.
            listed = await client.list(resource, world.namespace, **query, limit="1")
            version = listed["metadata"]["resourceVersion"]
            watch = _follow(client, world.namespace, resource, take, seen, query, version)
            tasks.append(asyncio.create_task(watch))
        try:
            yield seen
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _follow(
    client: Client,
    namespace: str,
    resource: Resource,
    take: Callable[[dict[str, Any]], None],
    seen: Seen,
    query: dict[str, str],
    version: str,
) -> None:
    while True:
        with contextlib.suppress(ApiError):
            async for line in client.watch(resource, namespace, resourceVersion=version, **query):
                event: dict[str, Any] = orjson.loads(line) if line else {"type": "BOOKMARK"}
                if event["type"] in ("ADDED", "MODIFIED"):
                    take(event["object"])
                    version = event["object"]["metadata"]["resourceVersion"]
                    seen.changed.set()


async def start(world: World, client: Client, dag: str, count: int, prefix: str = "r") -> list[str]:
    """Creates runs at once, labelled like those of `tradewind run` and triggers."""
    labels = {HOW: MANUAL, DAG: dag}
    names = [f"{prefix}{at}" for at in range(count)]
    bodies = [
        {
            "apiVersion": API_VERSION,
            "kind": "DAGRun",
            "metadata": {"name": name, "labels": labels},
            "spec": {"dag": dag},
        }
        for name in names
    ]
    await asyncio.gather(*(client.create(RUNS, world.namespace, body) for body in bodies))
    return names


async def define(world: World, client: Client, name: str, tasks: dict[str, Any], **spec: Any) -> None:
    """A DAG whose pods are faked."""
    await world.create(client, DAGS, world.dag(name, tasks, history=KEPT, defaults=FAKED, **spec))


async def bare_pods(world: World, client: Client, count: int, prefix: str = "bare") -> float:
    """Seconds until `count` bare pods have ended, with as many concurrent creates as the client allows."""
    left = {f"{prefix}-{at}" for at in range(count)}
    listed = await client.list(PODS, world.namespace, limit="1")
    began = time.perf_counter()

    async def ended() -> None:
        query = {"labelSelector": "bench=bare", "resourceVersion": listed["metadata"]["resourceVersion"]}
        async for line in client.watch(PODS, world.namespace, **query):
            found = orjson.loads(line)["object"] if line else {}
            if (found.get("status") or {}).get("phase") == "Succeeded":
                left.discard(found["metadata"]["name"])
                if not left:
                    return

    watching = asyncio.create_task(ended())
    await asyncio.gather(*(client.create(PODS, world.namespace, bare_pod(name)) for name in sorted(left)))
    await watching
    return time.perf_counter() - began


async def bare_runs(world: World, client: Client, count: int) -> float:
    """Seconds for the API calls that `count` runs of one task need at least, from a loop that decides nothing: each run
    is created, gets the status Running, has its pod created and ended, and gets the status Succeeded. No operator knows
    their DAG."""
    body = {"apiVersion": API_VERSION, "kind": "DAGRun", "spec": {"dag": "nobody"}}
    began = time.perf_counter()
    places = asyncio.Semaphore(48)

    async def one(at: int) -> None:
        name, stamp = f"bare-run-{at}", "2026-01-01T00:00:00Z"
        async with places:
            await client.create(RUNS, world.namespace, {**body, "metadata": {"name": name}})
            for phase in ("Running", "Succeeded"):
                status = {"phase": phase, "startedAt": stamp, "attempts": f"a 1+0 {phase}", "total": 1}
                await client.patch(RUNS, world.namespace, name, {"status": status}, "status")
                if phase == "Running":
                    await client.create(PODS, world.namespace, bare_pod(name))

    await asyncio.gather(*(one(at) for at in range(count)))
    return time.perf_counter() - began


def bare_pod(name: str) -> dict[str, Any]:
    """A pod like those of faked tasks, without an owner."""
    container = {"name": "main", "image": "x", "command": ["true"]}
    spec = {"containers": [container], "restartPolicy": "Never", "schedulerName": fakekubelet.SCHEDULER}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"bench": "bare"}},
        "spec": spec,
    }


async def bare_chain(world: World, client: Client, length: int) -> list[float]:
    """Seconds from the observed end of a pod to the acknowledged create of the next one, for a loop that does nothing
    else; the last number is the total."""
    listed = await client.list(PODS, world.namespace, limit="1")
    query = {"labelSelector": "bench=bare", "resourceVersion": listed["metadata"]["resourceVersion"]}
    began = time.perf_counter()
    lines = client.watch(PODS, world.namespace, **query)
    gaps = []
    for at in range(length):
        asked = time.perf_counter()
        await client.create(PODS, world.namespace, bare_pod(f"chain-{at}"))
        gaps.append(time.perf_counter() - asked)
        async for line in lines:
            found = orjson.loads(line)["object"] if line else {}
            if found.get("metadata", {}).get("name") == f"chain-{at}" and found["status"].get("phase") == "Succeeded":
                break
    return [*gaps, time.perf_counter() - began]


def quantile(values: list[float], share: float) -> float:
    """A quantile; 0 for no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
