"""Pools, active runs, timeouts and retries of whole runs, in both worlds."""

import asyncio
from typing import Any

from tradewind import API_VERSION
from tradewind.kube.client import Client
from tradewind.kube.labels import RUN
from tradewind.kube.resources import DAGS, PODS, POOLS, RUNS
from worlds.world import Body, World, eventually


def pool(name: str, slots: int) -> Body:
    return {"apiVersion": API_VERSION, "kind": "Pool", "metadata": {"name": name}, "spec": {"slots": slots}}


async def alive(world: World, client: Client, *runs: str) -> int:
    """The pods of runs that have not ended, at one time."""
    pods = (await client.list(PODS, world.namespace, labelSelector=f"{RUN} in ({','.join(runs)})"))["items"]
    return sum(pod["status"].get("phase") in ("Pending", "Running") for pod in pods)


async def test_runs_share_the_slots_of_a_pool_and_its_status_says_who_holds_and_who_waits(operated: World) -> None:
    tasks = {"x": {"forEach": {"range": {"stop": 4}}, "pools": [{"name": "two"}], "script": {"shell": "sleep 0.5"}}}
    async with operated.client() as client:
        await operated.create(client, POOLS, pool("two", 2))
        first = await operated.start(client, operated.dag("sharing", tasks))
        second = await operated.start(client, "sharing")
        ends = asyncio.gather(*(operated.finished(client, run, 180) for run in (first, second)))
        most, seen = 0, {"holders": 0, "waiting": 0}
        while not ends.done():
            most = max(most, await alive(operated, client, first, second))
            status = (await client.get(POOLS, operated.namespace, "two")).get("status") or {}
            seen["holders"] = max(seen["holders"], len(status.get("holders") or []))
            seen["waiting"] = max(seen["waiting"], int(status.get("waiting") or 0))
            assert int(status.get("used") or 0) <= 2
            await asyncio.sleep(0.05)
        assert [status["phase"] for status in await ends] == ["Succeeded", "Succeeded"]
        assert most <= 2 and seen["holders"] == 2 and seen["waiting"] >= 2

        async def empty() -> bool:
            status = (await client.get(POOLS, operated.namespace, "two")).get("status") or {}
            return not status.get("used") and not status.get("waiting") and not status.get("holders")

        await eventually(empty)


async def test_a_pool_that_is_not_there_or_too_small_is_named_and_can_be_mended(operated: World) -> None:
    tasks = {"a": {"pools": [{"name": "later", "slots": 2}], "command": ["true"]}}
    async with operated.client() as client:
        run = await operated.start(client, operated.dag("poolless", tasks))
        waiting = await operated.until(client, run, lambda status: status.get("waiting"))
        assert waiting["status"]["waiting"][0]["reason"] == "PoolNotFound"
        assert "there is no Pool 'later' in namespace" in waiting["status"]["waiting"][0]["message"]
        await operated.create(client, POOLS, pool("later", 1))
        await operated.until(client, run, lambda status: _reason(status) == "PoolTooSmall")
        await client.patch(POOLS, operated.namespace, "later", {"spec": {"slots": 2}})
        assert (await operated.finished(client, run))["phase"] == "Succeeded"


def _reason(status: Body) -> str:
    return status["waiting"][0]["reason"] if status.get("waiting") else ""


def slow(world: World, name: str, **spec: Any) -> Body:
    return world.dag(name, {"a": {"script": {"shell": "trap 'exit 143' TERM; sleep 600 & wait"}}}, **spec)


async def test_a_run_too_many_waits_until_there_is_room(operated: World) -> None:
    async with operated.client() as client:
        first = await operated.start(client, slow(operated, "queueing", maxActiveRuns=1))
        await operated.until(client, first, lambda status: status.get("phase") == "Running")
        second = await operated.start(client, "queueing")
        queued = await operated.until(client, second, lambda status: status.get("phase") == "Queued")
        assert queued["status"]["conditions"][0]["reason"] == "ConcurrencyLimit"
        assert queued["status"]["message"].endswith(f"it waits for {first}")
        await client.patch(RUNS, operated.namespace, first, {"spec": {"desiredState": "Cancelled"}})
        await operated.until(client, second, lambda status: status.get("phase") == "Running")
        await client.patch(RUNS, operated.namespace, second, {"spec": {"desiredState": "Cancelled"}})
        assert (await operated.finished(client, second))["phase"] == "Cancelled"


