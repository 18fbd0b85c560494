"""What a run knows of earlier runs: values that they kept, `run.previous`, and waitForPrevious; and ConfigMaps."""

from typing import Any

from tradewind import API_VERSION
from tradewind.kube.client import Client
from tradewind.kube.resources import CONFIG_MAPS, DAGS, RUNS
from worlds.world import Body, World, eventually, printed

CURSOR = {
    "load": {
        "compute": {"last": "kept.cursor + params.rows", "before": "run.previous.name", "ok": "run.lastSuccess.name"}
    },
    "check": {"dependsOn": ["load"], "command": ["sh", "-c", "exit $CODE"], "env": {"CODE": "$[[ params.code ]]"}},
}
KEEP = {"cursor": {"type": "integer", "value": "tasks.load.outputs.last", "initial": 100}}
PARAMS = {"rows": {"type": "integer", "default": 1}, "code": {"type": "integer", "default": 0}}


async def made(world: World, client: Client, dag: str, name: str, day: int, **params: Any) -> Body:
    """A run with a logical date, made now."""
    spec = {"dag": dag, "logicalDate": f"2026-05-{day:02}T00:00:00Z", "params": params}
    body = {"apiVersion": API_VERSION, "kind": "DAGRun", "metadata": {"name": name}, "spec": spec}
    return await world.create(client, RUNS, body)


async def test_a_value_goes_from_run_to_run_and_a_failed_one_changes_nothing(operated: World) -> None:
    dag = operated.dag("cursor", CURSOR, params=PARAMS, keep=KEEP, history={"succeeded": {"limit": 0}})
    async with operated.client() as client:
        await operated.create(client, DAGS, dag)
        seen = []
        for day, (rows, code) in enumerate([(5, 0), (7, 1), (2, 0), (1, 0)], 1):
            if day == 4:  # A run of some tasks only leaves nothing, and later runs don't count it.
                part = {"apiVersion": API_VERSION, "kind": "DAGRun", "metadata": {"name": "part"}}
                spec = {"dag": "cursor", "logicalDate": "2026-05-03T12:00:00Z", "until": ["load"]}
                await operated.create(client, RUNS, {**part, "spec": spec})
                status = await operated.finished(client, "part")
                assert (status["phase"], status.get("kept")) == ("Succeeded", None), status
            await made(operated, client, "cursor", f"day-{day}", day, rows=rows, code=code)
            status = await operated.finished(client, f"day-{day}")
            seen.append((status["phase"], status["outputs"]["load"], status.get("kept")))
        assert seen == [
            ("Succeeded", {"last": 105, "before": "", "ok": ""}, {"cursor": 105}),
            ("Failed", {"last": 112, "before": "day-1", "ok": "day-1"}, None),
            ("Succeeded", {"last": 107, "before": "day-2", "ok": "day-1"}, {"cursor": 107}),
            ("Succeeded", {"last": 108, "before": "day-3", "ok": "day-3"}, {"cursor": 108}),
        ]

        async def others_are_gone() -> bool:
            items = (await client.list(RUNS, operated.namespace, fieldSelector="spec.dag=cursor"))["items"]
            return {item["metadata"]["name"] for item in items} == {"day-2", "day-4"}

        await eventually(others_are_gone)  # Of those that succeeded, the one that the next run needs stays.


async def test_a_run_waits_for_the_one_before_until_that_is_retried_or_deleted(operated: World) -> None:
    tasks = {"a": {"command": ["sh", "-c", "exit $CODE"], "env": {"CODE": "$[[ params.code ]]"}}}
    dag = operated.dag("chained", tasks, params=PARAMS, waitForPrevious=True)
    async with operated.client() as client:
        await operated.create(client, DAGS, dag)
        await made(operated, client, "chained", "first", 1, code=1)
        assert (await operated.finished(client, "first"))["phase"] == "Failed"
        await made(operated, client, "chained", "second", 2)
        await made(operated, client, "chained", "third", 3)

        def waits(status: Body) -> bool:
            return status.get("phase") == "Queued" and "waitForPrevious" in status["message"]

        second = await operated.until(client, "second", waits)
        assert second["status"]["message"] == (
            "waits for run first of 2026-05-01T00:00:00Z, which failed (waitForPrevious): retry it, or delete it to go on "
            "without it"
        )
        await operated.until(client, "third", waits)
        await client.delete(RUNS, operated.namespace, "first")
        assert (await operated.finished(client, "second"))["phase"] == "Succeeded"
        assert (await operated.finished(client, "third"))["phase"] == "Succeeded"


