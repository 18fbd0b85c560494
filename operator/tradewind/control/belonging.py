"""How objects say which run, and which attempt of it, they belong to."""

from typing import Any

from tradewind import API_VERSION
from tradewind.kube.pod import ATTEMPT, DAG, ITEM, RUN, RUN_UID, TASK
from tradewind.plan.decision import RunFacts, Start


def owner(run: RunFacts) -> dict[str, Any]:
    """The owner reference of what goes when the run is deleted."""
    return {
        "apiVersion": API_VERSION,
        "kind": "DAGRun",
        "name": run.name,
        "uid": run.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def labels(run: RunFacts, start: Start) -> dict[str, str]:
    """The labels of what is made for an attempt."""
    found = {RUN_UID: run.uid, RUN: run.name, DAG: run.dag, TASK: start.task, ATTEMPT: str(start.number)}
    return found if start.index is None else {**found, ITEM: str(start.index)}
