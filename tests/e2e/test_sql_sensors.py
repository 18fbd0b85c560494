"""Sensors that query a real PostgreSQL server."""

import asyncio
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster.postgres import Postgres, postgres
from tradewind import API_VERSION
from tradewind.cli.manifests import reader
from tradewind.kube.client import Client
from tradewind.kube.labels import TRIGGER
from tradewind.kube.resources import DAGS, PODS, RUNS, SECRETS, TRIGGERS
from worlds.world import Body, World, eventually, secret_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "sensors" / "new-rows.yaml"
ALL = {"succeeded": {"limit": 1_000}}


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[Postgres]:
    """One per world: tables of one must not appear in the other."""
    with postgres() as started:
        yield started


async def secret(world: World, client: Client, server: Postgres, name: str, **other: str) -> None:
    keys = {"username": server.user, "password": server.password, **other}
    await world.create(client, SECRETS, secret_of(name, keys))


def sql(server: Postgres, secret: str, query: str, **more: Any) -> Body:
    where = {"host": "127.0.0.1", "port": server.port, "database": server.database, "sslMode": "disable"}
    return {"sql": {**where, "secretName": secret, "query": query, **more}, "interval": "1s"}


async def runs(world: World, client: Client, name: str) -> list[Body]:
    found = await client.list(RUNS, world.namespace, labelSelector=f"{TRIGGER}={name}")
    return list(found["items"])


async def test_each_row_makes_one_run_also_when_the_operator_is_killed(world: World, server: Postgres) -> None:
    server.run("CREATE TABLE orders (id bigint PRIMARY KEY, total numeric, placed timestamptz DEFAULT now())")
    async with world.client() as client:
        await secret(world, client, server, "orders")
        params = {"id": {"type": "integer"}, "placed": {"type": "string"}}
        tasks = {"a": {"compute": {"id": "params.id"}}}
        await world.create(client, DAGS, world.dag("order", tasks, params=params, history=ALL))
        # Late rows are among those that are queried again.
        query = "SELECT * FROM orders WHERE id > $1 - 10 ORDER BY id LIMIT 30"
        sensor = {
            **sql(server, "orders", query, parameters=["$[[ cursor == '' ? 0 : cursor ]]"]),
            "items": "rows",
            "key": "item.id",
            "cursor": "rows[count - 1].id",
        }
        spec = {
            "dag": "order",
            "sensor": sensor,
            "when": "item.total > 0.5",
            "params": {"id": "$[[ item.id ]]", "placed": "$[[ item.placed ]]"},
        }
        body = {"apiVersion": API_VERSION, "kind": "Trigger", "metadata": {"name": "orders"}, "spec": spec}
        await world.create(client, TRIGGERS, body)
        for turn in range(3):
            first = turn * 40
            server.run(
                f"INSERT INTO orders SELECT n, (n % 4) / 2.0 FROM generate_series({first + 1}, {first + 40}) AS n"
                f" WHERE n <> {first + 35}"
            )
            process = world.start_operator("--read-secrets")
            try:

                async def more(turn: int = turn) -> bool:
                    return len(await runs(world, client, "orders")) >= (turn * 20 + 5 if turn < 2 else 57)

                await eventually(more)
                if turn == 2:
                    server.run("INSERT INTO orders VALUES (115, 2)")  # late

                    async def late() -> bool:
                        status = (await client.get(TRIGGERS, world.namespace, "orders"))["status"]
                        made = len(await runs(world, client, "orders"))
                        return made == 58 and status["sensor"]["cursor"] == 120

                    await eventually(late)
            finally:
                process.kill()
                process.wait()
        made = await runs(world, client, "orders")
        wanted = [n for n in range(1, 121) if (n % 4 > 1 and n not in (35, 75)) or n == 115]
        assert sorted(run["spec"]["params"]["id"] for run in made) == wanted
        assert all(run["spec"]["params"]["placed"].endswith("+00:00") for run in made)
        status = (await client.get(TRIGGERS, world.namespace, "orders"))["status"]
        assert status["sensor"]["cursor"] == 120 and server.password not in json.dumps(status)
        assert (await client.list(PODS, world.namespace))["items"] == []


async def test_a_row_added_to_a_table_makes_a_run(reading: World, server: Postgres) -> None:
    """The example, with this server's address in it."""
    server.run("CREATE DATABASE shop")
    shop = dataclasses.replace(server, database="shop")
    shop.run("CREATE TABLE orders (id bigserial PRIMARY KEY, total numeric)")
    async with reading.client() as client:
        await secret(reading, client, server, "shop-reader")
        for document in reader.load(str(EXAMPLE)):
            if document.kind == "DAG":
                await reading.create(client, DAGS, document.body)
            if document.kind == "Trigger":
                sensor = document.body["spec"]["sensor"]
                sensor["sql"] |= {"host": "127.0.0.1", "port": server.port, "sslMode": "disable"}
                sensor["interval"] = "1s"
                await reading.create(client, TRIGGERS, document.body)

        async def made(count: int) -> Any:
            found = await runs(reading, client, "new-rows")
            return found if len(found) >= count else None

        await asyncio.to_thread(shop.run, "INSERT INTO orders (total) VALUES (10), (0), (2.5)")
        await eventually(lambda: made(2))
        await asyncio.to_thread(shop.run, "INSERT INTO orders (total) VALUES (30)")
        found = await eventually(lambda: made(3))
        ended = {
            run["spec"]["params"]["order"]: await reading.finished(client, run["metadata"]["name"]) for run in found
        }
        due = {order: status["outputs"]["tax"]["due"] for order, status in ended.items()}
        assert due == {1: 2, 3: 0.5, 4: 6}