async def test_a_task_waits_for_the_same_task_of_the_run_before_and_no_other(world: World) -> None:
    tasks = {
        "extract": {"compute": {"n": "1"}},
        "load": {
            "dependsOn": ["extract"],
            "waitForPrevious": True,
            "command": ["sh", "-c", "exit $CODE"],
            "env": {"CODE": "$[[ params.code ]]"},
        },
    }
    async with world.client() as client:
        await world.create(client, DAGS, world.dag("chained-tasks", tasks, params=PARAMS))
        with world.operator():
            await made(world, client, "chained-tasks", "one", 1, code=1)
            assert (await world.finished(client, "one"))["phase"] == "Failed"
            for day, name in ((2, "two"), (3, "three")):
                await made(world, client, "chained-tasks", name, day)

            def waits(status: Body) -> bool:
                return status.get("done") == 1 and [item["reason"] for item in status["waiting"]] == ["PreviousRun"]

            two = await world.until(client, "two", waits)
            assert two["status"]["waiting"][0]["message"] == (
                "waits for load of run one of 2026-05-01T00:00:00Z, which ended as Failed (waitForPrevious): retry or mark "
                "it, or delete that run"
            )
            three = await world.until(client, "three", waits)
            words = "waits for load of run two of 2026-05-02T00:00:00Z (waitForPrevious)"
            assert three["status"]["waiting"][0]["message"] == words
            assert words in printed(world, "describe", "three")
        edit = {"action": "Succeed", "tasks": ["load"]}
        with world.operator():  # another process, which knows nothing of who waits for whom
            await client.patch(RUNS, world.namespace, "one", {"spec": {"edits": [edit]}})
            assert (await world.finished(client, "two"))["phase"] == "Succeeded"
            assert (await world.finished(client, "three"))["phase"] == "Succeeded"
            await made(world, client, "chained-tasks", "five", 5, code=1)
            assert (await world.finished(client, "five"))["phase"] == "Failed"
            await made(world, client, "chained-tasks", "six", 6)
            await world.until(client, "six", waits)
            await client.delete(RUNS, world.namespace, "five")
            assert (await world.finished(client, "six"))["phase"] == "Succeeded"


async def test_a_task_starts_as_soon_as_that_of_the_run_before_has_ended_although_the_run_has_not(
    operated: World,
) -> None:
    tasks = {"load": {"wait": {"duration": "3s"}, "waitForPrevious": True}, "beside": {"wait": {"duration": "1h"}}}
    async with operated.client() as client:
        await operated.create(client, DAGS, operated.dag("beside", tasks))
        for day in (1, 2, 3):
            await made(operated, client, "beside", f"beside-{day}", day)

        def ended(status: Body) -> bool:
            return "load" in status.get("attempts", "")

        # Sooner than a run that was not woken polls.
        found = await operated.until(client, "beside-3", ended, seconds=25)
        assert found["status"]["phase"] == "Running"
        ends = []
        for day in (1, 2, 3):
            run = (await client.get(RUNS, operated.namespace, f"beside-{day}"))["status"]
            assert run["phase"] == "Running"
            ends.append(run["attempts"])
            await client.patch(RUNS, operated.namespace, f"beside-{day}", {"spec": {"desiredState": "Terminated"}})
        assert all(text.startswith("load ") for text in ends)


async def test_data_of_a_config_map_are_those_of_the_runs_start(operated: World) -> None:
    tasks = {
        "wait": {"wait": {"duration": "2s"}},
        "read": {
            "dependsOn": ["wait"],
            "forEach": {"items": "$[[ config.shops.names.split(',') ]]"},
            "compute": {"rate": "config.rates.EUR", "shop": "item"},
        },
    }
    config = {"rates": {"configMap": "rates"}, "shops": {"configMap": "shops"}}
    async with operated.client() as client:
        await operated.create(client, CONFIG_MAPS, {"metadata": {"name": "rates"}, "data": {"EUR": "1.08"}})
        name = await operated.start(client, operated.dag("configured", tasks, config=config))

        def misses(status: Body) -> bool:
            return "there is no ConfigMap 'shops'" in status.get("message", "")

        await operated.until(client, name, misses)
        await operated.create(client, CONFIG_MAPS, {"metadata": {"name": "shops"}, "data": {"names": "north,south"}})
        await operated.until(client, name, lambda status: status.get("phase") == "Running")
        await client.patch(CONFIG_MAPS, operated.namespace, "rates", {"data": {"EUR": "2"}})
        status = await operated.finished(client, name)
        assert status["phase"] == "Succeeded", status
        assert status["outputs"]["read[0]"] == {"rate": "1.08", "shop": "north"}
        assert status["outputs"]["read[1]"] == {"rate": "1.08", "shop": "south"}
