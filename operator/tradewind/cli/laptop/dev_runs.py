"""Prints a line in the terminal of `tradewind dev` for each run that begins or ends."""

import asyncio
import contextlib

import orjson

from tradewind.cli.output.terminal import say
from tradewind.control.dagrun.run import read_run
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError
from tradewind.kube.resources import RUNS

AGAIN = 1.0
"""Seconds until an ended watch is restarted."""


async def tell_runs(client: Client) -> None:
    """Prints the phase of runs whenever it changes, until cancelled. Runs of sub-DAGs are omitted."""
    said: dict[str, str] = {}
    while True:
        with contextlib.suppress(ApiError):
            version = (await client.list(RUNS))["metadata"]["resourceVersion"]
            async for line in client.watch(RUNS, None, resourceVersion=version):
                event = orjson.loads(line) if line else {}
                if event.get("type") not in ("ADDED", "MODIFIED", "DELETED"):
                    continue
                run = read_run(event["object"])
                if event["type"] == "DELETED":
                    said.pop(run.uid, None)
                elif run.caller is None and run.phase and said.get(run.uid) != run.phase:
                    said[run.uid] = run.phase
                    message = f": {run.status.get('message')}" if run.status.get("message") else ""
                    say(f"{run.namespace}/{run.name} {run.phase}{message}", err=True)
        await asyncio.sleep(AGAIN)
