"""ResourceQuota: limits of a namespace."""

import re
from decimal import Decimal
from typing import Any

from tradewind.local.apiserver.errors import forbidden
from tradewind.local.apiserver.store import ObjectStore

_SUFFIX = {"m": Decimal("0.001"), "": Decimal(1), "k": Decimal(10) ** 3, "M": Decimal(10) ** 6, "G": Decimal(10) ** 9}
_SUFFIX |= {"Ki": Decimal(2) ** 10, "Mi": Decimal(2) ** 20, "Gi": Decimal(2) ** 30, "Ti": Decimal(2) ** 40}


def amount(text: Any) -> Decimal:
    """A quantity as a number."""
    match = re.fullmatch(r"([0-9.]+)(.*)", str(text))
    return Decimal(match[1]) * _SUFFIX.get(match[2], Decimal(1)) if match else Decimal(0)


def _uses(pod: dict[str, Any], resource: str) -> Decimal:
    if resource in ("pods", "count/pods"):
        return Decimal(1)
    section, _, name = resource.rpartition(".")
    if section not in ("requests", "limits"):
        section, name = "requests", resource
    return sum(
        (amount(item.get("resources", {}).get(section, {}).get(name, 0)) for item in pod["spec"]["containers"]),
        Decimal(0),
    )


def _counts(pod: dict[str, Any], resource: str) -> bool:
    return resource == "count/pods" or pod["status"].get("phase") not in ("Succeeded", "Failed")


def admit(store: ObjectStore, pod: dict[str, Any]) -> None:
    """Raises 403, in the words of a real server, for a pod that exceeds a quota."""
    meta = pod["metadata"]
    quotas = store.list("/resourcequotas", meta["namespace"])
    if not quotas:
        return
    pods = store.list("/pods", meta["namespace"])
    for quota in quotas:
        over = []
        for resource, limit in (quota.get("spec", {}).get("hard") or {}).items():
            wanted = _uses(pod, resource)
            used = sum((_uses(other, resource) for other in pods if _counts(other, resource)), Decimal(0))
            if wanted and used + wanted > amount(limit):
                over.append((resource, wanted, used, limit))
        if over:
            told = [
                f"{word}: " + ",".join(f"{item[0]}={item[place]}" for item in over)
                for word, place in (("requested", 1), ("used", 2), ("limited", 3))
            ]
            raise forbidden("pods", meta["name"], f"exceeded quota: {quota['metadata']['name']}, {', '.join(told)}")
