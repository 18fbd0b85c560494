"""The recorder, installed by real Helm: runs and logs that are gone, read through the API server with the reader's own rights."""

import asyncio
import json
import os
import secrets
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tradewind.kube.client import Client
from tradewind.kube.resources import PODS, RUNS
from worlds.commands import program
from worlds.real import real
from worlds.world import World, eventually

from e2e.test_helm import helm

pytestmark = [pytest.mark.e2e, pytest.mark.disruptive]  # a release with the name of that of other tests
READERS = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:authenticated"}
SETTINGS = ("recorder.enabled=true", "recorder.logs.collect=true", "webhook.enabled=false", "policies.enabled=false")


def reader(cluster: Any, world: World, name: str, folder: Path, *rights: tuple[str, str]) -> Path:
    """The kubeconfig of a service account with these rights: verbs and resource."""
    within = ("-n", world.namespace)
    cluster.kubectl("create", "serviceaccount", name, *within)
    for n, (verbs, resource) in enumerate(rights):
        cluster.kubectl("create", "role", f"{name}-{n}", f"--verb={verbs}", f"--resource={resource}", *within)
        account = f"--serviceaccount={world.namespace}:{name}"
        cluster.kubectl("create", "rolebinding", f"{name}-{n}", f"--role={name}-{n}", account, *within)
    config = yaml.safe_load(world.kubeconfig.read_text())
    config["users"] = [{"name": name, "user": {"token": cluster.kubectl("create", "token", name, *within).strip()}}]
    config["contexts"][0]["context"] |= {"user": name, "namespace": world.namespace}
    path = folder / f"{name}.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


async def tradewind(config: Path, world: World, *arguments: str) -> "subprocess.CompletedProcess[str]":
    place = {"KUBECONFIG": str(config), "TRADEWIND_RECORDER": f"{world.namespace}/tradewind-recorder"}
    command = [*program(), *arguments]
    return await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=100, env={**os.environ, **place}
    )


async def gone(client: Client, world: World) -> bool:
    runs, pods = (
        await client.list(RUNS, world.namespace),
        await client.list(PODS, world.namespace, labelSelector="tradewind.dev/run-uid"),
    )
    return not runs["items"] and not pods["items"]


@pytest.mark.timeout(400)
async def test_runs_and_logs_that_are_gone_are_read_by_who_may_read_them(cluster: Any, tmp_path: Path) -> None:
    cluster.load_image("operator")
    with real(cluster, f"record-{secrets.token_hex(2)}") as world:
        values = [part for setting in SETTINGS for part in ("--set", setting)]
        values += ["--set-json", f"recorder.readers=[{json.dumps(READERS)}]"]
        await asyncio.to_thread(helm, cluster, world, "install", "--take-ownership", *values)
        try:
            ada = reader(
                cluster, world, "ada", tmp_path, ("list,get,delete", "dagruns.tradewind.dev"), ("get", "pods/log")
            )
            eve = reader(cluster, world, "eve", tmp_path)
            task = {"command": ["sh", "-c", "for n in 1 2 3; do echo line $n; done"]}
            dag = world.dag("d", {"a": task}, podRetention="Never", history={"succeeded": {"limit": 0}})
            async with world.client() as client:
                name = await world.start(client, dag)
                await eventually(lambda: gone(client, world))
                cluster.kubectl("delete", "pod", "tradewind-recorder-0", "-n", world.namespace, "--force")
                listed = await eventually(lambda: _listed(ada, world))
            assert [(run["name"], run["phase"]) for run in listed] == [(name, "Succeeded")]
            logs = await tradewind(ada, world, "logs", name)
            assert logs.stdout == "a | line 1\na | line 2\na | line 3\n", logs.stderr
            refused = await tradewind(eve, world, "history", "list")
            assert "you may not list dagruns.tradewind.dev in namespace" in refused.stderr and not refused.stdout
            purged = await tradewind(ada, world, "history", "purge", name, "--yes")
            assert "1 run deleted" in purged.stdout, purged.stderr
            log = cluster.kubectl("logs", "tradewind-recorder-0", "-n", world.namespace)
            assert f"system:serviceaccount:{world.namespace}:ada" in log and '"purged":1' in log
        finally:
            cluster.helm("uninstall", "tradewind", "-n", world.namespace, "--wait")


async def _listed(config: Path, world: World) -> Any:
    """The recorded runs, once the recorder that was killed is back."""
    done = await tradewind(config, world, "history", "list", "-o", "json")
    return json.loads(done.stdout) if done.returncode == 0 else None
