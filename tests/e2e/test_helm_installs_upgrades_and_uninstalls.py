"""The operator inside the cluster, installed by real Helm, as its own service account."""

import asyncio
import json
import secrets
from pathlib import Path
from typing import Any

import pytest
from e2e.test_leave_forecast_on_a_cluster import EXPECTED, prepare
from tradewind.kube.resources import DAGS
from worlds.real import real
from worlds.world import World, eventually

CHART = Path(__file__).parents[2] / "charts" / "tradewind"
SLEEPER = 'echo x >> "$WORK/$RUN"; sleep 20; echo "{\\"ran\\": $(wc -l < "$WORK/$RUN")}" > $TRADEWIND_OUTPUTS'


@pytest.mark.e2e
@pytest.mark.timeout(400)
async def test_the_main_example_runs_and_running_tasks_survive_an_upgrade(cluster: Any) -> None:
    cluster.load_image("operator")
    with real(cluster, f"helm-{secrets.token_hex(2)}") as world:
        await asyncio.to_thread(helm, cluster, world, "install", "--take-ownership")
        try:
            _confined(cluster, world)
            await _example(cluster, world)
            await _upgrade(cluster, world)
            for replicas in (2, 1):
                await asyncio.to_thread(helm, cluster, world, "upgrade", "--set", f"replicas={replicas}")
                assert _replicas(cluster, world) == replicas
        finally:
            cluster.helm("uninstall", "tradewind", "-n", world.namespace, "--wait")
        crds = cluster.kubectl("get", "crds", "-o", "name")
        assert "dags.tradewind.dev" in crds and "dagruns.tradewind.dev" in crds, "CRDs are kept"
        assert "tradewind" not in cluster.kubectl("get", "deployments", "-n", world.namespace, "-o", "name")


def helm(cluster: Any, world: World, verb: str, *more: str) -> None:
    namespaces = "watchNamespaces={" + world.namespace + "}"
    cluster.helm(
        verb, "tradewind", str(CHART), "-n", world.namespace, "--set", namespaces, "--wait", "--timeout", "90s", *more
    )


def _replicas(cluster: Any, world: World) -> int:
    found = cluster.kubectl("get", "deployment", "tradewind", "-n", world.namespace, "-o", "jsonpath={.spec.replicas}")
    return int(found)


def _confined(cluster: Any, world: World) -> None:
    """What its service account may and may not do."""
    account = f"system:serviceaccount:{world.namespace}:tradewind"

    def may(*what: str, namespace: str = world.namespace) -> bool:
        try:
            return cluster.kubectl("auth", "can-i", *what, "-n", namespace, f"--as={account}").strip() == "yes"
        except Exception:
            return False

    assert may("create", "pods") and may("patch", "dagruns.tradewind.dev", "--subresource=status")
    assert not any(
        may(*what)
        for what in [
            ("get", "secrets"),
            ("delete", "dags.tradewind.dev"),
            ("create", "pods", "--subresource=exec"),
            ("get", "pods", "--subresource=log"),
        ]
    )
    assert not may("create", "pods", namespace="default") and not may("list", "pods", namespace="kube-system")
    pod = json.loads(
        cluster.kubectl("get", "pods", "-n", world.namespace, "-l", "app.kubernetes.io/name=tradewind", "-o", "json")
    )["items"][0]
    assert pod["spec"]["serviceAccountName"] == "tradewind"
    assert pod["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True


async def _example(cluster: Any, world: World) -> None:
    prepare(cluster, world.namespace)
    async with world.client() as client:
        name = await world.start(client, "leave-forecast", region="east")
        status = await world.finished(client, name, 200)
        assert status["phase"] == "Succeeded", status
        assert status["outputs"]["publish"] == {"file": "leave-forecast-east-2026.csv", **EXPECTED["east"]}


async def _upgrade(cluster: Any, world: World) -> None:
    env = {"WORK": world.work, "RUN": "$[[ run.name ]]"}
    async with world.client() as client:
        await world.create(client, DAGS, world.dag("sleeper", {"a": {"env": env, "script": {"shell": SLEEPER}}}))
        name = await world.start(client, "sleeper")

        async def running() -> str:
            pods = await world.pods(client, name)
            return pods[0]["metadata"]["uid"] if pods and pods[0]["status"].get("phase") == "Running" else ""

        before = await eventually(running)
        await asyncio.to_thread(helm, cluster, world, "upgrade", "--set", "podAnnotations.upgraded=yes")
        assert await running() == before, "the task runs on"
        status = await world.finished(client, name)
        assert status["phase"] == "Succeeded" and status["outputs"]["a"] == {"ran": 1}
