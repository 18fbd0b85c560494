"""Merge patches of a status: the difference between the stored and the wanted one."""

from collections.abc import Mapping
from typing import Any

Status = dict[str, Any]


def merged(before: Mapping[str, Any], after: Status) -> Status:
    """`before` with the fields of `after`. None in `after` removes a field; empty values are omitted."""
    return {key: value for key, value in {**before, **after}.items() if value not in (None, "", [], {})}


def difference(before: Mapping[str, Any], after: Status) -> Status:
    """The merge patch that turns `before` into `after`; nested maps are patched by key."""
    patch: Status = {}
    for key, value in after.items():
        old = before.get(key)
        if old == value or (value in ("", [], {}) and not old):
            continue
        if isinstance(value, dict) and isinstance(old, dict):
            if changed := {name: item for name, item in value.items() if old.get(name) != item}:
                patch[key] = changed
        else:
            patch[key] = value
    return patch
