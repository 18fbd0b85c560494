"""Calls of DAGs and sensors claim pools: a pool is a lock over all that a called DAG does, whichever DAG calls it, also when the operator dies."""

from typing import Any

from tradewind import API_VERSION
from tradewind.kube.client import Client
from tradewind.kube.resources import DAGS, POOLS, RUNS
from worlds.world import Body, World, eventually


def pool(name: str, slots: int = 1) -> Body:
    return {"apiVersion": API_VERSION, "kind": "Pool", "metadata": {"name": name}, "spec": {"slots": slots}}


async def test_a_pool_is_a_lock_over_a_called_dag_also_when_the_operator_is_killed(world: World) -> None:
    call = {"dag": {"name": "locked"}, "pools": [{"name": "lock"}]}
    operator = world.start_operator()
    try:
        async with world.client() as client:
            await world.create(client, POOLS, pool("lock"))
            await world.create(client, DAGS, world.dag("locked", {"hold": {"wait": {"duration": "1h"}}}))
            first = await world.start(client, world.dag("one", {"call": call}))
            await world.until(client, f"{first}-call-1", running)
            urgent = await world.start(client, world.dag("two", {"call": call}, priority=100))
            await world.until(client, urgent, full)
            operator.kill()
            operator.wait()
            await client.patch(RUNS, world.namespace, urgent, {"status": {"waiting": []}}, subresource="status")
            operator = world.start_operator()
            await world.until(client, urgent, full)
            later = await world.start(client, "two")
            await world.until(client, later, full)
            assert await parts(world, client) == [f"{first}-call-1"], "two runs are inside at once"
            await release(world, client, f"{first}-call-1")
            assert (await world.finished(client, first))["phase"] == "Succeeded"
            for caller in (urgent, later):
                await world.until(client, f"{caller}-call-1", running)
                await release(world, client, f"{caller}-call-1")
                assert (await world.finished(client, caller))["phase"] == "Succeeded"
    finally:
        operator.kill()
        operator.wait()


def running(status: Body) -> bool:
    return status.get("phase") == "Running"


def full(status: Body) -> bool:
    return any(item["task"] == "call" and item["reason"] == "PoolFull" for item in status.get("waiting") or ())


async def parts(world: World, client: Client) -> list[str]:
    """The runs of the called DAG that there are."""
    runs = (await client.list(RUNS, world.namespace))["items"]
    return [run["metadata"]["name"] for run in runs if run["spec"]["dag"] == "locked"]


async def release(world: World, client: Client, name: str) -> None:
    edit = {"action": "Succeed", "tasks": ["hold"]}
    await client.patch(RUNS, world.namespace, name, {"spec": {"edits": [edit]}})
    await world.finished(client, name)


async def test_a_sensor_that_gets_no_slot_in_time_times_out_and_one_that_ends_leaves_its_slot(operated: World) -> None:
    def sensor(timeout: str, **task: Any) -> Body:
        return {"sensor": {"run": {"dag": "never", "logicalDate": ""}, "interval": "1s", "timeout": timeout}, **task}

    claim = {"pools": [{"name": "asking"}]}
    tasks = {
        "long": sensor("3s", priority=1, **claim),
        "short": sensor("1s", **claim),
        "after": sensor("30s", dependsOn=["short"], triggerRule="AllDone", **claim),
    }
    async with operated.client() as client:
        await operated.create(client, POOLS, pool("asking"))
        run = await operated.start(client, operated.dag("asking", tasks))

        def waits(status: Body) -> Any:
            return any(item["task"] == "after" and item["reason"] == "Sensor" for item in status.get("waiting") or ())

        status = (await operated.until(client, run, waits))["status"]
        failed = {failure["task"]: failure for failure in status["failures"]}
        assert failed["short"]["reason"] == failed["long"]["reason"] == "SensorTimeout"
        assert failed["short"]["message"] == "it got no slots of its pools within 1s"

        async def held() -> Any:
            return ((await client.get(POOLS, operated.namespace, "asking")).get("status") or {}).get("holders")

        assert await eventually(held) == [{"namespace": operated.namespace, "run": run, "task": "after", "slots": 1}]
        await client.patch(RUNS, operated.namespace, run, {"spec": {"desiredState": "Cancelled"}})
        await operated.finished(client, run)

        async def free() -> bool:
            return not await held()

        await eventually(free)


async def test_labels_that_somebody_puts_on_a_called_run_hold_no_slots(operated: World) -> None:
    called = {"call": {"dag": {"name": "plain"}, "pools": [{"name": "gate"}]}}
    async with operated.client() as client:
        for name in ("gate", "other"):
            await operated.create(client, POOLS, pool(name, 3))
        await operated.create(client, DAGS, operated.dag("plain", {"hold": {"wait": {"duration": "1h"}}}))
        part = f"{await operated.start(client, operated.dag('caller', called))}-call-1"
        await operated.until(client, part, running)
        labels = {"pool.tradewind.dev/other": "1000000", "pool.tradewind.dev/gate": None}
        await client.patch(RUNS, operated.namespace, part, {"metadata": {"labels": labels}})
        await client.patch(RUNS, operated.namespace, part, {"spec": {"priority": 1}})
        one = {"one": {"command": ["true"], "pools": [{"name": "other"}]}}
        assert (await operated.result(client, operated.dag("free", one)))["phase"] == "Succeeded"

        async def held() -> Any:
            return ((await client.get(POOLS, operated.namespace, "gate")).get("status") or {}).get("holders")

        assert [holder["slots"] for holder in await eventually(held)] == [1]
