"""The operator inside the cluster, installed by real Helm, as its own service account."""

import asyncio
import json
import secrets
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from cluster.shell import ClusterError
from tradewind import API_VERSION
from tradewind.kube.client import Client
from tradewind.kube.labels import TRIGGER
from tradewind.kube.resources import CLUSTER_POOLS, CONFIG_MAPS, DAGS, LEASES, RUNS, TRIGGERS
from tradewind.kube.shards import SHARD
from worlds.marks import chain, fan, marked
from worlds.real import real
from worlds.world import World, eventually

from e2e.test_leave_forecast import EXPECTED, prepare

pytestmark = [pytest.mark.e2e, pytest.mark.disruptive]  # one of its operators works in all namespaces
CHART = Path(__file__).parents[2] / "charts" / "tradewind"
SLEEPER = (
    'echo x >> "$WORK/$RUN"; until [ -e "$WORK/go" ]; do sleep 0.2; done; '
    'echo "{\\"ran\\": $(wc -l < "$WORK/$RUN")}" > $TRADEWIND_OUTPUTS'
)
"""Runs until the file `go` exists, and outputs how often it started."""


@pytest.mark.timeout(400)
async def test_the_main_example_runs_and_running_tasks_survive_an_upgrade(cluster: Any) -> None:
    cluster.load_image("operator")
    with real(cluster, f"helm-{secrets.token_hex(2)}") as world:
        await asyncio.to_thread(helm, cluster, world, "install", "--take-ownership")
        try:
            _confined(cluster, world)
            cluster.helm("test", "tradewind", "-n", world.namespace, "--timeout", "90s")
            await _duties_are_apart(cluster, world)
            await _example(cluster, world)
            await _upgraded_under_load(cluster, world)
            assert _replicas(cluster, world) == 2
            await _upgrade(cluster, world)
            assert _replicas(cluster, world) == 1
            await _sharded(cluster, world)
        finally:
            cluster.helm("uninstall", "tradewind", "-n", world.namespace, "--wait")
        crds = cluster.kubectl("get", "crds", "-o", "name")
        assert "dags.tradewind.dev" in crds and "dagruns.tradewind.dev" in crds, "CRDs are kept"
        assert "tradewind" not in cluster.kubectl("get", "deployments", "-n", world.namespace, "-o", "name")


@pytest.mark.timeout(400)
async def test_an_operator_of_all_namespaces_lets_them_share_a_pool_and_replaces_runs(cluster: Any) -> None:
    cluster.load_image("operator")
    names = [f"helm-{secrets.token_hex(2)}" for _ in range(2)]
    with real(cluster, names[0]) as home, real(cluster, names[1]) as other:
        # Without the webhook, which is called for all namespaces of the cluster, including those of other tests.
        everywhere = ("--set", "watchNamespaces=null", "--set", "webhook.enabled=false")
        await asyncio.to_thread(helm, cluster, home, "install", "--take-ownership", *everywhere)
        limit = {"apiVersion": API_VERSION, "kind": "ClusterPool", "metadata": {"name": names[0]}, "spec": {"slots": 1}}
        try:
            async with home.client() as client:
                await client.create(CLUSTER_POOLS, "", limit)
                await _shared(home, other, client)
                await _replaced(other, client)
                await _granted(cluster, home, client)
        finally:
            cluster.helm("uninstall", "tradewind", "-n", home.namespace, "--wait")
            cluster.kubectl("delete", "clusterpool", names[0], "--ignore-not-found")


async def _duties_are_apart(cluster: Any, world: World) -> None:
    """Users who write DAGs and runs can't approve them; users who approve can't write."""
    approve = f"{world.namespace}-tradewind-approve"
    for user, role in (("writer", "edit"), ("approver", approve)):
        binding = ("rolebinding", user, f"--clusterrole={role}", f"--user={user}")
        cluster.kubectl("create", *binding, "-n", world.namespace)

    def may(user: str, verb: str, what: str) -> bool:
        try:
            asked = ("auth", "can-i", verb, f"{what}.tradewind.dev", "-n", world.namespace, f"--as={user}")
            return cluster.kubectl(*asked).strip() == "yes"
        except ClusterError:
            return False

    await eventually(
        lambda: asyncio.to_thread(may, "writer", "patch", "dagruns")
    )  # roles are aggregated a moment later
    assert not may("writer", "patch", "approvals") and may("writer", "list", "approvals")
    assert may("approver", "patch", "approvals") and not may("approver", "patch", "dagruns")


