"""Merges a user's podTemplate into the pod that Tradewind builds, by Kubernetes' strategic merge for the fields of a pod."""

from typing import Any

MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ports": "containerPort",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "resourceClaims": "name",
}
"""Lists that are merged by a key; every other list is replaced. Source: `patchMergeKey` in the Kubernetes API reference."""


def merge(base: Any, over: Any, field: str = "") -> Any:
    """`over` merged into `base`; null removes."""
    if isinstance(base, dict) and isinstance(over, dict):
        result = dict(base)
        for key, value in over.items():
            if value is None:
                result.pop(key, None)
            else:
                result[key] = merge(base[key], value, key) if key in base else value
        return result
    key = MERGE_KEYS.get(field)
    if key and isinstance(base, list) and isinstance(over, list) and _keyed(base, key) and _keyed(over, key):
        items = {item[key]: item for item in base}
        for item in over:
            items[item[key]] = merge(items[item[key]], item) if item[key] in items else item
        return list(items.values())
    return over


def _keyed(items: list[Any], key: str) -> bool:
    return all(isinstance(item, dict) and isinstance(item.get(key), str | int) for item in items)
