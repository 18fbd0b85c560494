"""A run that a finalizer keeps after its deletion is stopped like a terminated one, with everything that it started."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tradewind.cli.starts.wanted import run_body
from tradewind.kube.resources import APPROVALS, DAGS, PODS, RUNS
from tradewind.local.session import Session, session
from worlds.world import World, eventually

Body = dict[str, Any]


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Session]:
    async with session(lambda: None, cwd=str(tmp_path)) as found:
        yield found


async def test_nothing_of_a_run_that_is_being_deleted_goes_on(here: Session) -> None:
    client, world = here.client, World("embedded", Path(), "default", "")
    tasks = {
        "hold": {"wait": {"duration": "1h"}},
        "ask": {"approval": {}},
        "watch": {"sensor": {"object": {"apiVersion": "v1", "kind": "ConfigMap", "name": "c"}, "interval": "1s"}},
        "call": {"dag": {"name": "sub"}},
        "pod": {"command": ["sleep", "3600"]},
    }
    await client.create(DAGS, "default", world.dag("sub", {"hold": {"wait": {"duration": "1h"}}}))
    await client.create(DAGS, "default", world.dag("d", tasks))
    body = run_body("d", {}, "one")
    body["metadata"]["finalizers"] = ["example.com/keeps"]
    await client.create(RUNS, "default", body)

    async def runs() -> dict[str, Body]:
        return {item["metadata"]["name"]: item for item in (await client.list(RUNS, "default"))["items"]}

    async def all_go_on() -> bool:
        found = await runs()
        going = [run for run in found.values() if (run.get("status") or {}).get("phase") == "Running"]
        pods = (await client.list(PODS, "default"))["items"]
        return len(going) == 2 and bool((await client.list(APPROVALS, "default"))["items"]) and bool(pods)

    await eventually(all_go_on)
    await client.delete(RUNS, "default", "one")

    async def ended() -> dict[str, Body] | None:
        found = await runs()
        over = [(run.get("status") or {}).get("phase") == "Cancelled" for run in found.values()]
        return found if all(over) else None

    found = await eventually(ended)
    assert found is not None and len(found) == 2
    assert found["one"]["status"]["message"].startswith("the run is being deleted: ")
    [approval] = (await client.list(APPROVALS, "default"))["items"]
    assert approval["status"]["outcome"] == "Expired"
    await client.delete(APPROVALS, "default", approval["metadata"]["name"])

    async def no_pods() -> bool:
        return not (await client.list(PODS, "default"))["items"]

    await eventually(no_pods)
    assert (await client.list(APPROVALS, "default"))["items"] == []
