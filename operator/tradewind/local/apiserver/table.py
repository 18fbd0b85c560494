"""Server-side tables, as `kubectl get` shows them."""

from datetime import UTC, datetime
from typing import Any

from tradewind.kube.client import Object
from tradewind.local.apiserver.kinds import Kind, look_up

NAME = {"name": "Name", "type": "string", "format": "name", "description": "Name of the object", "priority": 0}


def wanted(accept: str) -> bool:
    """Whether a client asks for a table."""
    return "as=Table" in accept


def render(kind: Kind, items: list[Object], now: datetime, version: str, headers: bool = True) -> Object:
    """A Table of objects."""
    columns = list(kind.columns) or _built_in(kind)
    definitions = [
        NAME,
        *(
            {"format": "", "description": "", "priority": 0, **{k: v for k, v in item.items() if k != "jsonPath"}}
            for item in columns
        ),
    ]
    rows = [
        {
            "cells": [item["metadata"]["name"], *(_cell(item, column, now) for column in columns)],
            "object": {
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": item["metadata"],
            },
        }
        for item in items
    ]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version},
        "columnDefinitions": definitions if headers else [],
        "rows": rows,
    }


def _built_in(kind: Kind) -> list[Object]:
    age = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}
    if kind.plural == "pods":
        return [
            {"name": "Ready", "type": "string", "jsonPath": "ready()"},
            {"name": "Status", "type": "string", "jsonPath": "status()"},
            {"name": "Restarts", "type": "integer", "jsonPath": "restarts()"},
            age,
        ]
    if kind.plural == "events":
        return [
            {"name": "Last Seen", "type": "date", "jsonPath": ".lastTimestamp"},
            {"name": "Type", "type": "string", "jsonPath": ".type"},
            {"name": "Reason", "type": "string", "jsonPath": ".reason"},
            {"name": "Object", "type": "string", "jsonPath": "object()"},
            {"name": "Message", "type": "string", "jsonPath": ".message"},
        ]
    if kind.plural == "leases":
        return [{"name": "Holder", "type": "string", "jsonPath": ".spec.holderIdentity"}, age]
    return [age]


def _cell(item: Object, column: Object, now: datetime) -> Any:
    path = column["jsonPath"]
    if path == "object()":
        about = item.get("involvedObject") or {}
        return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"
    if path.endswith("()"):
        return _pod(item, path)
    value = look_up(item, path)
    if column["type"] == "date":
        return "<none>" if not value else _ago(value, now)
    if value is None:
        return None if column["type"] in ("integer", "number", "boolean") else ""
    return value


def _pod(item: Object, what: str) -> Any:
    statuses = item.get("status", {}).get("containerStatuses") or []
    if what == "ready()":
        return f"{sum(bool(entry.get('ready')) for entry in statuses)}/{len(item['spec']['containers'])}"
    if what == "restarts()":
        return sum(entry.get("restartCount", 0) for entry in statuses)
    if item["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for entry in statuses:
        state = entry.get("state", {})
        for part in ("waiting", "terminated"):
            if reason := state.get(part, {}).get("reason"):
                return reason
    return item.get("status", {}).get("phase", "")


def _ago(stamp: str, now: datetime) -> str:
    seconds = max(0, int((now - datetime.fromisoformat(stamp).astimezone(UTC)).total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size * (2 if unit == "m" else 1):
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
