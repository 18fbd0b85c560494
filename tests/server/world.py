"""Two namespaces with the same objects in each."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import orjson
from cli.scene import main, scheduled
from tradewind import API_VERSION
from tradewind.control.dags.revisions import revision_name
from tradewind.kube.client import Client
from tradewind.kube.labels import ATTEMPT, DAG, RUN_UID, TASK
from tradewind.kube.resources import (
    APPROVALS,
    BACKFILLS,
    DAGS,
    EVENTS,
    NAMESPACES,
    PODS,
    POOLS,
    REVISIONS,
    RUNS,
    TRIGGERS,
    Resource,
)

from server.borders import Borders, Right

Body = dict[str, Any]
TASKS: Body = {
    "load": {"command": ["x"], "env": {"REGION": "$[[ params.region ]]"}, "retries": {"limit": 2}},
    "work": {"command": ["x"], "dependsOn": ["load"]},
    "each": {"command": ["x"], "forEach": {"range": {"stop": 3}}, "pools": [{"name": "slots"}]},
    "ask": {"approval": {"message": "go on?"}, "dependsOn": ["load"]},
    "last": {"command": ["x"], "dependsOn": ["work", "ask"]},
}
SPEC: Body = {"params": {"region": {"default": "north"}}, "defaults": {"image": "x"}, "tasks": TASKS}
AT = "2026-01-01T00:00:00Z"


def typed(resource: Resource, name: str, **more: Any) -> Body:
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name}, **more}


async def revision(client: Client, namespace: str, dag: str, spec: Body) -> str:
    """A stored revision; returns its name."""
    name = revision_name(dag, spec)
    body = typed(REVISIONS, name, revision=1, data={"spec": spec})
    body["metadata"]["labels"] = {DAG: dag}
    await client.create(REVISIONS, namespace, body)
    return name


async def begun(client: Client, namespace: str, name: str, dag: str, revised: str, status: Body) -> str:
    """A run that has begun; returns its uid."""
    stored = orjson.loads(await client.create(RUNS, namespace, typed(RUNS, name, spec={"dag": dag})))
    begins = {
        "phase": "Running",
        "revision": revised,
        "revisionNumber": 1,
        "startedAt": stored["metadata"]["creationTimestamp"],
    }
    await client.patch(RUNS, namespace, name, {"status": {**begins, **status}}, "status")
    return str(stored["metadata"]["uid"])


async def pod(client: Client, namespace: str, run: str, uid: str, task: str, number: int, **status: Any) -> None:
    """The pod of an attempt."""
    body = typed(
        PODS, f"{run}-{task}-{number}", spec={"containers": [{"name": "main", "image": "x"}], "nodeName": "n1"}
    )
    body["metadata"] |= {
        "labels": {RUN_UID: uid, TASK: task, ATTEMPT: str(number)},
        "ownerReferences": [{"apiVersion": API_VERSION, "kind": "DAGRun", "name": run, "uid": uid}],
    }
    await client.create(PODS, namespace, body)
    await client.patch(PODS, namespace, body["metadata"]["name"], {"status": status}, "status")


async def fill(client: Client, namespace: str, dag: str = "etl") -> None:
    """A DAG with a run of it, and one object of each other kind."""
    if namespace != "default":
        await client.create(NAMESPACES, "", typed(NAMESPACES, namespace))
    await client.create(DAGS, namespace, typed(DAGS, dag, spec=SPEC))
    revised = await revision(client, namespace, dag, SPEC)
    waiting = [
        {"task": "each[0]", "reason": "PoolFull", "message": "Pool 'slots': 1 of 1 slot is held"},
        {"task": "ask", "reason": "Approval", "message": f"waits for approval {dag}-1-ask: go on?"},
    ]
    status = {"attempts": "load 0+5 =1 Error\nload 10+5 #2", "waiting": waiting, "params": {"region": "north"}}
    status["failures"] = [{"task": "load", "attempt": 1, "reason": "Error", "exitCode": 1, "message": "no such table"}]
    status["produced"] = [{"name": "sales", "at": AT, "task": "load"}]
    uid = await begun(client, namespace, f"{dag}-1", dag, revised, status)
    running = {"phase": "Running", **main(running={"startedAt": AT}), **scheduled(True)}
    await pod(client, namespace, f"{dag}-1", uid, "work", 1, **running)
    event = {"involvedObject": {"uid": uid, "kind": "DAGRun", "name": f"{dag}-1", "namespace": namespace}}
    event |= {"reason": "RunStarted", "message": "it began", "type": "Normal", "lastTimestamp": AT}
    await client.create(EVENTS, namespace, typed(EVENTS, "e1", **event))
    await client.create(POOLS, namespace, typed(POOLS, "slots", spec={"slots": 1}))
    schedule = {"cron": "0 5 * * *", "timeZone": "Europe/Paris"}
    await client.create(TRIGGERS, namespace, typed(TRIGGERS, "nightly", spec={"dag": dag, "schedule": schedule}))
    past = {"dag": dag, "cron": "0 5 * * *", "start": AT, "end": "2026-01-03T00:00:00Z"}
    await client.create(BACKFILLS, namespace, typed(BACKFILLS, "past", spec=past))
    asked = {"run": f"{dag}-1", "task": "ask", "message": "go on?"}
    await client.create(APPROVALS, namespace, typed(APPROVALS, f"{dag}-1-ask", spec=asked))


ADMIN, ONLY_A, NOBODY, NO_PODS = "admin", "only-a", "nobody", "no-pods"
USERS = {
    ADMIN: [Right()],
    ONLY_A: [Right("a")],
    NOBODY: [],
    NO_PODS: [Right("*", ("dagruns", "dags", "controllerrevisions"), ("get", "list", "watch"))],
}


@contextlib.asynccontextmanager
async def borders() -> AsyncIterator[Borders]:
    """An API server with namespaces `a` and `b`, and the users above."""
    async with Borders(USERS) as server:
        async with server.client(ADMIN) as client:
            await fill(client, "a")
            await fill(client, "b", "secretive")
        yield server
