"""In a namespace that enforces the Pod Security level `restricted` everything works unchanged, and the value of a
Secret stays in it."""

import asyncio
import base64
import json
import secrets
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster.fixtures import Cluster
from tradewind.kube.resources import DAGS, SECRETS
from worlds.real import real
from worlds.world import World, printed

from e2e.test_helm import helm

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]
VALUES = "http.readSecrets=true,webhook.enabled=true,webhook.replicas=1,events.enabled=true,events.replicas=1"
CANARY = secrets.token_hex(12)
TOKEN = {"TOKEN": {"secretKeyRef": {"name": "canary", "key": "token"}}}
SENT = {"url": "https://kubernetes.default.svc/x", "headers": {"Authorization": "Bearer $(TOKEN)"}, "timeout": "5s"}
"""The operator does not trust the server's certificate: the request fails, with the header in hand."""


@pytest.fixture(scope="module")
def world(cluster: Cluster) -> Iterator[World]:
    cluster.load_image("operator")
    with real(cluster, f"restricted-{secrets.token_hex(2)}") as made:
        level = "pod-security.kubernetes.io/enforce=restricted"
        cluster.kubectl("label", "namespace", made.namespace, level)
        helm(cluster, made, "install", "--take-ownership", "--set", VALUES)
        try:
            yield made
        finally:
            cluster.helm("uninstall", "tradewind", "-n", made.namespace, "--wait")


async def test_no_value_of_a_secret_leaves_it(world: World, cluster: Cluster) -> None:
    tasks: dict[str, Any] = {
        "uses": {"envFrom": TOKEN, "script": {"shell": 'test ${#TOKEN} = 24 && echo "{\\"n\\": ${#TOKEN}}" > "$TRADEWIND_OUTPUTS"'}},
        "fails": {"envFrom": TOKEN, "script": {"shell": "exit 3"}, "allowFailure": True},
        "asks": {"envFrom": TOKEN, "http": SENT, "allowFailure": True},
        "waits": {"envFrom": TOKEN, "sensor": {"http": SENT, "interval": "1s", "timeout": "4s", "softFail": True}},
    }  # fmt: skip
    for task in tasks.values():
        task["retries"] = {"limit": 1, "backoff": {"initial": "100ms"}}
    async with world.client() as client:
        data = {"token": base64.b64encode(CANARY.encode()).decode()}
        await client.create(SECRETS, world.namespace, {"metadata": {"name": "canary"}, "data": data})
        run = await world.start(client, world.dag("canary", tasks))
        status = await world.finished(client, run)
        assert status["phase"] == "Succeeded", status
        assert status["outputs"]["uses"] == {"n": 24}
        failed = {item["task"] for item in status["failures"]}
        assert {"fails", "asks"} <= failed
        pods = await world.pods(client, run)
        assert pods and {pod["metadata"]["namespace"] for pod in pods} == {world.namespace}
        told = await asyncio.to_thread(everything, cluster, world.namespace)
        assert (
            run in told["dagruns.tradewind.dev"]
            and "canary" in told["controllerrevisions"]
            and "tradewind_runs" in told["metrics"]
        )
        assert told["log of operator"]
        leaks = [where for where, words in told.items() if CANARY in words or data["token"] in words]
        assert leaks == []


async def test_the_doctor_finds_all_well_and_its_bundle_has_no_secret(world: World, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.tar.gz"
    said = await asyncio.to_thread(printed, world, "doctor", "--bundle", str(bundle))
    others = [line for line in said.splitlines() if line.startswith("warning") and line.split()[1] != "objects"]
    assert "0 problem" in said and others == [], said  # other tests leave invalid objects
    for words in (
        "it refuses an invalid DAG",
        f"holds {world.namespace}/tradewind",
        "all 11 are there",
        "tradewind-events: 1 of 1",
    ):
        assert words in said, said
    with tarfile.open(bundle) as archive:
        found = {entry.name.partition("/")[2]: archive.extractfile(entry) for entry in archive}
        files = {name: file.read().decode() for name, file in found.items() if file}
    assert [
        name
        for name in files
        if name.startswith(f"logs/{world.namespace}/tradewind-") and name.endswith("/operator.log")
    ]
    assert '"canary"' in files["objects/dags.json"]
    assert [name for name, words in files.items() if CANARY in words] == []


def everything(cluster: Cluster, namespace: str) -> dict[str, str]:
    """Everything that others may see: objects, Events, logs, metrics."""
    kinds = [
        "pods",
        "events",
        "controllerrevisions",
        "configmaps",
        "leases",
        "dags.tradewind.dev",
        "dagruns.tradewind.dev",
    ]
    found = {kind: cluster.kubectl("get", kind, "-n", namespace, "-o", "json") for kind in kinds}
    pods = json.loads(found["pods"])["items"]
    for pod in pods:
        name = pod["metadata"]["name"]
        for container in pod["spec"]["containers"]:
            log = cluster.kubectl("logs", name, "-n", namespace, "-c", container["name"])
            found[f"log of {container['name']}"] = found.get(f"log of {container['name']}", "") + log
        if pod["metadata"]["labels"].get("app.kubernetes.io/name") == "tradewind":
            path = f"/api/v1/namespaces/{namespace}/pods/{name}:8080/proxy/metrics"
            found["metrics"] = cluster.kubectl("get", "--raw", path)
    return found


async def test_every_pod_is_restricted(world: World, cluster: Cluster) -> None:
    """The pods of the chart, and those of tasks: the level admitted them without a warning."""
    async with world.client() as client:
        await world.create(client, DAGS, world.dag("plain", {"a": {"command": ["true"]}}))
        run = await world.start(client, "plain")
        assert (await world.finished(client, run))["phase"] == "Succeeded"
    level = "pod-security.kubernetes.io/enforce=restricted"
    again = cluster.kubectl("label", "namespace", world.namespace, level, "--overwrite", "--dry-run=server")
    assert "violate" not in again
    pods = json.loads(cluster.kubectl("get", "pods", "-n", world.namespace, "-o", "json"))["items"]
    assert len(pods) >= 4
    for pod in pods:
        for container in [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]:
            context = container["securityContext"]
            assert context["capabilities"] == {"drop": ["ALL"]} and context["allowPrivilegeEscalation"] is False
