"""Drops malformed values from a run's status. The operator rewrites the status from what happened, so nothing is lost."""

from collections.abc import Mapping
from typing import Any

LISTS: Mapping[str, frozenset[str]] = {
    "failures": frozenset({"task", "attempt", "reason"}),
    "waiting": frozenset({"task", "reason"}),
    "skips": frozenset({"task"}),
    "conditions": frozenset({"type", "status", "lastTransitionTime"}),
    "produced": frozenset({"name"}),
}
"""The fields that an item must have."""
MAPS = ("bound", "kept")
NUMBERS = ("retried", "edited", "total", "done", "failed", "skipped")
TEXTS = ("phase", "message", "revision", "startedAt", "reopenedAt", "finishedAt")


def sanitized(status: Any) -> Mapping[str, Any]:
    """The status without malformed values, which the operator doesn't need. A status that the operator wrote is returned unchanged."""
    if not isinstance(status, Mapping):
        return {}
    bad = {name for name in LISTS.keys() & status.keys() if not _right(status[name], LISTS[name])}
    bad |= {name for name in NUMBERS if type(status.get(name, 0)) is not int}
    bad |= {name for name in MAPS if not isinstance(status.get(name, {}), Mapping)}
    bad |= {name for name in TEXTS if not isinstance(status.get(name, ""), str)}
    if not bad:
        return status
    kept = {name: value for name, value in status.items() if name not in bad}
    for name in bad & LISTS.keys():
        found = status[name] if isinstance(status[name], list) else []
        kept[name] = [item for item in found if _right([item], LISTS[name])]
    return kept


def _right(items: Any, needed: frozenset[str]) -> bool:
    return isinstance(items, list) and all(_fits(item, needed) for item in items)


def _fits(item: Any, needed: frozenset[str]) -> bool:
    if not isinstance(item, Mapping) or not item.keys() >= needed:
        return False
    return all(isinstance(value, int if name == "attempt" else str) for name, value in item.items() if name in needed)
