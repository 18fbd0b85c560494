"""Writing the status of a run."""

import asyncio

from tradewind.control.runstatus import Status, merged
from tradewind.control.view import View
from tradewind.kube.client import Client, Object
from tradewind.kube.fairqueue import Lane
from tradewind.kube.resources import RUNS
from tradewind.kube.writes import flow


async def save(client: Client, view: View, status: Status) -> Object | None:
    """Writes the status, on condition that the run is as we know it; the stored run, or None where there is nothing to change. Raises
    Conflict when it is not, NotFound. The whole status is sent: that costs the API server less than a patch, which it has to merge."""
    run = view.run
    wanted = merged(run.status, status)
    if wanted == run.status:
        return None
    meta = {"name": run.name, "namespace": run.namespace, "uid": run.uid, "resourceVersion": str(run.version)}
    body = {"apiVersion": RUNS.api_version, "kind": RUNS.kind, "metadata": meta, "status": wanted}
    lane = Lane.NORMAL if wanted["phase"] == run.phase else Lane.URGENT
    began = asyncio.get_running_loop().time()
    with flow(run.namespace, run.uid, lane):
        stored = await client.replace(RUNS, run.namespace, run.name, body, "status")
    view.save_took = asyncio.get_running_loop().time() - began
    return stored
