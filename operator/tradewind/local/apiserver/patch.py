"""Patches: JSON merge patch, JSON patch and strategic merge. Server-side apply is in `ownership`."""

from typing import Any

import jsonpatch

from tradewind.kube.client import Object
from tradewind.local.apiserver.errors import StatusError, bad_request

KEYS = {
    "containers": "name",
    "initContainers": "name",
    "containerStatuses": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
    "imagePullSecrets": "name",
    "ownerReferences": "uid",
    "conditions": "type",
    "taints": "key",
}
SETS = {"finalizers"}


def merge_patch(body: Any, patch: Any) -> Any:
    """JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(body) if isinstance(body, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def json_patch(body: Object, operations: Any) -> Object:
    """JSON patch (RFC 6902)."""
    try:
        patched: Object = jsonpatch.apply_patch(body, operations)
    except jsonpatch.JsonPatchTestFailed as error:
        raise StatusError(
            422, "Invalid", f"the server rejected our request due to an error in our request: {error}"
        ) from None
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError, KeyError) as error:
        raise bad_request(f"the patch can't be applied: {error}") from None
    return patched


def strategic(body: Any, patch: Any, field: str = "") -> Any:
    """Strategic merge patch, for the lists of built-in kinds that are merged by a key."""
    if isinstance(patch, dict):
        if patch.get("$patch") == "replace":
            return {key: value for key, value in patch.items() if key != "$patch"}
        result = dict(body) if isinstance(body, dict) else {}
        for key, value in patch.items():
            if key.startswith("$"):
                continue
            if value is None:
                result.pop(key, None)
            else:
                result[key] = strategic(result.get(key), value, key)
        return result
    if isinstance(patch, list) and isinstance(body, list):
        if field in SETS:
            return [*body, *(item for item in patch if item not in body)]
        if field in KEYS:
            return _keyed(body, patch, KEYS[field])
    return patch


def _keyed(body: list[Any], patch: list[Any], key: str) -> list[Any]:
    items = {item.get(key): item for item in body}
    for item in patch:
        mark = item.get(key)
        if item.get("$patch") == "delete":
            items.pop(mark, None)
        else:
            items[mark] = strategic(items.get(mark), item)
    return list(items.values())
