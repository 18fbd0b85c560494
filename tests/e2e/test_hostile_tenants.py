"""Hostile inputs in one namespace, small runs in another, one operator for both: what a Kubernetes API server accepts
of such inputs, and what others notice of them. The long form, with its oracles, is in tests/hostile."""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from hostile.arena import FINAL, TESTS
from hostile.campaign import chosen
from hostile.inputs import Input
from hostile.oracles import LIMITS, MEMORY, WHOLE, Machine, exceptions, free_port, memory
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError
from tradewind.kube.resources import BACKFILLS, DAGS, RUNS, TEMPLATES, TRIGGERS, Resource
from worlds.world import Body, World, eventually

KINDS: dict[str, Resource] = {
    "DAG": DAGS,
    "DAGRun": RUNS,
    "Trigger": TRIGGERS,
    "Backfill": BACKFILLS,
    "TaskTemplate": TEMPLATES["TaskTemplate"],
}
GENERATORS = ("names", "texts", "numbers", "depth", "size", "expressions", "regexes", "answers", "listings", "headers")
INPUTS = 300


def some() -> list[Input]:
    """The inputs of each generator whose kinds are checked here."""
    found = chosen(INPUTS, 1, GENERATORS)
    return [each for each in found if all(body["kind"] in KINDS for body in each.objects)]


@pytest.fixture
def web() -> Iterator[str]:
    """The address of the attacker's web server."""
    env = {"PYTHONPATH": str(TESTS)}
    process = subprocess.Popen(
        [sys.executable, "-m", "hostile.web"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env
    )
    assert process.stdout
    yield json.loads(process.stdout.readline())["web"]
    process.kill()
    process.wait()


@pytest.fixture
def worlds(cluster: Any) -> Iterator[tuple[World, World]]:
    """The attacker's namespace, and the bystander's."""
    names = [f"hostile-{who}-{int(time.time()) % 100_000}" for who in ("mallory", "bystander")]
    for path in sorted((Path(__file__).parents[2] / "crds").glob("*.yaml")):
        cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(path))
    for name in names:
        cluster.kubectl("create", "namespace", name)
    yield tuple(World("real", Path(cluster.kubeconfig), name, "/work") for name in names)  # type: ignore[misc]
    for name in names:
        cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.mark.e2e
@pytest.mark.disruptive
@pytest.mark.timeout(600)
async def test_another_namespace_notices_nothing(worlds: tuple[World, World], web: str) -> None:
    mallory, bystander = worlds
    port, found, taken = free_port(), some(), 0
    operator = mallory.start_operator("--namespace", bystander.namespace, "--metrics-port", str(port))
    try:
        async with mallory.client() as client:
            await bystander.create(client, DAGS, bystander.dag("b", {"t": {"compute": {"n": "1 + 1"}}}))
            assert await took(bystander, client, 60) < 60
            others = asyncio.create_task(watched(bystander, client, operator.pid, port))
            for each in found:
                taken += await hand_over(mallory, client, each, web)
            await eventually(lambda: ended(mallory, client))
            others.cancel()
            longest, lag, own, whole, burden = await others
        assert operator.poll() is None
        assert taken > len(found) / 3
        assert longest < LIMITS["bystander"] * burden and lag < LIMITS["lag"] * burden
        assert own < MEMORY and whole < WHOLE
        assert not [
            str(each)
            for each in exceptions(mallory.log.read_text(errors="replace"), {each.name: each for each in found})
        ]
    finally:
        operator.kill()
        operator.wait()


async def hand_over(mallory: World, client: Client, each: Input, web: str) -> int:
    """The number of its objects that the API server accepted."""
    count = 0
    with contextlib.suppress(ApiError):
        for head, data in each.written(web):
            await client.create(KINDS[head["kind"]], mallory.namespace, data)
            count += 1
    return count


async def ended(mallory: World, client: Client) -> bool:
    """Whether all runs have ended. Those that would not end by themselves are terminated."""
    left = [
        run
        for run in (await client.list(RUNS, mallory.namespace))["items"]
        if (run.get("status") or {}).get("phase") not in FINAL
    ]
    for run in left:
        with contextlib.suppress(ApiError):
            await client.patch(
                RUNS, mallory.namespace, run["metadata"]["name"], {"spec": {"desiredState": "Terminated"}}
            )
    return not left


async def took(bystander: World, client: Client, most: float) -> float:
    """Seconds of one small run."""
    began = time.monotonic()
    run = await bystander.start(client, "b")
    status: Body = await bystander.finished(client, run, most)
    assert status["phase"] == "Succeeded"
    return time.monotonic() - began


async def watched(bystander: World, client: Client, pid: int, port: int) -> tuple[float, float, int, int, float]:
    """The longest of the bystander's runs and of the answers of /livez, the maximum memory, and how slow the machine
    was; until cancelled."""
    longest = lag = burden = 0.0
    own = whole = 0
    machine = Machine()
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            machine.look()
            burden = max(burden, machine.burden)
            began = time.monotonic()
            await asyncio.to_thread(lambda: urlopen(f"http://127.0.0.1:{port}/livez", timeout=15).read())
            lag = max(lag, time.monotonic() - began)
            own, whole = max(own, memory(pid, False)), max(whole, memory(pid))
            longest = max(longest, await took(bystander, client, 30))
    return longest, lag, own, whole, burden
