"""Another orchestrator next to Tradewind on the same cluster: a command that users write, since they know their own
installation.

The command is run once per shape. It reads a JSON object from its standard input: `{"shape": "chain"
"fanout", "tasks": 10, "image": "...", "command": ["true"], "namespace": "...", "kubeconfig": "..."}`, creates and runs
such a workflow, waits for its end and prints `{"seconds": 12.3}`.
"""

import asyncio
import json
import shlex
import subprocess

from worlds.world import World

from bench.figure import Figure
from bench.rig.operator import operator

TASKS = 10


def measured(world: World, command: str) -> list[Figure]:
    """The peer's seconds as the floor of Tradewind's, by shape."""
    found = []
    for shape in ("chain", "fanout"):
        asked = {
            "shape": shape,
            "tasks": TASKS,
            "image": "python:3.11-slim",
            "command": ["true"],
            "namespace": world.namespace,
            "kubeconfig": str(world.kubeconfig),
        }
        done = subprocess.run(shlex.split(command), input=json.dumps(asked), capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"the peer failed on {shape} ({done.returncode}): {done.stderr[-500:]}")
        theirs = float(json.loads(done.stdout.splitlines()[-1])["seconds"])
        with operator(world.kubeconfig, world.namespace):
            ours = asyncio.run(_ours(world, shape))
        found.append(Figure(f"{shape} of {TASKS} beside the peer", ours, "s", theirs, "", True))
    return found


async def _ours(world: World, shape: str) -> float:
    names = [f"t{at}" for at in range(TASKS)]
    chained = shape == "chain"
    tasks = {
        name: {"command": ["true"], "dependsOn": [names[at - 1]] if chained and at else []}
        for at, name in enumerate(names)
    }
    async with world.client() as client:
        loop = asyncio.get_running_loop()
        began = loop.time()
        status = await world.result(client, world.dag(f"peer-{shape}", tasks), 600)
        if status["phase"] != "Succeeded":
            raise SystemExit(f"our own {shape} failed: {status['message']}")
        return loop.time() - began
