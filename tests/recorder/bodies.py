"""DAGRuns as an API server sends them."""

from typing import Any

import orjson

BY_PHASE = {"Succeeded": "a 0+1", "Failed": "a 0+1 =3 Error", "Cancelled": "a 0+1 Cancelled", "Running": ""}


def body(name: str = "etl-1", version: int = 5, phase: str = "Succeeded", **more: Any) -> dict[str, Any]:
    metadata = {
        "name": name,
        "namespace": "shop",
        "uid": f"uid-{name}",
        "resourceVersion": str(version),
        "creationTimestamp": "2026-05-01T06:00:00Z",
        "labels": {"tradewind.dev/trigger-type": "schedule", "tradewind.dev/trigger": "nightly"},
        **more.pop("metadata", {}),
    }
    status = {
        "phase": phase,
        "startedAt": "2026-05-01T06:00:01Z",
        **({"finishedAt": "2026-05-01T06:01:00Z"} if phase in ("Succeeded", "Failed", "Cancelled") else {}),
        "attempts": BY_PHASE[phase],
        "total": 1,
        "done": 1,
        "revision": "etl-abc",
        "revisionNumber": 3,
        **more.pop("status", {}),
    }
    return {
        "apiVersion": "tradewind.dev/v1alpha1",
        "kind": "DAGRun",
        "metadata": metadata,
        "spec": {"dag": "etl", "params": {"n": 1}, **more.pop("spec", {})},
        "status": status,
        **more,
    }


def raw(*arguments: Any, **more: Any) -> bytes:
    return orjson.dumps(body(*arguments, **more))
