"""The main example on a real cluster: the same manifest, unchanged, publishes the same bytes."""

import hashlib
import json
import secrets
from pathlib import Path
from typing import Any

import pytest
from worlds.real import real
from worlds.world import World

EXAMPLE = Path(__file__).parents[2] / "examples" / "leave-forecast"
EXPECTED = json.loads((EXAMPLE / "expected.json").read_text())


def prepare(cluster: Any, namespace: str) -> None:
    """The preparations in the example's README."""
    cluster.kubectl("create", "configmap", "leave-forecast-erp", "-n", namespace, f"--from-file={EXAMPLE / 'data'}")
    cluster.kubectl(
        "create", "configmap", "holidays", "-n", namespace, f"--from-file={EXAMPLE / 'holidays' / 'server.py'}"
    )
    cluster.kubectl("apply", "-n", namespace, "-f", str(EXAMPLE / "cluster.yaml"), "-f", str(EXAMPLE / "dag.yaml"))


@pytest.mark.e2e
@pytest.mark.timeout(240)
async def test_the_published_file_is_the_one_of_the_laptop(cluster: Any) -> None:
    cluster.load_image("operator")
    with (
        real(cluster, f"leave-forecast-{secrets.token_hex(2)}") as world,
        world.operator(TRADEWIND_IMAGE="ghcr.io/tradewind-dev/tradewind:0.1.0"),
    ):
        prepare(cluster, world.namespace)
        await _runs(world, cluster)


async def _runs(world: World, cluster: Any) -> None:
    name = (
        cluster.kubectl("create", "-n", world.namespace, "-f", str(EXAMPLE / "run.yaml"), "-o", "name")
        .strip()
        .rpartition("/")[2]
    )
    async with world.client() as client:
        status = await world.finished(client, name, 200)
        assert status["phase"] == "Succeeded", status
        assert status["outputs"]["publish"] == {"file": "leave-forecast-south-2026.csv", **EXPECTED["south"]}
    shown = cluster.kubectl("get", "dags,dagruns", "-n", world.namespace)
    assert "leave-forecast" in shown and "5/5" in shown and "Succeeded" in shown
    published = _published(cluster, world.namespace)
    assert hashlib.sha256(published.encode()).hexdigest() == EXPECTED["south"]["sha256"], (
        "the file itself, not what is said of it"
    )


def _published(cluster: Any, namespace: str) -> str:
    """The file on the volume, read as in the README."""
    cluster.kubectl("apply", "-n", namespace, "-f", str(EXAMPLE / "file.yaml"))
    done = "--for=jsonpath={.status.phase}=Succeeded"
    cluster.kubectl("wait", "pod/leave-forecast-file", "-n", namespace, done, "--timeout=40s")
    text: str = cluster.kubectl("logs", "leave-forecast-file", "-n", namespace)
    return text
