"""Runs that no operator has looked at: nobody else would say so."""

import time

from tradewind.cli.reading import status as status_of
from tradewind.control.dagrun.run import Run
from tradewind.kube.client import Object
from tradewind.model import duration

PATIENCE = 10.0
"""Seconds within which an operator takes up a run, however busy it is."""
DOCTOR = "is one running? `tradewind doctor` looks"


def unclaimed(run: Run) -> str:
    """That no operator has taken it up for a while, for people; empty where one has, or may still. The API server's clock may differ."""
    lasts = time.time() - run.created
    if run.status or run.deleting or lasts < PATIENCE:
        return ""
    return f"no operator has taken it up for {duration.text(round(lasts))}: {DOCTOR}"


def all_unclaimed(items: list[Object]) -> str:
    """The same of runs as a server lists them; empty where there are none."""
    now = time.time()

    def lasts(item: Object) -> float:
        return now - duration.instant(item["metadata"]["creationTimestamp"])

    found = [
        item["metadata"]["name"]
        for item in items
        if not status_of(item) and "deletionTimestamp" not in item["metadata"] and lasts(item) >= PATIENCE
    ]
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return f"no operator has taken up {', '.join(found[:3])}{more}: {DOCTOR}" if found else ""
