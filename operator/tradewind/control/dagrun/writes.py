"""Writing the status of a run."""

from collections.abc import Mapping
from typing import Any

from tradewind.control.dagrun.run import Run
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import Invalid
from tradewind.kube.fair_queue import Lane
from tradewind.kube.merge_patch import Status, merged
from tradewind.kube.resources import RUNS
from tradewind.kube.size import OBJECT_LIMIT, stored_size
from tradewind.kube.writes import flow

MARGIN = 128 * 1024
"""Bytes for metadata, with their managed fields, and for what else the spec says."""
REQUEST_TOO_LARGE = 413
SMALL = 64 * 1024
"""Bytes of a status for which the API server has room in any object that it has stored."""


class StatusTooLarge(Exception):
    """A status that the API server would not store."""


def _check_size(run: Run, status: Mapping[str, Any]) -> None:
    spec = {"params": dict(run.params), "edits": list(run.edits), "reuse": run.reuse}
    room = OBJECT_LIMIT - MARGIN - stored_size(spec)
    if (size := stored_size(status)) > max(room, SMALL):
        raise StatusTooLarge(
            f"the run's status would be {size // 1024} KiB large, and its object has room for {room // 1024} KiB: hand on the path, size "
            "and checksum of big results, or divide the DAG"
        )


async def save(client: Client, run: Run, status: Status) -> Object | None:
    """Writes a status that was worked out of `run`, on condition that the run is still so; the stored run, or None where there is nothing to change. Raises
    Conflict when it is not, NotFound, StatusTooLarge. The whole status is sent: that costs the API server less than a patch, which it has to merge."""
    wanted = merged(run.status, status)
    if wanted == run.status:
        return None
    _check_size(run, wanted)
    lane = Lane.NORMAL if wanted["phase"] == run.phase else Lane.URGENT
    with flow(run.namespace, run.uid, lane):
        try:
            return await replaced(client, run, wanted)
        except Invalid as error:
            if error.status != REQUEST_TOO_LARGE:
                raise
            raise StatusTooLarge(f"the API server has no room for the run's status: {error.message}") from None


async def replaced(client: Client, run: Run, status: Mapping[str, Any]) -> Object:
    """The stored run with this status. Raises Conflict when it is not as we know it, NotFound."""
    meta = {"name": run.name, "namespace": run.namespace, "uid": run.uid, "resourceVersion": str(run.version)}
    body = {"apiVersion": RUNS.api_version, "kind": RUNS.kind, "metadata": meta, "status": status}
    return await client.replace(RUNS, run.namespace, run.name, body, "status")
