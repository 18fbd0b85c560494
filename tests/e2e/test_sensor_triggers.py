"""Sensors as triggers: a run for each finding, once, whatever happens to the operator."""

import asyncio
from typing import Any

from tradewind import API_VERSION
from tradewind.kube.client import Client
from tradewind.kube.labels import HOW, TRIGGER
from tradewind.kube.resources import DAGS, PODS, RUNS, TRIGGERS
from worlds.webserver import web_server
from worlds.world import Body, World, eventually, printed

DAG: Body = {"params": {"id": {"type": "integer"}}, "tasks": {"a": {"compute": {"id": "params.id"}}}}


def trigger(name: str, sensor: Body, **spec: Any) -> Body:
    spec = {"dag": "each", "sensor": {"interval": "1s", **sensor}, **spec}
    return {"apiVersion": API_VERSION, "kind": "Trigger", "metadata": {"name": name}, "spec": spec}


async def runs(world: World, client: Client, name: str) -> list[Body]:
    found = await client.list(RUNS, world.namespace, labelSelector=f"{TRIGGER}={name}")
    return list(found["items"])


async def told(world: World, client: Client, name: str) -> Body:
    return dict((await client.get(TRIGGERS, world.namespace, name)).get("status") or {})


async def test_each_item_makes_one_run_also_when_the_operator_is_killed(world: World) -> None:
    async with world.client() as client, web_server() as server:
        await world.create(client, DAGS, world.dag("each", DAG["tasks"], params=DAG["params"]))
        feed = {
            "http": {"url": server.url + "/feed?after=$[[ cursor ]]"},
            "items": "body.items",
            "key": "item.id",
            "cursor": "body.latest",
        }
        await world.create(
            client, TRIGGERS, trigger("feed", feed, when="item.size > 0", params={"id": "$[[ item.id ]]"})
        )
        for turn in range(3):
            # Each answer repeats earlier items, as feeds do.
            items = [{"id": number, "size": number % 4} for number in range(turn * 6 + 12)]
            server.answers["/feed"] = (200, {"items": items, "latest": f"t{turn}"})
            with world.operator():  # killed at the end, in the middle of whatever it does

                async def more(turn: int = turn) -> bool:
                    return len(await runs(world, client, "feed")) >= (turn + 1) * 4

                await eventually(more)
        with world.operator():

            async def all_made() -> bool:
                made = len(await runs(world, client, "feed"))
                return made == 18 and (await told(world, client, "feed")).get("sensor", {}).get("cursor") == "t2"

            await eventually(all_made)
            asked = server.times("/feed")

            async def quiet() -> bool:
                return server.times("/feed") >= asked + 3

            await eventually(quiet)
        found = await runs(world, client, "feed")
        assert sorted(run["spec"]["params"]["id"] for run in found) == [n for n in range(24) if n % 4]
        assert {run["metadata"]["labels"][HOW] for run in found} == {"sensor"}
        assert server.asked[0][0] == "/feed?after=" and server.asked[-1][0] == "/feed?after=t2"
        assert (await client.list(PODS, world.namespace))["items"] == []


async def test_an_answer_with_the_same_key_makes_no_second_run(operated: World) -> None:
    async with operated.client() as client, web_server() as server:
        await operated.create(client, DAGS, operated.dag("versions", DAG["tasks"], params=DAG["params"]))
        version = {"http": {"url": server.url + "/version"}, "key": "body.version"}
        body = trigger("version", version, params={"id": "$[[ body.version ]]"})
        body["spec"]["dag"] = "versions"
        await operated.create(client, TRIGGERS, body)

        async def polled(more: int) -> None:
            asked = server.times("/version")

            async def again() -> bool:
                return server.times("/version") >= asked + more

            await eventually(again)

        await polled(2)
        assert await runs(operated, client, "version") == [], "404: there is nothing yet"
        for number in (1, 1, 2):
            server.answers["/version"] = (200, {"version": number})
            await polled(3)
        made = await runs(operated, client, "version")
        assert sorted(run["spec"]["params"]["id"] for run in made) == [1, 2]
        for run in made:  # as a history would
            await client.delete(RUNS, operated.namespace, run["metadata"]["name"])
        await polled(3)
        assert await runs(operated, client, "version") == [], "the status knows the key when the run is gone"
        shown = await asyncio.to_thread(printed, operated, "get", "triggers")
        assert "version" in shown and "sensor" in shown


async def test_why_a_trigger_does_not_move_is_said_in_its_status(operated: World) -> None:
    async with operated.client() as client, web_server() as server:
        await operated.create(client, DAGS, operated.dag("unmoved", DAG["tasks"], params=DAG["params"]))
        sensor = {
            "http": {"url": server.url + "/sick?key=s3cret", "headers": {"Authorization": "Bearer $(TOKEN)"}},
            "key": "body.version",
        }
        body = trigger("sick", sensor, params={"id": 1})
        body["spec"]["dag"] = "unmoved"
        server.answers["/sick"] = (401, None)
        await operated.create(client, TRIGGERS, body)

        async def says(phase: str, words: str) -> bool:
            status = await told(operated, client, "sick")
            return status.get("phase") == phase and words in status.get("message", "")

        await eventually(lambda: says("Waiting", f"GET {server.url}/sick: answered 401"))
        server.answers["/sick"] = (200, {})
        await eventually(lambda: says("Waiting", "spec.sensor.key: "))
        server.answers["/sick"] = (404, {})
        await eventually(lambda: says("Active", ""))
        assert "s3cret" not in str(await told(operated, client, "sick"))
        events = await operated.events(client, "sick")
        assert any(reason == "TriggerWaits" and "answered 401" in message for reason, message in events)
