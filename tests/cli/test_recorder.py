"""`tradewind recorder` beside `tradewind operator`: whatever is killed, a run is deleted only when it is on record."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
from tradewind.kube.client import Client
from tradewind.kube.resources import CONFIG_MAPS, DAGS, PODS, RUNS
from tradewind.plan.retention.watermark import NAME
from tradewind.recorder.folder import open_history
from tradewind.recorder.store.database import StoreError
from tradewind.recorder.store.queries import Wanted, every
from worlds.commands import program
from worlds.embedded import embedded
from worlds.world import World

RUNS_MADE = 60


def recorded(folder: Path) -> set[str]:
    try:
        database = open_history(folder)
    except StoreError:
        return set()
    with contextlib.closing(database):
        return {run.row["name"] for run in every(database, Wanted())}


@contextlib.contextmanager
def started(world: World, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    command = [*program(), *arguments, "--namespace", world.namespace, "--kubeconfig", str(world.kubeconfig)]
    with (world.kubeconfig.parent / f"{arguments[0]}.log").open("ab") as log:
        process = subprocess.Popen([*command, "--metrics-port", "0"], stdout=log, stderr=log, env={**os.environ})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(120):
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.05)


async def setting(client: Client, namespace: str) -> None:
    meta = {"metadata": {"name": NAME}}
    await client.create(CONFIG_MAPS, namespace, {"apiVersion": "v1", "kind": "ConfigMap", **meta})
    spec = {"history": {"succeeded": {"limit": 0}}, "tasks": {"a": {"compute": {"x": "1"}}}}
    dag = {"apiVersion": "tradewind.dev/v1alpha1", "kind": "DAG", "metadata": {"name": "d"}, "spec": spec}
    await client.create(DAGS, namespace, dag)


async def make(client: Client, namespace: str, name: str) -> None:
    body = {"apiVersion": "tradewind.dev/v1alpha1", "kind": "DAGRun", "metadata": {"name": name}, "spec": {"dag": "d"}}
    await client.create(RUNS, namespace, body)


async def test_every_run_that_the_operator_deletes_is_on_record_whatever_is_killed(tmp_path: Path) -> None:
    data, chance = tmp_path / "data", random.Random(7)
    with embedded(tmp_path) as worlds:
        world = worlds("shop")
        path = f"shop/{NAME}"
        operator = ("operator", "--recorder", path, "--lease-namespace", "shop", "--identity", "same")
        recorder = ("recorder", "--data", str(data), "--watermark", path, "--port", "0")
        async with world.client() as client:
            await setting(client, "shop")
            with contextlib.ExitStack() as stack:
                running = {name: stack.enter_context(started(world, *name)) for name in (operator, recorder)}

                async def left() -> set[str]:
                    return {item["metadata"]["name"] for item in (await client.list(RUNS, "shop"))["items"]}

                made: set[str] = set()
                for n in range(RUNS_MADE):
                    await make(client, "shop", f"r-{n}")
                    made.add(f"r-{n}")
                    if n % 12 == 11:
                        killed = chance.choice([operator, recorder, recorder])
                        running[killed].send_signal(signal.SIGKILL)
                        running[killed].wait()
                        gone = made - await left()
                        assert gone <= recorded(data)
                        running[killed] = stack.enter_context(started(world, *killed))
                await until(lambda: recorded(data) >= made)

                async def none() -> bool:
                    still = await left()
                    assert made - still <= recorded(data)
                    return not still

                await until(none)
            assert len(recorded(data)) == RUNS_MADE


async def test_without_the_recorder_runs_stay_and_beyond_the_limit_they_go(tmp_path: Path) -> None:
    with embedded(tmp_path) as worlds:
        world = worlds("shop")
        arguments = ("--recorder", f"shop/{NAME}", "--unrecorded-runs", "2", "--lease-namespace", "shop")
        async with world.client() as client:
            await setting(client, "shop")
            for n in range(5):
                await make(client, "shop", f"r-{n}")
            with started(world, "operator", *arguments):

                async def two() -> bool:
                    found = (await client.list(RUNS, "shop"))["items"]
                    assert len(found) >= 2
                    return len(found) == 2

                await until(two)


async def test_a_signal_ends_it_and_what_was_seen_is_written(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with embedded(tmp_path) as worlds:
        world = worlds("shop")
        async with world.client() as client:
            await make(client, "shop", "r")
            await client.patch(RUNS, "shop", "r", {"status": {"phase": "Failed"}}, "status")
            with started(
                world, "recorder", "--data", str(data), "--watermark", f"shop/{NAME}", "--port", "0"
            ) as process:
                await until(lambda: recorded(data))
                process.terminate()
                assert await asyncio.to_thread(process.wait, 60) == 0


def test_a_store_that_can_t_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "history.db").write_text("a file of somebody")
    (tmp_path / "k").write_text(
        orjson.dumps(
            {
                "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "users": [{"name": "u", "user": {}}],
                "current-context": "c",
            }
        ).decode()
    )
    command = [*program(), "recorder", "--data", "data", "--kubeconfig", "k", "--metrics-port", "0"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 1 and "history.db" in done.stderr and "Traceback" not in done.stderr


async def test_a_pod_is_deleted_when_its_log_is_stored_and_the_log_is_kept(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with embedded(tmp_path) as worlds:
        world = worlds("shop")
        path = f"shop/{NAME}"
        operator = ("operator", "--recorder", path, "--recorded-logs", "--lease-namespace", "shop")
        recorder = ("recorder", "--data", str(data), "--watermark", path, "--collect-logs", "--port", "0")
        async with world.client() as client:
            await setting(client, "shop")
            tasks = {
                "a": {"compute": None, "image": "x", "command": ["sh", "-c", "for n in 1 2 3; do echo line $n; done"]}
            }
            spec = {"podRetention": "Never", "tasks": tasks}
            await client.patch(DAGS, "shop", "d", {"spec": spec})
            with started(world, *operator), started(world, *recorder):
                for n in range(4):
                    await make(client, "shop", f"r-{n}")

                async def none() -> bool:
                    pods = (await client.list(PODS, "shop"))["items"]
                    return not pods and not (await client.list(RUNS, "shop"))["items"]

                await until(none)
        for n in range(4):
            command = [*program(), "logs", f"r-{n}", "--data", str(data)]
            shown = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=100)
            assert shown.stdout == "a | line 1\na | line 2\na | line 3\n", shown.stderr
