"""Triggers that follow objects of the cluster: created, updated, deleted, a condition; also changes while the operator
was dead."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tradewind import API_VERSION
from tradewind.control.triggers.run_maker import CAUSE
from tradewind.kube.client import Client
from tradewind.kube.labels import HOW, TRIGGER
from tradewind.kube.resources import CONFIG_MAPS, DAGS, RUNS, TRIGGERS, Resource
from worlds.world import Body, World, eventually

CLAIMS = Resource("/api/v1", "persistentvolumeclaims", "PersistentVolumeClaim")
SHOW = {"show": {"compute": {"name": "params.name", "value": "params.value"}}}
GIVEN = {"params": {"name": {"type": "string"}, "value": {"type": "string", "default": ""}}}


def trigger(name: str, params: Body, when: str = "", dag: str = "changed", **followed: Any) -> Body:
    spec = {"dag": dag, "params": params, "object": followed} | ({"when": when} if when else {})
    return {"apiVersion": API_VERSION, "kind": "Trigger", "metadata": {"name": name}, "spec": spec}


def config(name: str, value: str, **labels: str) -> Body:
    meta = {"name": name, "labels": {"app": "etl", **labels}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"value": value}}


async def causes(world: World, client: Client, name: str) -> list[str]:
    found = await client.list(RUNS, world.namespace, labelSelector=f"{TRIGGER}={name}")
    assert {run["metadata"]["labels"][HOW] for run in found["items"]} <= {"object"}
    return sorted(run["metadata"]["annotations"][CAUSE].partition(", version")[0] for run in found["items"])


async def caused(world: World, client: Client, name: str, *wanted: str) -> None:
    async def there() -> bool:
        return len(await causes(world, client, name)) >= len(wanted)

    await eventually(there)
    assert await causes(world, client, name) == sorted(wanted)


async def followed(world: World, client: Client, name: str, objects: int) -> None:
    async def there() -> bool:
        status = (await client.get(TRIGGERS, world.namespace, name)).get("status") or {}
        return (status.get("object") or {}).get("objects", 0) == objects

    await eventually(there)


async def test_changes_make_runs_also_those_for_which_the_operator_was_dead(world: World) -> None:
    labels = {"matchLabels": {"app": "etl"}}
    params = {"name": "$[[ change ]] $[[ object.metadata.name ]]"}
    async with world.client() as client:
        await world.create(client, DAGS, world.dag("changed", SHOW, **GIVEN))
        before = await world.create(client, CONFIG_MAPS, config("before", "0"))
        created = datetime.fromisoformat(before["metadata"]["creationTimestamp"])

        async def over() -> bool:  # objects created in the same second as the trigger count as new
            return datetime.now(UTC) >= created + timedelta(seconds=1)

        await eventually(over)
        every = {"apiVersion": "v1", "kind": "ConfigMap", "labelSelector": labels}
        await world.create(client, TRIGGERS, trigger("all", params, changes=["Created", "Updated", "Deleted"], **every))
        values = {"name": "$[[ object.metadata.name ]]", "value": "$[[ old.data.value ]] to $[[ object.data.value ]]"}
        only = "object.data.value != old.data.value"
        await world.create(client, TRIGGERS, trigger("values", values, only, changes=["Updated"], **every))
        with world.operator():  # killed at the end, in the middle of whatever it does
            await followed(world, client, "all", 1)
            await followed(world, client, "values", 1)
            await world.create(client, CONFIG_MAPS, config("one", "1"))
            await world.create(client, CONFIG_MAPS, {**config("other", "1"), "metadata": {"name": "other"}})
            await followed(world, client, "values", 2)
            await client.patch(CONFIG_MAPS, world.namespace, "one", {"data": {"value": "2"}})
            await caused(world, client, "values", "ConfigMap one Updated")
            await client.patch(CONFIG_MAPS, world.namespace, "before", {"metadata": {"annotations": {"a": "b"}}})
            await caused(
                world, client, "all", "ConfigMap one Created", "ConfigMap one Updated", "ConfigMap before Updated"
            )
            [run] = (await client.list(RUNS, world.namespace, labelSelector=f"{TRIGGER}=values"))["items"]
            status = await world.finished(client, run["metadata"]["name"])
        assert status["outputs"] == {"show": {"name": "one", "value": "1 to 2"}}
        await client.delete(CONFIG_MAPS, world.namespace, "before")
        await world.create(client, CONFIG_MAPS, config("two", "1"))
        with world.operator():
            await caused(
                world,
                client,
                "all",
                "ConfigMap before Deleted",
                "ConfigMap before Updated",
                "ConfigMap one Created",
                "ConfigMap one Updated",
                "ConfigMap two Created",
            )
            assert await causes(world, client, "values") == ["ConfigMap one Updated"]


async def test_a_condition_makes_a_run_when_it_has_become_so(operated: World) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "claim", "labels": {"app": "checked"}},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Mi"}},
            "storageClassName": "none",
        },
    }

    async def tell(client: Client, status: str) -> None:
        condition = {"type": "Checked", "status": status, "reason": "Test", "message": ""}
        patch = {"status": {"conditions": [condition]}}
        await client.patch(CLAIMS, operated.namespace, "claim", patch, "status")

    async with operated.client() as client:
        await operated.create(client, DAGS, operated.dag("checked", SHOW, **GIVEN))
        labels = {"matchLabels": {"app": "checked"}}
        kind = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "labelSelector": labels}
        params = {"name": "$[[ object.metadata.name ]]"}
        made = trigger("checked", params, dag="checked", changes=["Condition"], condition={"type": "Checked"}, **kind)
        await operated.create(client, TRIGGERS, made)
        await operated.create(client, CLAIMS, claim)
        await followed(operated, client, "checked", 1)
        for status in ("False", "True"):
            await tell(client, status)
        await caused(operated, client, "checked", "PersistentVolumeClaim claim Condition")
        missing = trigger("missing", params, dag="checked", changes=["Created"], apiVersion="v1", kind="Pot")
        await operated.create(client, TRIGGERS, missing)

        async def waiting() -> Any:
            status = (await client.get(TRIGGERS, operated.namespace, "missing")).get("status") or {}
            return status.get("phase") == "Waiting" and status["message"]

        assert "spec.object.kind: v1 has no kind 'Pot'; it has: " in await eventually(waiting)
