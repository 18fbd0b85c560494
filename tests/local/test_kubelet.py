"""The local node handles pods like a real one."""

import asyncio
from pathlib import Path

import orjson
import pytest
from tradewind.kube.client import Client
from tradewind.kube.resources import PODS
from tradewind.local.kubelet import NODE
from tradewind.local.session import session


def pod(name: str, **spec: str) -> dict[str, object]:
    container = {"name": "main", "image": "x", "command": ["true"]}
    body = {"containers": [container], "restartPolicy": "Never", **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": body}


async def phase(client: Client, name: str) -> str:
    return str((await client.get(PODS, "default", name))["status"].get("phase"))


@pytest.mark.parametrize("spec", [{"schedulerName": "another"}, {"nodeName": "elsewhere"}])
async def test_a_pod_of_another_scheduler_or_node_waits_until_that_one_acts(
    tmp_path: Path, spec: dict[str, str]
) -> None:
    async with session(lambda: None, cwd=str(tmp_path)) as here:
        await here.client.create(PODS, "default", pod("theirs", **spec))
        ours = orjson.loads(await here.client.create(PODS, "default", pod("ours")))
        async with asyncio.timeout(100):
            while await phase(here.client, ours["metadata"]["name"]) != "Succeeded":
                await asyncio.sleep(0.02)
        assert await phase(here.client, "theirs") == "Pending"
        if "schedulerName" in spec:
            await here.client.bind("default", "theirs", NODE)
            async with asyncio.timeout(100):
                while await phase(here.client, "theirs") != "Succeeded":
                    await asyncio.sleep(0.02)
