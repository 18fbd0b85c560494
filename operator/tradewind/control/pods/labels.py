"""How objects say which run, and which attempt of it, they belong to, and whether that can be believed.

An object belongs to an attempt when its owner is the run and its task, item and attempt are those of the attempt. Names alone don't
tell: attempt 1 of task `a-1` and attempt 1 of item 1 of task `a` have the same name. A name tells that labels were tampered with: an
object has one of the two names that its labels stand for, or its labels are not its own any more.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from tradewind import API_VERSION
from tradewind.control.pods.names import hashed, pod_name
from tradewind.kube.labels import ATTEMPT, CLUSTER_POOL, DAG, ITEM, POOL, RUN, RUN_UID, TASK
from tradewind.kube.pod import Metadata
from tradewind.model.pool import PoolClaim
from tradewind.plan.capacity.pool_allotment import PoolId
from tradewind.plan.outcomes.attempt import AttemptKey, key, parse_key
from tradewind.plan.runs.decision import RunFacts, Start


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


def attempt_of(labels: Mapping[str, str]) -> AttemptKey:
    """The task or item, and the number of the attempt, that labels name; the number is 0 where they name none."""
    attempt, item = labels.get(ATTEMPT, ""), labels.get(ITEM, "")
    number = int(attempt) if attempt.isdecimal() and len(attempt) < 10 else 0
    if item and not (item.isdecimal() and len(item) < 10):
        number = 0
    return key(labels.get(TASK, ""), int(item) if item and number else None), number


def owned(meta: Metadata, uid: str) -> bool:
    """Whether the run with that uid is an owner."""
    return uid in [reference.uid for reference in meta.owner_references]


def consistent(meta: Metadata, run: str, uid: str) -> bool:
    """Whether an object of a run has a name that its labels stand for."""
    told = meta.labels
    name, item, attempt = told.get(TASK), told.get(ITEM), told.get(ATTEMPT)
    if name and attempt and meta.name == f"{run}-{name}-{attempt if item is None else f'{item}-{attempt}'}":
        return True
    unit, number = attempt_of(told)
    task, index = parse_key(unit)
    usual = pod_name(run, task, number, index)
    return number > 0 and meta.name in (usual, hashed(usual, f"{uid}/{unit}", number))


def pool_id(claim: PoolClaim, namespace: str) -> PoolId:
    """Which pool a task of a namespace means."""
    return (claim.kind, namespace if claim.kind == "Pool" else "", claim.name)


def pool_labels(claims: Iterable[PoolClaim]) -> dict[str, str]:
    """What a pod says of the slots that it holds: the book is kept from these."""
    return {f"{POOL if item.kind == 'Pool' else CLUSTER_POOL}{item.name}": str(item.slots) for item in claims}
