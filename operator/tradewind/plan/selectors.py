"""Label selectors of Kubernetes."""

from collections.abc import Mapping
from typing import Any

from tradewind.model.object_change import LabelSelector


def matches(selector: LabelSelector, body: Mapping[str, Any]) -> bool:
    """Whether an object's labels match a selector."""
    labels = (body.get("metadata") or {}).get("labels") or {}
    if any(labels.get(key) != value for key, value in selector.match_labels.items()):
        return False
    for requirement in selector.match_expressions:
        there, value = requirement.key in labels, labels.get(requirement.key)
        match requirement.operator:
            case "In":
                holds = there and value in requirement.values
            case "NotIn":
                holds = value not in requirement.values
            case "Exists":
                holds = there
            case _:
                holds = not there
        if not holds:
            return False
    return True
