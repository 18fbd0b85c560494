"""Sensors that poll a bucket of a real S3-compatible server."""

import asyncio
import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster.objectstore import ObjectStore, object_store
from tradewind.cli.manifests import reader
from tradewind.kube.client import Client
from tradewind.kube.labels import TRIGGER
from tradewind.kube.resources import DAGS, RUNS, SECRETS, TRIGGERS
from tradewind.tasks.s3 import Bucket
from worlds.world import Body, World, eventually, secret_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "sensors" / "dropped-files.yaml"
ALL = {"succeeded": {"limit": 1_000}}
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]  # the server is built the first time


@pytest.fixture(scope="module")
def server(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """One per world: objects of one must not appear in the other."""
    with object_store(tmp_path_factory.mktemp("s3")) as started:
        yield started


async def secret(world: World, client: Client, server: ObjectStore, name: str, **other: str) -> None:
    keys = {"accessKey": server.access, "secretKey": server.secret, **other}
    await world.create(client, SECRETS, secret_of(name, keys))


def drop(server: ObjectStore, key: str, text: str) -> None:
    """Uploads a file."""
    data = text.encode()
    store = Bucket(server.endpoint(), server.bucket, "", "us-east-1", server.access, server.secret)
    store.put(key, io.BytesIO(data), len(data), hashlib.sha256(data).hexdigest())


def bucket(server: ObjectStore, name: str, **more: Any) -> Body:
    where = {"endpoint": server.endpoint(), "bucket": server.bucket, "secretName": name, **more}
    return {"bucket": where, "interval": "1s"}


async def runs(world: World, client: Client, name: str) -> list[Body]:
    found = await client.list(RUNS, world.namespace, labelSelector=f"{TRIGGER}={name}")
    return list(found["items"])


async def test_many_files_get_a_run_each_also_when_the_operator_is_killed(world: World, server: ObjectStore) -> None:
    async with world.client() as client:
        await secret(world, client, server, "many")
        tasks = {"a": {"compute": {"key": "params.key"}}}
        await world.create(client, DAGS, world.dag("many", tasks, params={"key": {"type": "string"}}, history=ALL))
        for name, ordered in (("any-order", False), ("in-order", True)):
            sensor = bucket(server, "many", prefix=f"{name}/", ordered=ordered, existing=True)
            spec = {"dag": "many", "params": {"key": "$[[ object.key ]]"}, "sensor": sensor}
            body = {"apiVersion": "tradewind.dev/v1alpha1", "kind": "Trigger", "metadata": {"name": name}, "spec": spec}
            await world.create(client, TRIGGERS, body)
        for turn in range(3):
            for number in range(turn * 40, turn * 40 + 40):
                for name in ("any-order", "in-order"):
                    drop(server, f"{name}/{number:04}", str(number))
            process = world.start_operator("--read-secrets")
            try:

                async def more(turn: int = turn) -> bool:
                    counts = [len(await runs(world, client, name)) for name in ("any-order", "in-order")]
                    return min(counts) >= (turn * 40 + 10 if turn < 2 else 120)

                await eventually(more)
            finally:
                process.kill()
                process.wait()
        for name in ("any-order", "in-order"):
            keys = sorted(run["spec"]["params"]["key"] for run in await runs(world, client, name))
            assert keys == [f"{name}/{number:04}" for number in range(120)]


async def test_a_file_dropped_into_a_bucket_makes_a_run(reading: World, server: ObjectStore) -> None:
    """The example, with this server's address in it."""
    async with reading.client() as client:
        drop(server, "inbox/before.csv", "was,there")
        await asyncio.sleep(2)  # times in a bucket are in seconds
        await secret(reading, client, server, "inbox")
        for document in reader.load(str(EXAMPLE)):
            if document.kind == "DAG":
                await reading.create(client, DAGS, document.body)
            if document.kind == "Trigger":
                sensor = document.body["spec"]["sensor"]
                sensor["bucket"] |= {"endpoint": server.endpoint(), "bucket": server.bucket}
                sensor["interval"] = "1s"
                await reading.create(client, TRIGGERS, document.body)

        async def made(count: int) -> Any:
            found = await runs(reading, client, "dropped-files")
            return found if len(found) >= count else None

        drop(server, "elsewhere/no.csv", "1,2")
        drop(server, "inbox/ü & more.csv", "a,b")
        drop(server, "inbox/empty.csv", "")
        drop(server, "inbox/b.csv", "c,d")
        found = await eventually(lambda: made(2))
        drop(server, "inbox/a.csv", "its name sorts before the others")
        found = await eventually(lambda: made(3))
        for run in found:
            assert (await reading.finished(client, run["metadata"]["name"]))["phase"] == "Succeeded"
        keys = sorted(run["spec"]["params"]["key"] for run in found)
        assert keys == ["inbox/a.csv", "inbox/b.csv", "inbox/ü & more.csv"]
        status = (await client.get(TRIGGERS, reading.namespace, "dropped-files"))["status"]
        assert status["phase"] == "Active" and server.secret not in json.dumps(status)


async def test_a_task_waits_for_an_object(reading: World, server: ObjectStore) -> None:
    async with reading.client() as client:
        await secret(reading, client, server, "task")
        tasks = {
            "one": {"sensor": bucket(server, "task", key="ready/flag")},
            "three": {"sensor": {**bucket(server, "task", prefix="ready/"), "until": "count == 3"}},
        }
        run = await reading.start(client, reading.dag("awaits-objects", tasks))
        await reading.until(client, run, lambda status: len(status.get("waiting") or []) == 2)
        drop(server, "ready/flags", "not the same")
        drop(server, "ready/a", "")
        drop(server, "ready/flag", "12345")
        status = await reading.finished(client, run)
        assert status["phase"] == "Succeeded", status
        assert [item["size"] for item in status["outputs"]["one"]["objects"]] == [5]
        assert status["outputs"]["three"]["count"] == 3


async def test_what_is_wrong_with_a_bucket_is_said(reading: World, server: ObjectStore) -> None:
    async with reading.client() as client:
        await secret(reading, client, server, "right")
        await secret(reading, client, server, "wrong", secretKey="of somebody else")
        tasks = {
            "absent": {"sensor": bucket(server, "nobody", prefix="x")},
            "keys": {"sensor": bucket(server, "wrong", prefix="x")},
            "bucket": {"sensor": bucket(server, "right", prefix="x")},
        }
        tasks["bucket"]["sensor"]["bucket"]["bucket"] = "no-such-bucket"
        run = await reading.start(client, reading.dag("wrong-buckets", tasks))
        found = await reading.until(
            client, run, lambda status: [item["reason"] for item in status.get("waiting") or []] == ["SensorError"] * 3
        )
        said = {item["task"]: item["message"] for item in found["status"]["waiting"]}
        assert said["absent"].startswith("there is no Secret nobody with a key 'accessKey': create it")
        assert "answers 403 SignatureDoesNotMatch" in said["keys"]
        assert "answers 404 NoSuchBucket" in said["bucket"]
        await client.patch(RUNS, reading.namespace, run, {"spec": {"desiredState": "Cancelled"}})
        assert (await reading.finished(client, run))["phase"] == "Cancelled"
