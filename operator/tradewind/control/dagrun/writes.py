"""Writes to a run: its labels, its end, its status."""

import contextlib
import re
from collections.abc import Mapping
from typing import Any

from tradewind.control.dagrun.run import Run, read_run
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import Invalid, NotFound
from tradewind.kube.fair_queue import Lane
from tradewind.kube.labels import DAG, HOW, MANUAL
from tradewind.kube.merge_patch import Status, merged
from tradewind.kube.resources import RUNS
from tradewind.kube.size import OBJECT_LIMIT, stored_size
from tradewind.kube.writes import flow
from tradewind.model.base import DNS_LABEL

MARGIN = 128 * 1024
"""Bytes for metadata, including managed fields, and for the other fields of the spec."""
REQUEST_TOO_LARGE = 413
SMALL = 64 * 1024
"""Bytes of a status that fit into any object that the API server has stored."""
NAME = re.compile(DNS_LABEL)


class StatusTooLarge(Exception):
    """The API server would not store this status."""


def _check_size(run: Run, status: Mapping[str, Any]) -> None:
    spec = {"params": dict(run.params), "edits": list(run.edits), "reuse": run.reuse}
    room = OBJECT_LIMIT - MARGIN - stored_size(spec)
    if (size := stored_size(status)) > max(room, SMALL):
        raise StatusTooLarge(
            f"the run's status would be {size // 1024} KiB large, and its object has room for {room // 1024} KiB: hand on the path, size "
            "and checksum of big results, or divide the DAG"
        )


async def add_labels(client: Client, run: Run) -> Run | None:
    """Adds the labels that the creator of a manual run left out: what made it, and its DAG. Returns the stored run, or None
    where no label was missing. Raises NotFound."""
    labels = {} if run.how else {HOW: MANUAL}
    if not run.labelled and NAME.fullmatch(run.home):  # Other names are neither a DAG's nor valid in a label.
        labels[DAG] = run.home
    if not labels:
        return None
    return await label(client, run, labels)


async def label(client: Client, run: Run, labels: Mapping[str, str]) -> Run:
    """Gives a run labels, and returns the stored run. Raises NotFound."""
    return read_run(await client.patch(RUNS, run.namespace, run.name, {"metadata": {"labels": dict(labels)}}))


async def cancel(client: Client, run: Run, desired: str = "Cancelled") -> None:
    """Requests a run's end, if the run exists. `desired` is Cancelled or Terminated."""
    with contextlib.suppress(NotFound):
        await client.patch(RUNS, run.namespace, run.name, {"spec": {"desiredState": desired}})


async def save(client: Client, run: Run, status: Status) -> Object | None:
    """Writes a status that was computed from `run`. Returns the stored run, or None where nothing changes. Raises Conflict when the run has
    changed since, NotFound, StatusTooLarge. It sends the whole status: a patch costs the API server more, which has to merge it."""
    wanted = merged(run.status, status)
    if wanted == run.status:
        return None
    _check_size(run, wanted)
    lane = Lane.NORMAL if wanted["phase"] == run.phase else Lane.URGENT
    with flow(run.namespace, run.uid, lane):
        try:
            return await replace_status(client, run, wanted)
        except Invalid as error:
            if error.status != REQUEST_TOO_LARGE:
                raise
            raise StatusTooLarge(f"the API server has no room for the run's status: {error.message}") from None


async def replace_status(client: Client, run: Run, status: Mapping[str, Any]) -> Object:
    """Replaces the status and returns the stored run. Raises Conflict when the run has changed since it was read, NotFound."""
    meta = {"name": run.name, "namespace": run.namespace, "uid": run.uid, "resourceVersion": str(run.version)}
    body = {"apiVersion": RUNS.api_version, "kind": RUNS.kind, "metadata": meta, "status": status}
    return await client.replace(RUNS, run.namespace, run.name, body, "status")
