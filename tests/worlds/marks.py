"""Tasks that leave a mark when they have done their work, and one that counts the marks: what has really run, and how
often."""

import contextlib
from typing import Any

from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError

from worlds.world import Body, World, eventually

COUNT = """
import collections, json, os
lines = open(os.environ["WORK"] + "/" + os.environ["RUN"]).read().split()
ran = collections.Counter(lines)
json.dump({"marks": len(ran), "often": {k: n for k, n in ran.items() if n > 1}}, open(os.environ["TRADEWIND_OUTPUTS"], "w"))
"""


def marking(name: str, seconds: float, *above: str, **more: Any) -> Body:
    """A task that leaves a mark when it has done its work."""
    return {"dependsOn": list(above), "script": {"shell": f'sleep {seconds}; echo {name} >> "$WORK/$RUN"'}, **more}


def chain(count: int, seconds: float) -> dict[str, Body]:
    """Tasks `t0`, `t1`… one after the other."""
    return {f"t{at}": marking(f"t{at}", seconds, *([f"t{at - 1}"] if at else [])) for at in range(count)}


def fan(count: int, seconds: float, parallelism: int | None = None, **more: Any) -> Body:
    """A task for many items, each of which leaves a mark."""
    each: Body = {"items": [f"i{at}" for at in range(count)]}
    if parallelism:
        each["parallelism"] = parallelism
    return {**marking("$ITEM", seconds, **more), "env": {"ITEM": "$[[ item ]]"}, "forEach": each}


def marked(world: World, name: str, tasks: Body) -> Body:
    """A DAG whose last task, `count`, outputs how many marks there are, and which were left more than once."""
    leaves = [task for task in tasks if not any(task in other["dependsOn"] for other in tasks.values())]
    counting = {"count": {"dependsOn": leaves, "script": {"python": COUNT}}}
    env = {"WORK": world.work, "RUN": "$[[ run.name ]]"}
    return world.dag(name, {**tasks, **counting}, defaults={"env": env, "retries": {"limit": 0}})


async def running(world: World, client: Client, run: str, count: int) -> list[str]:
    """Names of the run's pods, once this many run."""

    async def enough() -> Any:
        with contextlib.suppress(ApiError):
            pods = await world.pods(client, run)
            found = [pod["metadata"]["name"] for pod in pods if pod["status"].get("phase") == "Running"]
            return found if len(found) >= count else None

    return list(await eventually(enough, 120))
