"""Pods as a kubelet reports them."""

import json
from typing import Any

from tradewind.kube.pod import Pod, parse_pod


def pod(
    status: dict[str, Any] | None = None, *, gone: bool = False, deleted: bool = False, node: str = "n1", **state: Any
) -> Pod:
    """A pod of task `a`, attempt 1; keywords are the state of its main container."""
    metadata = {
        "name": "r-a-1",
        "namespace": "ns",
        "uid": "pod-uid",
        "resourceVersion": "7",
        "labels": {"tradewind.dev/run-uid": "run-uid", "tradewind.dev/task": "a", "tradewind.dev/attempt": "1"},
        "ownerReferences": [{"uid": "run-uid", "name": "r", "controller": True}],
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    if deleted:
        metadata["deletionTimestamp"] = "2026-01-01T00:05:00Z"
        metadata["deletionGracePeriodSeconds"] = 30
    body = {"phase": "Pending", **(status or {})}
    if state:
        body["containerStatuses"] = [{"name": "main", "state": state}]
    parsed = parse_pod(json.dumps({"metadata": metadata, "spec": {"nodeName": node}, "status": body}))
    if not gone:
        return parsed
    import msgspec

    return msgspec.structs.replace(parsed, gone=True)


def terminated(code: int, message: str = "", reason: str = "", seconds: int = 3) -> dict[str, Any]:
    """The state of a container that has ended."""
    return {
        "exitCode": code,
        "reason": reason or ("Completed" if code == 0 else "Error"),
        "message": message,
        "startedAt": "2026-01-01T00:00:10Z",
        "finishedAt": f"2026-01-01T00:00:{10 + seconds}Z",
    }
