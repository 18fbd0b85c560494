"""Objects nested as deep as the API server stores them, through a whole operator process: each reports that itself, and
the others continue."""

import orjson
from tradewind.kube.client import Client
from tradewind.kube.resources import BACKFILLS, DAG_TEMPLATES, DAGS, RUNS, TASK_TEMPLATES, TRIGGERS, Resource
from worlds.world import Body, World, eventually

LEVELS = (300, 1_200, 9_000)
DEEP = "DEEP"
PARAMS: Body = {"p": {"type": "list", "default": DEEP}}
TASKS: Body = {"t": {"compute": {"n": "1"}}}
SPECS: dict[Resource, Body] = {
    DAGS: {"params": PARAMS, "tasks": TASKS},
    TASK_TEMPLATES: {"params": PARAMS, "task": TASKS["t"]},
    DAG_TEMPLATES: {"params": PARAMS, "dag": {"tasks": TASKS}},
    TRIGGERS: {"dag": "bystander", "params": {"p": DEEP}, "schedule": {"cron": "0 0 1 1 *"}},
    BACKFILLS: {
        "dag": "bystander",
        "params": {"p": DEEP},
        "start": "2026-01-01",
        "end": "2026-01-02",
        "cron": "0 0 * * *",
    },
    RUNS: {"dag": "bystander", "params": {"p": DEEP}},
}


async def nest(world: World, client: Client, levels: int) -> None:
    for resource, spec in SPECS.items():
        meta = {"name": f"nest-{levels}"}
        body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta, "spec": spec}
        raw = orjson.dumps(body).replace(b'"DEEP"', b"[" * levels + b"]" * levels)
        await client.create(resource, world.namespace, raw)


async def says_so(world: World, client: Client, resource: Resource, levels: int) -> bool:
    found = await client.get(resource, world.namespace, f"nest-{levels}")
    return "nested more than 64 levels deep" in str(found.get("status"))


async def test_nested_objects_say_so_and_stop_nobody(world: World) -> None:
    """Before the operator starts, while it runs, and when it starts again."""
    async with world.client() as client:
        await world.create(client, DAGS, world.dag("bystander", TASKS))
        await nest(world, client, LEVELS[0])
        with world.operator() as process:
            assert (await world.result(client, "bystander"))["phase"] == "Succeeded"
            for levels in LEVELS[1:]:
                await nest(world, client, levels)
            assert (await world.result(client, "bystander"))["phase"] == "Succeeded"
            for resource in SPECS:
                for levels in LEVELS:
                    await eventually(lambda at=resource, deep=levels: says_so(world, client, at, deep))
            assert process.poll() is None
        with world.operator() as process:
            assert (await world.result(client, "bystander"))["phase"] == "Succeeded"
            assert process.poll() is None
