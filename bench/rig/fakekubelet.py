"""`python -m bench.rig.fakekubelet KUBECONFIG NAMESPACE...`: plays scheduler and kubelet for the pods of namespaces,
through the API only.

A pod that names `bench` as its scheduler is bound to no node: one write says that it was scheduled, ran for the seconds
of its annotation `bench/seconds` and succeeded. The remaining costs of a pod are the API server's and the operator's.
"""

import asyncio
import contextlib
import sys
from datetime import UTC, datetime
from typing import Any

import orjson
from tradewind.kube.client import Client
from tradewind.kube.connection import connect
from tradewind.kube.errors import ApiError, NotFound
from tradewind.kube.resources import PODS

SCHEDULER = "bench"
SECONDS = "bench/seconds"
ENDED = ("Succeeded", "Failed")


def template(seconds: float = 0) -> dict[str, Any]:
    """The podTemplate that makes a pod a faked one."""
    found: dict[str, Any] = {"spec": {"schedulerName": SCHEDULER}}
    if seconds:
        found["metadata"] = {"annotations": {SECONDS: f"{seconds:g}"}}
    return found


def _succeeded(began: str) -> dict[str, Any]:
    now = _now()
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": began}
    state = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": began, "finishedAt": now}}
    main = {"name": "main", "image": "x", "imageID": "", "ready": False, "restartCount": 0, "state": state}
    return {"status": {"phase": "Succeeded", "conditions": [scheduled], "containerStatuses": [main]}}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def play(client: Client, namespace: str) -> None:
    """Ends pods, until cancelled."""
    known: set[str] = set()
    waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def later(pod: dict[str, Any], seconds: float) -> None:
        await asyncio.sleep(seconds)
        await waiting.put({**pod, "began": _now_minus(seconds)})

    async def write() -> None:
        while True:
            pod = await waiting.get()
            body = _succeeded(pod.get("began") or _now())
            try:
                await client.patch(PODS, namespace, pod["metadata"]["name"], body, "status")
            except NotFound:
                pass
            except ApiError as error:
                print(f"pod {pod['metadata']['name']}: {error}", file=sys.stderr)
                waiting.put_nowait(pod)
                await asyncio.sleep(0.1)

    def seen(pod: dict[str, Any], tasks: set[asyncio.Task[None]]) -> None:
        meta = pod["metadata"]
        if pod["spec"].get("schedulerName") != SCHEDULER or pod["status"].get("phase") in ENDED:
            return
        if meta["uid"] in known:
            return
        known.add(meta["uid"])
        seconds = float((meta.get("annotations") or {}).get(SECONDS, 0))
        if seconds:
            task = asyncio.create_task(later(pod, seconds))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        else:
            waiting.put_nowait(pod)

    tasks: set[asyncio.Task[None]] = set()
    writers = [asyncio.create_task(write()) for _ in range(24)]
    try:
        while True:
            with contextlib.suppress(ApiError):
                listed = await client.list(PODS, namespace)
                for pod in listed["items"]:
                    seen(pod, tasks)
                version = listed["metadata"]["resourceVersion"]
                async for line in client.watch(PODS, namespace, resourceVersion=version):
                    event: dict[str, Any] = orjson.loads(line) if line else {"type": "BOOKMARK"}
                    if event["type"] == "ADDED":
                        seen(event["object"], tasks)
                    elif event["type"] == "DELETED":
                        known.discard(event["object"]["metadata"]["uid"])
                        await _remove(client, event["object"])
                    elif event["type"] == "MODIFIED" and event["object"]["metadata"].get("deletionTimestamp"):
                        await _remove(client, event["object"])
            await asyncio.sleep(0.1)
    finally:
        for task in [*writers, *tasks]:
            task.cancel()


async def _remove(client: Client, pod: dict[str, Any]) -> None:
    """Removes a pod as a kubelet does at the end of a deletion; pods without a node need no kubelet for that."""
    if pod["spec"].get("nodeName"):
        with contextlib.suppress(ApiError):
            meta = pod["metadata"]
            await client.delete(PODS, meta["namespace"], meta["name"], uid=meta["uid"], gracePeriodSeconds=0)


def _now_minus(seconds: float) -> str:
    return datetime.fromtimestamp(datetime.now(UTC).timestamp() - seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def _main(kubeconfig: str, *namespaces: str) -> None:
    async with Client(connect(kubeconfig)) as client:
        await asyncio.gather(*(play(client, namespace) for namespace in namespaces))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(*sys.argv[1:]))