async def test_a_task_waits_until_a_row_is_there_and_hands_it_on(reading: World, server: Postgres) -> None:
    server.run("CREATE TABLE days (day date, total numeric, closed boolean)")
    server.run("INSERT INTO days VALUES ('2026-01-30', 1, true), ('2026-01-31', 2, false)")
    async with reading.client() as client:
        await secret(reading, client, server, "days")
        query = "SELECT day, total, closed FROM days WHERE day = $1"
        tasks = {
            "closed": {
                "sensor": {
                    **sql(server, "days", query, parameters=["$[[ params.day ]]"]),
                    "until": "count == 1 && rows[0].closed",
                }
            },
            "use": {"dependsOn": ["closed"], "compute": {"total": "tasks.closed.outputs.rows[0].total"}},
        }
        dag = reading.dag("closes", tasks, params={"day": {"type": "string"}})
        run = await reading.start(client, dag, day="2026-01-31")
        found = await reading.until(client, run, lambda status: status.get("waiting"))
        words = f"holds for the query of 127.0.0.1:{server.port}/postgres, asked every 1s"
        assert found["status"]["waiting"][0]["message"].endswith(words)
        await asyncio.to_thread(server.run, "UPDATE days SET closed = true")
        status = await reading.finished(client, run)
        assert status["phase"] == "Succeeded", status
        row = {"day": "2026-01-31", "total": 2, "closed": True}
        assert status["outputs"]["closed"] == {"count": 1, "rows": [row]}
        assert status["outputs"]["use"] == {"total": 2}
        assert await reading.pods(client, run) == []


async def test_what_is_wrong_with_a_query_is_said_without_the_password(reading: World, server: Postgres) -> None:
    server.run("CREATE TABLE kept AS SELECT 1 AS n")
    server.run("CREATE FUNCTION takes_away() RETURNS int LANGUAGE sql AS 'DELETE FROM kept RETURNING n'")
    async with reading.client() as client:
        await secret(reading, client, server, "right")
        await secret(reading, client, server, "wrong", password="s3cret")
        wanted = {
            "absent": (sql(server, "nobody", "SELECT 1"), "there is no Secret nobody with a key 'password': create it"),
            "password": (sql(server, "wrong", "SELECT 1"), 'password authentication failed for user "tester"'),
            "table": (sql(server, "right", "SELECT * FROM no_table"), 'relation "no_table" does not exist'),
            "writes": (sql(server, "right", "SELECT takes_away()"), "cannot execute DELETE in a read-only transaction"),
            "rows": (sql(server, "right", "SELECT generate_series(1, 1001)"), "more than 1,000 rows: add a LIMIT"),
            "size": (sql(server, "right", "SELECT repeat('x', 70000)"), "more than 64 KiB: ask for less"),
            "slow": (
                sql(server, "right", "SELECT pg_sleep(60)", timeout="200ms"),
                "no answer within 0.2 s (sql.timeout)",
            ),
        }
        tasks = {name: {"sensor": sensor} for name, (sensor, _) in wanted.items()}
        run = await reading.start(client, reading.dag("wrong-queries", tasks))
        found = await reading.until(
            client,
            run,
            lambda status: [item["reason"] for item in status.get("waiting") or []] == ["SensorError"] * len(wanted),
        )
        said = {item["task"]: item["message"] for item in found["status"]["waiting"]}
        for name, (_, words) in wanted.items():
            assert words in said[name], said[name]
        told = json.dumps(found) + str(await reading.events(client, run)) + reading.log.read_text()
        assert "s3cret" not in told and server.password not in told
        await client.patch(RUNS, reading.namespace, run, {"spec": {"desiredState": "Cancelled"}})
        assert (await reading.finished(client, run))["phase"] == "Cancelled"


async def test_a_trigger_says_why_its_query_makes_no_runs(reading: World, server: Postgres) -> None:
    async with reading.client() as client:
        await secret(reading, client, server, "later")
        await reading.create(client, DAGS, reading.dag("later", {"a": {"compute": {"n": "1"}}}))
        sensor = {**sql(server, "later", "SELECT n FROM later"), "items": "rows", "key": "item.n"}
        sensor["cursor"] = "rows[count - 1].n"  # there is none while there are no rows
        spec = {"dag": "later", "sensor": sensor}
        body = {"apiVersion": API_VERSION, "kind": "Trigger", "metadata": {"name": "later"}, "spec": spec}
        await reading.create(client, TRIGGERS, body)

        async def says(phase: str, words: str) -> bool:
            status = (await client.get(TRIGGERS, reading.namespace, "later")).get("status") or {}
            return status.get("phase") == phase and words in status.get("message", "")

        await eventually(lambda: says("Waiting", 'relation "later" does not exist'))
        await asyncio.to_thread(server.run, "CREATE TABLE later (n int)")
        await eventually(lambda: says("Active", ""))
        assert await runs(reading, client, "later") == []
        await asyncio.to_thread(server.run, "INSERT INTO later VALUES (7)")

        async def made() -> bool:
            return len(await runs(reading, client, "later")) == 1

        await eventually(made)