async def _granted(cluster: Any, world: World, client: Client) -> None:
    """A trigger follows what the chart lets the operator read, and reports a missing rule."""
    await world.create(client, DAGS, world.dag("changed", {"a": {"wait": {"duration": "0s"}}}))
    followed = {"apiVersion": "v1", "kind": "ConfigMap", "changes": ["Created"]}
    spec = {"dag": "changed", "object": followed}
    body = {"apiVersion": API_VERSION, "kind": "Trigger", "metadata": {"name": "changed"}, "spec": spec}
    await world.create(client, TRIGGERS, body)

    async def phase(wanted: str) -> Any:
        status = (await client.get(TRIGGERS, world.namespace, "changed")).get("status") or {}
        return status.get("phase") == wanted and status

    rule = '{apiGroups: [""], resources: [configmaps], verbs: [list, watch]}'
    assert f"add {rule} to the chart's objectTriggers.rules" in (await eventually(lambda: phase("Waiting")))["message"]
    rules = '[{"apiGroups":[""],"resources":["configmaps"],"verbs":["list","watch"]}]'
    more = (
        "--set",
        "watchNamespaces=null",
        "--set",
        "webhook.enabled=false",
        "--set-json",
        f"objectTriggers.rules={rules}",
    )
    await asyncio.to_thread(helm, cluster, world, "upgrade", *more)
    assert (await eventually(lambda: phase("Active")))["message"] == ""
    new = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new"}}
    await world.create(client, CONFIG_MAPS, new)

    async def made() -> Any:
        return (await client.list(RUNS, world.namespace, labelSelector=f"{TRIGGER}=changed"))["items"]

    await world.finished(client, (await eventually(made))[0]["metadata"]["name"])


async def _shared(home: World, other: World, client: Client) -> None:
    task = {"pools": [{"name": home.namespace, "kind": "ClusterPool"}], "script": {"shell": "sleep 3"}}
    runs = [(world, await world.start(client, world.dag("shared", {"a": task}))) for world in (home, other)]

    async def full() -> bool:
        status = (await client.get(CLUSTER_POOLS, "", home.namespace)).get("status") or {}
        return status.get("used") == 1 and status.get("waiting") == 1

    await eventually(full)
    lines = []
    for world, run in runs:
        status = await world.finished(client, run)
        assert status["phase"] == "Succeeded", status
        lines.append(sorted(pod["status"]["startTime"] for pod in await world.pods(client, run)))
    assert lines[0] != lines[1], "one after the other"


async def _replaced(world: World, client: Client) -> None:
    spec = {"maxActiveRuns": 1, "concurrencyPolicy": "Replace"}
    slow = {"a": {"script": {"shell": "trap 'exit 143' TERM; sleep 600 & wait"}}}
    first = await world.start(client, world.dag("replaced", slow, **spec))
    await world.until(client, first, lambda status: status.get("phase") == "Running")
    second = await world.start(client, "replaced")
    assert (await world.finished(client, first))["phase"] == "Cancelled"
    await world.until(client, second, lambda status: status.get("phase") == "Running")
    await client.patch(RUNS, world.namespace, second, {"spec": {"desiredState": "Cancelled"}})
    await world.finished(client, second)


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

    assert may("list", "pools.tradewind.dev") and may("patch", "pools.tradewind.dev", "--subresource=status")
    assert not may("delete", "pools.tradewind.dev") and not may("patch", "pools.tradewind.dev")
    assert may("create", "approvals.tradewind.dev") and may("patch", "approvals.tradewind.dev", "--subresource=status")
    assert not may("patch", "approvals.tradewind.dev"), "the operator must not be able to approve anything"
    assert may("create", "pods") and may("update", "dagruns.tradewind.dev", "--subresource=status")
    assert all(may(verb, "controllerrevisions.apps") for verb in ("get", "list", "create", "update", "delete"))
    assert not may("patch", "controllerrevisions.apps") and not may("list", "statefulsets.apps")
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
        dag = await client.get(DAGS, world.namespace, "leave-forecast")
        assert status["revisionNumber"] == dag["status"]["revision"] == 1


async def _sharded(cluster: Any, world: World) -> None:
    """Two replicas, as the chart's service account, divide four shards, and a run continues in one of them."""
    await asyncio.to_thread(helm, cluster, world, "upgrade", "--set", "replicas=2", "--set", "shards=4")
    async with world.client() as client:

        async def shared() -> bool:
            leases = (await client.list(LEASES, world.namespace, labelSelector=SHARD))["items"]
            return sorted(Counter(lease["spec"].get("holderIdentity") for lease in leases).values()) == [2, 2]

        await eventually(shared)
        name = await world.start(client, world.dag("sharded", {"a": {"command": ["true"]}}))
        assert (await world.finished(client, name))["phase"] == "Succeeded"


async def _upgraded_under_load(cluster: Any, world: World) -> None:
    """Two replicas that are replaced one by one, repeatedly, while tasks start and end."""
    tasks = {**chain(15, 1), "fan": fan(20, 3, parallelism=4)}
    async with world.client() as client:
        run = await world.start(client, marked(world, "load", tasks))
        ending, turn = asyncio.create_task(world.finished(client, run, 200)), 0
        while not ending.done():
            turn += 1
            annotation = f"podAnnotations.turn=t{turn}"
            await asyncio.to_thread(helm, cluster, world, "upgrade", "--set", "replicas=2", "--set", annotation)
        status = await ending
        assert turn > 1 and status["phase"] == "Succeeded", status
        assert status["outputs"]["count"] == {"marks": 35, "often": {}} and not status.get("failures")


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
        go = world.dag("go", {"a": {"env": env, "script": {"shell": 'touch "$WORK/go"'}}})
        assert (await world.result(client, go))["phase"] == "Succeeded"
        status = await world.finished(client, name)
        assert status["phase"] == "Succeeded" and status["outputs"]["a"] == {"ran": 1}
