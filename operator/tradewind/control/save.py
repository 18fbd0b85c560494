"""Writing the status of a run."""

import asyncio
from collections.abc import Mapping
from typing import Any

from tradewind.control.run import Run
from tradewind.control.runstatus import Status, merged
from tradewind.control.view import View
from tradewind.kube.client import Client, Object
from tradewind.kube.fairqueue import Lane
from tradewind.kube.resources import RUNS
from tradewind.kube.writes import flow


async def save(client: Client, view: View, run: Run, status: Status) -> Object | None:
    """Writes a status that was worked out of `run`, on condition that the run is still so; the stored run, or None where there is nothing to change. Raises
    Conflict when it is not, NotFound. The whole status is sent: that costs the API server less than a patch, which it has to merge."""
    wanted = merged(run.status, status)
    if wanted == run.status:
        return None
    lane = Lane.NORMAL if wanted["phase"] == run.phase else Lane.URGENT
    began = asyncio.get_running_loop().time()
    with flow(run.namespace, run.uid, lane):
        stored = await replaced(client, run, wanted)
    view.save_took = asyncio.get_running_loop().time() - began
    return stored


async def replaced(client: Client, run: Run, status: Mapping[str, Any]) -> Object:
    """The stored run with this status. Raises Conflict when it is not as we know it, NotFound."""
    meta = {"name": run.name, "namespace": run.namespace, "uid": run.uid, "resourceVersion": str(run.version)}
    body = {"apiVersion": RUNS.api_version, "kind": RUNS.kind, "metadata": meta, "status": status}
    return await client.replace(RUNS, run.namespace, run.name, body, "status")