async def test_a_run_too_many_is_skipped_or_replaces_the_oldest_as_the_dag_says(operated: World) -> None:
    async with operated.client() as client:
        body = slow(operated, "picky", maxActiveRuns=1, concurrencyPolicy="Skip", params={"k": {"default": "x"}})
        first = await operated.start(client, body | {"spec": {**body["spec"], "concurrencyKey": "params.k"}})
        await operated.until(client, first, lambda status: status.get("phase") == "Running")
        other = await operated.start(client, "picky", k="y")
        await operated.until(client, other, lambda status: status.get("phase") == "Running")
        skipped = await operated.result(client, "picky")
        assert skipped["phase"] == "Cancelled" and skipped["conditions"][0]["reason"] == "Skipped"
        await client.patch(DAGS, operated.namespace, "picky", {"spec": {"concurrencyPolicy": "Replace"}})
        third = await operated.start(client, "picky")
        assert (await operated.finished(client, first))["phase"] == "Cancelled"
        await operated.until(client, third, lambda status: status.get("phase") == "Running")
        for run in (other, third):
            await client.patch(RUNS, operated.namespace, run, {"spec": {"desiredState": "Cancelled"}})
            await operated.finished(client, run)


async def test_a_run_over_its_timeout_fails_and_leaves_no_pod_running(operated: World) -> None:
    async with operated.client() as client:
        body = slow(operated, "too-long", timeout="3s")
        run = await operated.start(client, body)
        status = await operated.finished(client, run)
        assert status["phase"] == "Failed"
        assert status["message"] == "took longer than its timeout (3s); 0 of 1 task had succeeded"
        assert await alive(operated, client, run) == 0


async def test_a_run_that_is_retried_runs_only_the_items_that_failed(operated: World) -> None:
    env = {"N": "$[[ index ]]", "ATTEMPT": "$[[ run.attempt ]]"}
    tasks = {
        "x": {
            "forEach": {"range": {"stop": 3}},
            "env": env,
            "script": {"shell": '[ "$N" != 1 ] || [ "$ATTEMPT" -gt 1 ]'},
        },
        "end": {"dependsOn": ["x"], "command": ["true"]},
    }
    async with operated.client() as client:
        run = await operated.start(client, operated.dag("again", tasks))
        failed = await operated.finished(client, run)
        assert failed["phase"] == "Failed" and (failed["failed"], failed["progress"]) == (1, "4/4")
        await client.patch(RUNS, operated.namespace, run, {"spec": {"retryFailed": 1}})
        done = (await operated.until(client, run, lambda status: status.get("phase") == "Succeeded"))["status"]
        lines = done["attempts"].splitlines()
        names = sorted(line.split()[0] for line in lines if "!" not in line)
        assert names == ["end", "x[0]", "x[1]", "x[1]", "x[2]"] and "x[1] !1" in lines
        assert done["retried"] == 1 and done["message"] == "4 of 4 tasks succeeded" and done["failed"] == 0


async def test_a_failed_task_asks_for_more_time_than_it_has_only_as_long_as_its_total_timeout(operated: World) -> None:
    retries = {"limit": 50, "backoff": {"initial": "500ms", "factor": 1}}
    tasks = {"a": {"totalTimeout": "4s", "retries": retries, "script": {"shell": "exit 1"}}}
    async with operated.client() as client:
        status = await operated.result(client, operated.dag("patience", tasks))
        assert status["phase"] == "Failed" and 1 < len(status["attempts"].splitlines()) < 20


async def test_a_status_is_counted_as_the_api_server_stores_it(operated: World) -> None:
    """It stores each `<` as six bytes: outputs of 450 KB would be 2.7 MB."""
    params = {"text": {"default": "<" * 900}}
    tasks = {"x": {"forEach": {"range": {"stop": 500}}, "compute": {"t": "params.text"}}}
    async with operated.client() as client:
        status = await operated.result(client, operated.dag("escaped", tasks, params=params))
        assert status["phase"] == "Failed"
        assert [item["reason"] for item in status["conditions"] if item["type"] == "Succeeded"] == ["StatusTooLarge"]
