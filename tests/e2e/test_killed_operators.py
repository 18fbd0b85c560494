"""The operator is killed at random moments, or there are two: every task runs exactly once, by its own side effects."""

import asyncio
import contextlib
import random

import pytest
from nightly import sized
from tradewind import API_VERSION
from tradewind.kube.client import Client
from tradewind.kube.errors import AlreadyExists
from tradewind.kube.resources import POOLS
from worlds.world import Body, World

TASKS = 20
ITEMS = 5
COUNT = """
import collections, json, os
lines = open(os.environ["WORK"] + "/" + os.environ["RUN"]).read().split()
json.dump({"ran": dict(collections.Counter(lines))}, open(os.environ["TRADEWIND_OUTPUTS"], "w"))
"""


def workload(world: World, name: str) -> Body:
    """A random DAG of twenty tasks and two fan-outs that each leave a mark, and a task that counts the marks."""
    rng = random.Random(name)
    env = {"WORK": world.work, "RUN": "$[[ run.name ]]"}
    tasks: Body = {}
    pause = 0.1 if world.name == "real" else 0.9  # long enough for an operator to be killed in between
    for index in range(TASKS):
        depends = rng.sample(list(tasks)[-4:], min(len(tasks), rng.choice([1, 1, 2])))
        tasks[f"t{index}"] = {
            "dependsOn": depends,
            "script": {"shell": f'sleep {pause}; echo t{index} >> "$WORK/$RUN"'},
        }
    mark = {"FILE": f"{world.work}/$[[ run.name ]]", "ITEM": "$[[ index ]]", "MARK": "$[[ item ]]"}
    tasks["fan"] = {
        "dependsOn": ["t3"],
        "forEach": {"items": [f"i{at}" for at in range(ITEMS)], "parallelism": 3},
        "pools": [{"name": "narrow"}],
        "env": mark,
        "script": {
            "shell": f'sleep {pause}; echo "$MARK" >> "$FILE"; echo "{{\\"n\\": $ITEM}}" > "$TRADEWIND_OUTPUTS"'
        },
    }
    tasks["chain"] = {
        "dependsOn": ["fan"],
        "forEach": {"itemsOf": "fan"},
        "when": "tasks.fan.outputs.n != 2",
        "env": mark,
        "script": {"shell": 'echo "c$MARK" >> "$FILE"'},
    }
    leaves = [name for name in tasks if not any(name in task["dependsOn"] for task in tasks.values())]
    tasks["count"] = {"dependsOn": leaves, "script": {"python": COUNT}}
    return world.dag(name, tasks, defaults={"env": env})


def check(status: Body) -> None:
    assert status["phase"] == "Succeeded", status
    marks = [
        *(f"t{at}" for at in range(TASKS)),
        *(f"i{at}" for at in range(ITEMS)),
        *(f"ci{at}" for at in range(ITEMS) if at != 2),
    ]
    assert status["outputs"]["count"]["ran"] == dict.fromkeys(marks, 1)


async def narrow(world: World, client: Client) -> None:
    """A pool of two slots."""
    with contextlib.suppress(AlreadyExists):
        body = {"apiVersion": API_VERSION, "kind": "Pool", "metadata": {"name": "narrow"}, "spec": {"slots": 2}}
        await world.create(client, POOLS, body)


@pytest.mark.parametrize("seed", range(1, sized(2, 7)))
async def test_sigkill_at_random_moments(world: World, seed: int) -> None:
    rng = random.Random(seed)
    operator = world.start_operator()
    kills = 0
    try:
        async with world.client() as client:
            await narrow(world, client)
            name = await world.start(client, workload(world, f"killed-{seed}"))
            finished = asyncio.create_task(world.finished(client, name, 240))
            while not finished.done():
                # Long enough for an operator to start and do something, at an unpredictable moment; longer each time,
                # since on a busy machine it might never get to that.
                await asyncio.wait([finished], timeout=rng.uniform(1.0, 3.5) * (1 + kills / 15))
                if not finished.done():
                    operator.kill()
                    operator.wait()
                    kills += 1
                    operator = world.start_operator()
            check(await finished)
    finally:
        operator.kill()
        operator.wait()
    assert kills >= 2, "the run was too quick to be disturbed"


async def test_two_operators_at_once(world: World) -> None:
    # Two leases: neither knows of the other.
    with world.operator(identity="one"), world.operator(identity="two"):
        async with world.client() as client:
            await narrow(world, client)
            names = [await world.start(client, workload(world, f"twice-{index}")) for index in range(2)]
            for name in names:
                check(await world.finished(client, name, 240))
