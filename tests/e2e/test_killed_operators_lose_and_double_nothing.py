"""The operator is killed at random moments, or there are two: every task runs exactly once, by its own side effects."""

import asyncio
import random

import pytest
from worlds.world import Body, World

TASKS = 20
COUNT = """
import collections, json, os
lines = open(os.environ["WORK"] + "/" + os.environ["RUN"]).read().split()
json.dump({"ran": dict(collections.Counter(lines))}, open(os.environ["TRADEWIND_OUTPUTS"], "w"))
"""


def workload(world: World, name: str) -> Body:
    """A random DAG of twenty tasks that each leave a mark, and one that counts the marks."""
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
    leaves = [name for name in tasks if not any(name in task["dependsOn"] for task in tasks.values())]
    tasks["count"] = {"dependsOn": leaves, "script": {"python": COUNT}}
    return world.dag(name, tasks, defaults={"env": env})


def check(status: Body) -> None:
    assert status["phase"] == "Succeeded", status
    assert status["outputs"]["count"]["ran"] == {f"t{index}": 1 for index in range(TASKS)}


@pytest.mark.parametrize("seed", [1, 2])
async def test_sigkill_at_random_moments(world: World, seed: int) -> None:
    rng = random.Random(seed)
    operator = world.start_operator()
    kills = 0
    try:
        async with world.client() as client:
            name = await world.start(client, workload(world, f"killed-{seed}"))
            finished = asyncio.create_task(world.finished(client, name, 240))
            while not finished.done():
                # Long enough for an operator to start and do something, at a moment that no test can foresee.
                await asyncio.wait([finished], timeout=rng.uniform(1.0, 3.5))
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
            names = [await world.start(client, workload(world, f"twice-{index}")) for index in range(2)]
            for name in names:
                check(await world.finished(client, name, 240))
