"""Labels that say to which run and attempt an object belongs, and whether they can be trusted.

An object belongs to an attempt if the run owns it and its task, item and attempt match. Names are ambiguous: attempt 1 of task `a-1` and
attempt 1 of item 1 of task `a` have the same name. They do reveal changed labels: an object has one of the two names that follow from its
labels, or its labels were changed.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from tradewind import API_VERSION
from tradewind.control.pods.names import hashed, pod_name
from tradewind.kube.labels import ATTEMPT, CLUSTER_POOL, DAG, ITEM, POOL, RUN, RUN_UID, TASK
from tradewind.kube.pod import Metadata
from tradewind.model.dag_name import home
from tradewind.model.pool import PoolClaim
from tradewind.plan.capacity.pool_allotment import PoolId
from tradewind.plan.outcomes.attempt import AttemptKey, key, parse_key
from tradewind.plan.runs.decision import RunFacts, Start


def owner(run: RunFacts) -> dict[str, Any]:
    """The owner reference of objects that are deleted with the run."""
    return {
        "apiVersion": API_VERSION,
        "kind": "DAGRun",
        "name": run.name,
        "uid": run.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def labels(run: RunFacts, start: Start) -> dict[str, str]:
    """The labels of objects that an attempt creates."""
    found = {RUN_UID: run.uid, RUN: run.name, DAG: home(run.dag), TASK: start.task, ATTEMPT: str(start.number)}
    return found if start.index is None else {**found, ITEM: str(start.index)}


def attempt_of(labels: Mapping[str, str]) -> AttemptKey:
    """The task or item and the attempt number in the labels; the number is 0 if they are invalid."""
    attempt, item = labels.get(ATTEMPT, ""), labels.get(ITEM, "")
    number = int(attempt) if attempt.isdecimal() and len(attempt) < 10 else 0
    if item and not (item.isdecimal() and len(item) < 10):
        number = 0
    return key(labels.get(TASK, ""), int(item) if item and number else None), number


def owned(meta: Metadata, uid: str) -> bool:
    """Whether the run with that uid is an owner."""
    return uid in [reference.uid for reference in meta.owner_references]


def consistent(meta: Metadata, run: str, uid: str) -> bool:
    """Whether a run's object has a name that follows from its labels."""
    given = meta.labels
    name, item, attempt = given.get(TASK), given.get(ITEM), given.get(ATTEMPT)
    if name and attempt and meta.name == f"{run}-{name}-{attempt if item is None else f'{item}-{attempt}'}":
        return True
    unit, number = attempt_of(given)
    task, index = parse_key(unit)
    usual = pod_name(run, task, number, index)
    return number > 0 and meta.name in (usual, hashed(usual, f"{uid}/{unit}", number))


def pool_id(claim: PoolClaim, namespace: str) -> PoolId:
    """The pool that a task's claim refers to."""
    return (claim.kind, namespace if claim.kind == "Pool" else "", claim.name)


def pool_labels(claims: Iterable[PoolClaim]) -> dict[str, str]:
    """The labels for the slots that a pod, or a run of a sub-DAG, holds. The book of pools is rebuilt from them."""
    return {f"{POOL if item.kind == 'Pool' else CLUSTER_POOL}{item.name}": str(item.slots) for item in claims}


DIGITS = 9
"""Of slots in a label; no claim has more."""


def slots_of(labels: Mapping[str, str], namespace: str) -> dict[PoolId, int]:
    """The slots that an object of a namespace holds, by its labels."""
    found: dict[PoolId, int] = {}
    for label, value in labels.items():
        for prefix, kind in ((POOL, "Pool"), (CLUSTER_POOL, "ClusterPool")):
            if label.startswith(prefix) and value.isdecimal() and len(value) <= DIGITS:
                found[kind, namespace if kind == "Pool" else "", label.removeprefix(prefix)] = int(value)
    return found
