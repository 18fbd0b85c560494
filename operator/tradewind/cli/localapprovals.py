"""Approvals of a run on this machine, where there is nobody else to ask."""

import asyncio
import getpass

from tradewind.cli.terminal import Console
from tradewind.control.run import Run
from tradewind.kube.client import Client
from tradewind.kube.resources import APPROVALS

LOOK = 0.3
"""Seconds between two looks."""


async def approvals(client: Client, run: Run, approve: bool, console: Console) -> None:
    """Says yes to everything that is asked, or how it can be; until cancelled."""
    told: set[str] = set()
    while True:
        for item in (await client.list(APPROVALS, run.namespace, fieldSelector=f"spec.run={run.name}"))["items"]:
            name, task = item["metadata"]["name"], item["spec"]["task"]
            if name in told:
                continue
            told.add(name)
            message = f": {item['spec']['message']}" if item["spec"].get("message") else ""
            if approve:
                spec = {"decision": "Approved", "by": getpass.getuser(), "comment": "run -f --approve"}
                await client.patch(APPROVALS, run.namespace, name, {"spec": spec})
                console.print(f"{task}: approved{message}")
            else:
                words = "Ctrl-C and run with --approve, or use `tradewind dev` and `tradewind approve`"
                console.print(f"{task} waits for approval{message} ({words})")
        await asyncio.sleep(LOOK)
