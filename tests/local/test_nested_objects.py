"""The API server stores objects nested thousands of levels deep. Such an object reports that itself; every other object
is processed."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from tradewind.cli.starts.wanted import run_body
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError
from tradewind.kube.resources import (
    APPROVALS,
    BACKFILLS,
    DAG_TEMPLATES,
    DAGS,
    RUNS,
    TASK_TEMPLATES,
    TRIGGERS,
    Resource,
)
from tradewind.local.session import Session, session
from worlds.world import World, eventually

DEPTHS = [70, 300, 600, 1_200, 9_000]
DEEP = "DEEP"
SPECS: dict[Resource, dict[str, Any]] = {
    DAGS: {"params": {"p": {"type": "list", "default": DEEP}}, "tasks": {"t": {"compute": {"n": "1"}}}},
    TASK_TEMPLATES: {"params": {"p": {"type": "list", "default": DEEP}}, "task": {"compute": {"n": "1"}}},
    DAG_TEMPLATES: {
        "params": {"p": {"type": "list", "default": DEEP}},
        "dag": {"tasks": {"t": {"compute": {"n": "1"}}}},
    },
    TRIGGERS: {"dag": "good", "params": {"p": DEEP}, "schedule": {"cron": "0 0 1 1 *"}},
    BACKFILLS: {"dag": "good", "params": {"p": DEEP}, "start": "2026-01-01", "end": "2026-01-02", "cron": "0 0 * * *"},
    RUNS: {"dag": "good", "params": {"p": DEEP}},
    APPROVALS: {"run": "r", "task": "t", "answers": {"a": DEEP}},
}


def nested(resource: Resource, levels: int) -> bytes:
    body = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": f"deep-{levels}"},
        "spec": SPECS[resource],
    }
    return orjson.dumps(body).replace(b'"DEEP"', b"[" * levels + b"]" * levels)


async def apply(client: Client, levels: int) -> None:
    for resource in SPECS:
        await client.create(resource, "default", nested(resource, levels))


async def words(client: Client, resource: Resource, levels: int) -> str:
    status = (await client.get(resource, "default", f"deep-{levels}")).get("status") or {}
    return str(status) if "nested more than 64 levels deep" in str(status) else ""


async def good(here: Session, name: str) -> str:
    """The final phase of a run of another DAG."""
    await here.client.create(RUNS, "default", run_body("good", {}, name))

    async def ended() -> str:
        phase = (await here.client.get(RUNS, "default", name)).get("status", {}).get("phase")
        return phase if phase in ("Succeeded", "Failed") else ""

    return str(await eventually(ended))


@pytest.mark.parametrize("levels", DEPTHS)
async def test_objects_of_every_kind_say_that_they_are_nested_too_deep(levels: int, tmp_path: Path) -> None:
    async with session(lambda: None, cwd=str(tmp_path)) as here:
        dag = World("embedded", tmp_path, "default", str(tmp_path)).dag("good", {"t": {"compute": {"n": "1"}}})
        await here.client.create(DAGS, "default", dag)
        await apply(here.client, levels)
        assert await good(here, "after") == "Succeeded"
        for resource in SPECS.keys() - {APPROVALS}:
            await eventually(lambda resource=resource: words(here.client, resource, levels))
        assert here.operator.engine.ready.is_set()


async def test_an_operator_that_starts_reads_what_is_beside_them(tmp_path: Path) -> None:
    """Lists contain them too: those of a start, and those after a watch that fell behind."""
    async with session(lambda: None, cwd=str(tmp_path)) as here:
        for levels in DEPTHS:
            await apply(here.client, levels)
        dag = World("embedded", tmp_path, "default", str(tmp_path)).dag("good", {"t": {"compute": {"n": "1"}}})
        await here.client.create(DAGS, "default", dag)
        from tradewind.control.manager.manager import Operator, Options

        stop = asyncio.Event()
        other = Operator(here.connection, Options(lease_name="other"))
        running = asyncio.create_task(other.run(stop))
        try:
            await asyncio.wait_for(other.engine.ready.wait(), 100)
            assert all(informer.synced.is_set() for informer in other.engine.definitions.values())
            assert await good(here, "beside") == "Succeeded"
            here.server.store.compact()
            assert await good(here, "later") == "Succeeded"
        finally:
            stop.set()
            await running


async def test_a_server_refuses_what_is_deeper_still(tmp_path: Path) -> None:
    async with session(lambda: None, cwd=str(tmp_path)) as here:
        with pytest.raises(ApiError, match="max depth"):
            await here.client.create(DAGS, "default", nested(DAGS, 11_000))
