"""Sensors as tasks: they wait for something outside, hold no pod, and outlive the operator."""

import asyncio
import time

from tradewind import API_VERSION
from tradewind.control.dagrun.run import read_run
from tradewind.kube.client import Client
from tradewind.kube.resources import CONFIG_MAPS, DAGS, RUNS
from worlds.webserver import web_server
from worlds.world import Body, World, eventually


def sensor(url: str, **more: object) -> Body:
    return {"sensor": {"http": {"url": url}, "interval": "1s", **more}}


async def waits(world: World, client: Client, run: str, words: str) -> Body:
    """What the run reports to wait for, once it contains some words."""
    found = await world.until(
        client, run, lambda status: any(words in item["message"] for item in status.get("waiting") or [])
    )
    return dict(found["status"]["waiting"][0])


async def test_a_sensor_waits_without_a_pod_and_hands_on_what_it_found(operated: World) -> None:
    async with operated.client() as client, web_server() as server:
        server.answers["/feed"] = (200, {"day": "2026-01-30"})
        tasks = {
            "day": {"compute": {"wanted": "'2026-01-31'"}},
            "feed": {
                "dependsOn": ["day"],
                **sensor(
                    server.url + "/feed?key=s3cret", until="status == 200 && body.day == tasks.day.outputs.wanted"
                ),
            },
            "use": {"dependsOn": ["feed"], "compute": {"day": "tasks.feed.outputs.body.day"}},
        }
        run = await operated.start(client, operated.dag("awaits", tasks))
        told = await waits(operated, client, run, "waits until")
        assert told["reason"] == "Sensor"
        assert told["message"] == (
            "waits until `status == 200 && body.day == tasks.day.outputs.wanted` holds for GET"
            f" {server.url}/feed, asked every 1s"
        )
        server.answers["/feed"] = (200, {"day": "2026-01-31"})
        status = await operated.finished(client, run)
        assert status["phase"] == "Succeeded" and status["outputs"]["use"] == {"day": "2026-01-31"}
        assert await operated.pods(client, run) == []


async def test_a_sensor_whose_time_is_over_fails_or_is_skipped(operated: World) -> None:
    async with operated.client() as client, web_server() as server:
        server.answers["/down"] = (503, None)
        tasks = {
            "hard": {**sensor(server.url + "/absent", timeout="2s"), "retries": {"limit": 3}, "allowFailure": True},
            "down": {**sensor(server.url + "/down", timeout="2s"), "allowFailure": True},
            "soft": sensor(server.url + "/absent", timeout="2s", softFail=True),
            "after": {"dependsOn": ["soft"], "compute": {"n": "1"}},
        }
        status = await operated.result(client, operated.dag("late", tasks))
        assert status["phase"] == "Succeeded", status
        said = {item["task"]: (item["attempt"], item["reason"], item["message"]) for item in status["failures"]}
        assert said == {
            "hard": (1, "SensorTimeout", "nothing was found within 2s"),
            "down": (
                1,
                "SensorTimeout",
                f"nothing was found within 2s; the last poll: GET {server.url}/down: answered 503",
            ),
        }
        skips = {item["task"] for item in status["skips"]}
        assert skips == {"soft", "after"}


async def test_a_sensor_polls_on_after_the_operators_death_and_its_time_goes_on(world: World) -> None:
    async with world.client() as client, web_server() as server:
        with world.operator():
            tasks = {
                "there": sensor(server.url + "/there", timeout="1h"),
                "gone": {**sensor(server.url + "/gone", timeout="4s"), "allowFailure": True},
            }
            run = await world.start(client, world.dag("survives", tasks))
            await waits(world, client, run, "waits until")

            async def asked() -> bool:
                return server.times("/there") > 1 and server.times("/gone") > 1

            await eventually(asked)
            began = time.time()  # at the latest
        await asyncio.sleep(4)  # the timeout of one of them expires
        server.answers["/there"] = (200, "now")
        with world.operator():
            status = await world.finished(client, run)
        assert status["phase"] == "Succeeded" and status["outputs"]["there"] == {"status": 200, "body": "now"}
        lines = dict(line.split(" ", 1) for line in status["attempts"].splitlines())
        assert "#" not in lines["there"] and "#" not in lines["gone"], "both are first attempts"
        created = read_run(await client.get(RUNS, world.namespace, run)).created
        start = created + int(lines["gone"].split()[0].partition("+")[0])
        assert start <= began, "its time counts from its real start"


async def test_why_a_sensor_cannot_tell_is_said_without_secrets(operated: World) -> None:
    async with operated.client() as client, web_server() as server:
        url = server.url.replace("http://", "http://ada:s3cret@")
        server.answers["/odd"] = (200, {"other": "s3cret"})
        tasks = {
            "odd": sensor(url + "/odd?key=s3cret", until="body.ready"),
            "wanted": {
                "sensor": {
                    "http": {"url": server.url + "/wanted", "headers": {"Authorization": "Bearer $(TOKEN)"}},
                    "interval": "1s",
                },
                "envFrom": {"TOKEN": {"secretKeyRef": {"name": "none", "key": "token"}}},
            },
        }
        run = await operated.start(client, operated.dag("unclear", tasks))
        found = await operated.until(
            client, run, lambda status: [item["reason"] for item in status.get("waiting") or []] == ["SensorError"] * 2
        )
        status = found["status"]
        messages = {item["task"]: item["message"] for item in status["waiting"]}
        assert messages["odd"].startswith("`body.ready`: there is no key 'ready'")
        words = "the operator may not read Secrets and ConfigMaps: install it with http.readSecrets=true"
        assert messages["wanted"].startswith(words)
        assert "s3cret" not in str(status)
        progressing = next(item for item in status["conditions"] if item["type"] == "Progressing")
        assert progressing["status"] == "False" and progressing["reason"] == "SensorError"


