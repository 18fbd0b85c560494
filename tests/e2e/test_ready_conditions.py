"""The conditions that Flux and `kubectl wait` use: Ready, Reconciling and Stalled of every kind, for the current
generation."""

import contextlib

import pytest
from tradewind import API_VERSION
from tradewind.kube.client import Client
from tradewind.kube.errors import AlreadyExists
from tradewind.kube.labels import DAG, HOW
from tradewind.kube.resources import (
    APPROVALS,
    BACKFILLS,
    DAGS,
    POOLS,
    RUNS,
    TASK_TEMPLATES,
    TRIGGERS,
    Resource,
)
from worlds.world import Body, World, eventually

HOURLY = {"schedule": {"cron": "0 * * * *"}}
TASK = {"a": {"script": {"shell": "true"}}}
FAILS = {"a": {"script": {"shell": "exit 1"}}}
CIRCLE = {"a": {"command": ["true"], "dependsOn": ["b"]}, "b": {"command": ["true"], "dependsOn": ["a"]}}


def kstatus(body: Body) -> str:
    """The status of an object in kstatus (sigs.k8s.io/cli-utils), by its rules for unknown kinds."""
    status = body.get("status") or {}
    if status.get("observedGeneration", body["metadata"]["generation"]) != body["metadata"]["generation"]:
        return "InProgress"
    conditions = {item["type"]: item["status"] for item in status.get("conditions") or ()}
    if conditions.get("Reconciling") == "True":
        return "InProgress"
    if conditions.get("Stalled") == "True":
        return "Failed"
    return "Current" if conditions.get("Ready", "True") == "True" else "InProgress"


async def settled(world: World, client: Client, resource: Resource, name: str, reason: str) -> Body:
    """The object, once its Ready has this reason."""

    async def told() -> Body | None:
        body = await client.get(resource, world.namespace, name)
        conditions = {item["type"]: item for item in (body.get("status") or {}).get("conditions") or ()}
        ready = conditions.get("Ready", {})
        return body if ready.get("reason") == reason else None

    found: Body = await eventually(told)
    return found


async def put(world: World, client: Client, resource: Resource, name: str, **spec: object) -> None:
    body = {"apiVersion": API_VERSION, "kind": resource.kind, "metadata": {"name": name}, "spec": spec}
    await world.create(client, resource, body)


@pytest.mark.parametrize(
    ("resource", "spec", "reason", "status"),
    [
        (DAGS, {"tasks": TASK}, "Valid", "Current"),
        (DAGS, {"tasks": CIRCLE}, "Invalid", "Failed"),
        (DAGS, {"tasks": {"a": {"template": {"name": "not-there"}}}}, "TemplateNotFound", "InProgress"),
        (TRIGGERS, {"dag": "not-there", **HOURLY}, "DAGNotFound", "InProgress"),
        (TRIGGERS, {"dag": "known", **HOURLY}, "Active", "Current"),
        (TRIGGERS, {"dag": "known", "suspend": True, **HOURLY}, "Suspended", "Current"),
        (TRIGGERS, {"dag": "known", "params": {"no": 1}, **HOURLY}, "Invalid", "Failed"),
        (BACKFILLS, {"dag": "not-there", "ticks": ["2026-01-01T00:00:00Z"]}, "DAGNotFound", "InProgress"),
        (TRIGGERS, {"dag": "broken", **HOURLY}, "DAGInvalid", "InProgress"),
        (BACKFILLS, {"dag": "broken", "ticks": ["2026-01-01T00:00:00Z"]}, "DAGInvalid", "InProgress"),
        (POOLS, {"slots": 1}, "Active", "Current"),
        (TASK_TEMPLATES, {"task": {"image": "busybox", "command": ["true"]}}, "Valid", "Current"),
        (RUNS, {"dag": "not-there"}, "DAGNotFound", "InProgress"),
        (RUNS, {"dag": "known", "params": {"no": 1}}, "InvalidParams", "Failed"),
    ],
)
async def test_what_is_applied_is_ready_or_says_why_not(
    operated: World, resource: Resource, spec: Body, reason: str, status: str
) -> None:
    async with operated.client() as client:
        if spec.get("dag") == "known":
            with contextlib.suppress(AlreadyExists):
                await operated.create(client, DAGS, operated.dag("known", TASK))
        if spec.get("dag") == "broken":
            with contextlib.suppress(AlreadyExists):
                await operated.create(client, DAGS, operated.dag("broken", CIRCLE))
            await settled(operated, client, DAGS, "broken", "Invalid")
        name = f"{resource.plural[:5]}-{reason.lower()[:12]}"
        if resource is DAGS:
            spec = {**spec, "defaults": {"image": "busybox"}}
        await put(operated, client, resource, name, **spec)
        found = await settled(operated, client, resource, name, reason)
        assert kstatus(found) == status, found["status"]
        assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
        if status != "Current":
            assert next(item for item in found["status"]["conditions"] if item["type"] == "Ready")["message"]


async def test_a_run_is_ready_once_it_has_succeeded(operated: World) -> None:
    async with operated.client() as client:
        approve = {"a": {"approval": {"message": "go on?"}}}
        run = await operated.start(client, operated.dag("asks", approve))
        found = await operated.until(client, run, lambda status: status.get("waiting"))
        assert kstatus(found) == "InProgress"
        (approval,) = (await client.list(APPROVALS, operated.namespace))["items"]
        name = approval["metadata"]["name"]
        assert kstatus(await settled(operated, client, APPROVALS, name, "Pending")) == "InProgress"
        await client.patch(APPROVALS, operated.namespace, name, {"spec": {"decision": "Approved", "by": "somebody"}})
        assert kstatus(await settled(operated, client, APPROVALS, name, "Approved")) == "Current"
        await operated.finished(client, run)
        assert kstatus(await client.get(RUNS, operated.namespace, run)) == "Current"


async def test_a_run_that_fails_is_stalled(operated: World) -> None:
    async with operated.client() as client:
        run = await operated.start(client, operated.dag("fails", FAILS, defaults={"retries": {"limit": 0}}))
        await operated.finished(client, run)
        assert kstatus(await client.get(RUNS, operated.namespace, run)) == "Failed"


async def test_runs_are_found_by_a_label_of_their_dag(operated: World) -> None:
    async with operated.client() as client:
        await operated.start(client, operated.dag("inner", TASK), name="by-hand")
        outer = await operated.start(client, operated.dag("outer", {"call": {"dag": {"name": "inner"}}}))
        await operated.finished(client, outer)
        await operated.finished(client, "by-hand")

        async def found(dag: str) -> set[str]:
            runs = await client.list(RUNS, operated.namespace, labelSelector=f"{DAG}={dag}")
            return {str(run["spec"]["dag"]) + "/" + run["metadata"]["labels"][HOW] for run in runs["items"]}

        assert await found("inner") == {"inner/manual", "inner/parent"}
        assert await found("outer") == {"outer/manual"}
