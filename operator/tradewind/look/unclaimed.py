"""Runs that no operator has taken up: nothing else would report that."""

import time
from collections.abc import Mapping
from typing import Any

from tradewind.control.dagrun.run import Run
from tradewind.kube.client import Object
from tradewind.look.reading import status as status_of
from tradewind.model import duration

PATIENCE = 10.0
"""Seconds within which an operator takes up a run, however busy it is."""
DOCTOR = "is one running? `tradewind doctor` looks"


def unclaimed(run: Run) -> str:
    """A message that no operator has taken up the run for a while; empty if one has, or still may. The API server's
    clock may differ."""
    lasts = _waits(run.created, run.status, run.deleting)
    if not lasts:
        return ""
    return f"no operator has taken it up for {duration.text(round(lasts))}: {DOCTOR}"


def all_unclaimed(items: list[Object]) -> str:
    """The same for runs as a server lists them; empty if there are none."""
    found = [
        meta["name"]
        for item in items
        if (meta := item["metadata"])
        and _waits(duration.instant(meta["creationTimestamp"]), status_of(item), "deletionTimestamp" in meta)
    ]
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return f"no operator has taken up {', '.join(found[:3])}{more}: {DOCTOR}" if found else ""


def _waits(created: float, status: Mapping[str, Any], deleting: bool) -> float:
    """Seconds that a run has waited for an operator to take it up; 0 for any other run."""
    lasts = time.time() - created
    return 0.0 if status or deleting or lasts < PATIENCE else lasts