async def test_a_sensor_waits_for_a_run_of_another_dag_with_the_same_logical_date(operated: World) -> None:
    async with operated.client() as client:
        other = operated.dag("other", {"a": {"compute": {"n": "42"}}}, outputs={"n": "tasks.a.outputs.n"})
        await operated.create(client, DAGS, other)
        tasks = {
            "same": {"sensor": {"run": {"dag": "other"}, "interval": "1s"}},
            "any": {"sensor": {"run": {"dag": "other", "logicalDate": ""}, "interval": "1s"}},
        }
        await operated.create(client, DAGS, operated.dag("follows", tasks))

        async def run(dag: str, name: str, date: str) -> None:
            body = {"apiVersion": API_VERSION, "kind": "DAGRun", "metadata": {"name": name}}
            await operated.create(client, RUNS, {**body, "spec": {"dag": dag, "logicalDate": date}})

        await run("other", "another-day", "2026-01-30T06:00:00Z")
        await operated.finished(client, "another-day")
        await run("follows", "follower", "2026-01-31T06:00:00Z")
        found = await operated.until(client, "follower", lambda status: "any" in (status.get("outputs") or {}))
        assert found["status"]["outputs"]["any"]["name"] == "another-day"
        assert "same" not in found["status"]["outputs"]
        await run("other", "the-day", "2026-01-31T07:00:00+01:00")
        status = await operated.finished(client, "follower")
        assert status["outputs"]["same"] == {"phase": "Succeeded", "name": "the-day", "results": {"n": 42}}


async def test_a_sensor_waits_for_a_task_of_another_run_while_that_is_active_and_after_its_end(world: World) -> None:
    async with world.client() as client:
        tasks = {"a": {"compute": {"n": "42"}}, "b": {"approval": {}}, "c": {"when": "false", "compute": {"n": "1"}}}
        await world.create(client, DAGS, world.dag("parts", tasks))

        def waits_for(task: str, until: str = "") -> Body:
            poll = {"dag": "parts", "logicalDate": "", "task": task}
            return {"sensor": {"run": poll, "interval": "1s", **({"until": until} if until else {})}}

        follows = {"a": waits_for("a"), "b": waits_for("b", "state != ''"), "c": waits_for("c", "state == 'Skipped'")}
        await world.create(client, DAGS, world.dag("follows-parts", follows))
        with world.operator():
            other = await world.start(client, "parts")
            run = await world.start(client, "follows-parts")
            found = await world.until(client, run, lambda status: {"a", "c"} <= (status.get("outputs") or {}).keys())
        assert found["status"]["outputs"]["a"] == {
            "phase": "Running",
            "name": other,
            "results": {},
            "state": "Succeeded",
        }
        assert "b" not in found["status"]["outputs"]
        with world.operator():  # another process, which learns of the active run from its status and its objects
            await client.patch(RUNS, world.namespace, other, {"spec": {"desiredState": "Cancelled"}})
            status = await world.finished(client, run)
            assert status["outputs"]["b"]["state"] == "Cancelled" and status["phase"] == "Succeeded"
            late = await world.finished(client, await world.start(client, "follows-parts"))
        assert late["outputs"]["a"]["state"] == "Succeeded" and late["outputs"]["a"]["phase"] == "Cancelled"


async def test_a_sensor_waits_for_an_object_and_its_condition(operated: World) -> None:
    async with operated.client() as client:
        names = {"apiVersion": "v1", "kind": "ConfigMap", "name": "$[[ run.name ]]-ready"}
        done = {"apiVersion": API_VERSION, "kind": "DAGRun", "name": "awaited", "condition": "Succeeded"}
        tasks = {
            "there": {"sensor": {"object": names, "until": "found && object.data.n == '2'", "interval": "1s"}},
            "done": {"sensor": {"object": done, "interval": "1s"}},
            "none": {
                "sensor": {"object": {**names, "kind": "Nonsense"}, "interval": "1s", "timeout": "2s"},
                "allowFailure": True,
            },
        }
        run = await operated.start(client, operated.dag("awaits-object", tasks))
        await operated.until(client, run, lambda status: status.get("failed") == 1)
        data = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"{run}-ready"}, "data": {"n": "2"}}
        await operated.create(client, CONFIG_MAPS, data)
        await operated.start(client, operated.dag("awaited", {"a": {"wait": {"duration": "1s"}}}), "awaited")
        status = await operated.finished(client, run)
        assert status["phase"] == "Succeeded", status
        assert status["outputs"]["there"]["object"]["metadata"]["name"] == f"{run}-ready"
        assert status["outputs"]["done"]["object"]["status"]["phase"] == "Succeeded"
        (failure,) = status["failures"]
        words = "the API server has no kind Nonsense in v1: see `kubectl api-resources`"
        assert failure["message"] == f"nothing was found within 2s; the last poll: {words}"


async def test_a_sensor_that_is_retried_by_hand_has_its_time_again(operated: World) -> None:
    async with operated.client() as client, web_server() as server:
        tasks = {"a": sensor(server.url + "/late", timeout="3s")}
        run = await operated.start(client, operated.dag("again", tasks))
        assert (await operated.finished(client, run))["phase"] == "Failed"
        asked = server.times("/late")
        await client.patch(RUNS, operated.namespace, run, {"spec": {"retryFailed": 1}})

        async def more() -> bool:
            return server.times("/late") >= asked + 2

        await eventually(more)
        server.answers["/late"] = (200, None)
        await operated.until(client, run, lambda status: status.get("phase") == "Succeeded")
