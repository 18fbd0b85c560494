"""What of an object may leave the cluster: an allow-list. A field that it does not name is hidden, so new fields are
hidden too.

For Tradewind's kinds the schema is the list: a value is shown if it can only be a number, a moment, a duration, one of
some words or a name. For Kubernetes' kinds the fields named below are shown.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from tradewind.model.crd import manifests

HIDDEN = "<hidden>"
_NAME = re.compile(r"[a-zA-Z0-9_]([-\w.]{0,251}\w)?-?(\[\d{1,9}\])?")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]{5,15}(Z|[+-]\d\d:\d\d)")
_WORD = re.compile(r"[A-Z][A-Za-z0-9]{0,62}")
_ANY_OF = {
    "image": re.compile(r"[\w.\-/:@]{1,255}"),
    "progress": re.compile(r"\d+/\d+"),
    "duration": re.compile(r"([\d.]+(ms|s|m|h|d)){1,5}"),
}
WRITTEN: Mapping[str, re.Pattern[str]] = {
    **dict.fromkeys(("type", "reason", "phase"), _WORD),
    **dict.fromkeys(("name", "task", "revision", "latestRun"), _NAME),
    **_ANY_OF,
}
"""Free texts in the status of Tradewind's kinds: the operator's words and names, each with the pattern that it must
match."""
GIVEN: Mapping[str, re.Pattern[str]] = {"image": _ANY_OF["image"], "serviceAccountName": _NAME}
"""Free texts in a spec."""
OPEN = frozenset({"prefix", "path", "host", "endpoint", "header", "condition"})
"""Fields whose patterns allow more than a name."""
_ATTEMPT = re.compile(r"(\S+ (?:-?\d+\+\d+(?: [#@=]\d+)*(?: [A-Z]\w*)?|\^\d+|~[A-Z]\w*)).*")
"""A line of status.attempts up to the part that quotes others."""

SHOWN = frozenset({
    "apiVersion", "kind", "name", "namespace", "generateName", "uid", "resourceVersion", "generation", "creationTimestamp",
    "deletionTimestamp", "deletionGracePeriodSeconds", "controller", "blockOwnerDeletion", "phase", "reason", "type", "status",
    "lastTransitionTime", "startTime", "startedAt", "reopenedAt", "finishedAt", "exitCode", "signal", "ready", "started", "restartCount",
    "image", "imagePullPolicy", "nodeName", "serviceAccountName", "restartPolicy", "schedulerName", "priority", "qosClass",
    "terminationGracePeriodSeconds", "activeDeadlineSeconds", "replicas", "readyReplicas", "availableReplicas", "updatedReplicas",
    "unavailableReplicas", "observedGeneration", "holderIdentity", "leaseDurationSeconds", "renewTime", "acquireTime", "leaseTransitions",
    "count", "firstTimestamp", "lastTimestamp", "eventTime", "failurePolicy", "sideEffects", "timeoutSeconds", "matchPolicy", "operations",
    "apiGroups", "apiVersions", "scope", "cpu", "memory", "ephemeral-storage",
})  # fmt: skip
"""Fields of Kubernetes' kinds whose values are shown if they look like names, words, moments or quantities."""
INSIDE = frozenset({
    "metadata", "spec", "status", "ownerReferences", "containers", "initContainers", "containerStatuses", "initContainerStatuses", "state",
    "lastState", "terminated", "running", "waiting", "conditions", "requests", "limits", "env", "template", "involvedObject", "source",
    "webhooks", "rules",
})  # fmt: skip
"""Fields that are searched recursively, and `resources` if it is not a list of names."""
_PLAIN = re.compile(r"[\w.\-:/@+*]{1,255}")
LABELS = ("tradewind.dev/", "app.kubernetes.io/")
"""Labels that are shown."""

_TOLD = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w\-.~+/=]+"), rf"\1 {HIDDEN}"),
    (
        re.compile(r"(?i)((?:password|passwd|secret|token|apikey|api_key|access_key)[\w-]{0,128}\s*[=:]\s*)\S+"),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"://[^/\s:@]+:[^/\s@]+@"), f"://{HIDDEN}@"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), HIDDEN),
    (re.compile(r"(://[^\s?\"']+)\?[^\s\"']+"), rf"\1?{HIDDEN}"),
)
"""Credentials as they look in texts: headers, assignments, addresses with a password or a query, JSON Web Tokens. No
pattern backtracks over foreign text: its time would grow with the square of a line."""


def text(words: str) -> str:
    """A line of a log, with what looks like a credential hidden."""
    for pattern, instead in _TOLD:
        words = pattern.sub(instead, words)
    return words


def body(found: Any) -> Any:
    """An object, or a list of objects, with only what may be shown."""
    if isinstance(found, list):
        return [body(item) for item in found]
    schema = _schemas().get(str(found.get("kind"))) if isinstance(found, Mapping) else None
    if schema is None or not str(found.get("apiVersion")).startswith("tradewind.dev/"):
        return _of_kubernetes(found)
    parts = {part: _of_ours(found[part], schema[part], part, part == "status") for part in schema.keys() & found.keys()}
    return _of_kubernetes({key: value for key, value in found.items() if key not in parts}) | parts


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    """The schemas of spec and status of Tradewind's kinds."""
    found = {}
    for crd in manifests():
        parts = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
        found[crd["spec"]["names"]["kind"]] = {part: parts[part] for part in ("spec", "status") if part in parts}
    return found


def _of_ours(value: Any, schema: Mapping[str, Any], field: str, written: bool) -> Any:
    """A part of an object of Tradewind's kinds. `written`: the operator wrote it."""
    inner = schema.get("additionalProperties")
    if isinstance(value, list):
        return [_of_ours(item, schema.get("items") or {}, field, written) for item in value]
    if isinstance(value, Mapping) and "properties" in schema:
        known = schema["properties"]
        return {key: _of_ours(item, known[key], key, written) for key, item in value.items() if key in known}
    if isinstance(value, Mapping) and isinstance(inner, Mapping):
        named = (key if _NAME.fullmatch(key) else HIDDEN for key in value)
        return {key: _of_ours(item, inner, field, written) for key, item in zip(named, value.values(), strict=True)}
    return value if _closed(value, schema, field) else _open(value, field, written)


def _closed(value: Any, schema: Mapping[str, Any], field: str) -> bool:
    """Whether the schema leaves no room for an author's own text."""
    if value is None or schema.get("type") in ("integer", "number", "boolean"):
        return not isinstance(value, str)
    if schema.get("x-kubernetes-int-or-string") and isinstance(value, int):
        return True
    if "enum" in schema:
        return value in schema["enum"]
    if not isinstance(value, str) or schema.get("type") != "string":
        return False
    if schema.get("format") == "date-time":
        return bool(_MOMENT.fullmatch(value))
    return "pattern" in schema and field not in OPEN and bool(re.search(schema["pattern"], value))


def _open(value: Any, field: str, written: bool) -> Any:
    if not isinstance(value, str):
        return HIDDEN
    if field == "url":
        return _address(value)
    if written and field == "attempts":
        return "\n".join(match[1] if (match := _ATTEMPT.fullmatch(line)) else HIDDEN for line in value.splitlines())
    pattern = (WRITTEN if written else GIVEN).get(field)
    return value if pattern and pattern.fullmatch(value) else HIDDEN


def _of_kubernetes(value: Any, field: str = "") -> Any:
    """An object of Kubernetes' kinds, or a part of it."""
    if isinstance(value, list):
        return [_of_kubernetes(item, field) for item in value]
    if field == "labels" and isinstance(value, Mapping):
        return {key: item for key, item in value.items() if key.startswith(LABELS)}
    if isinstance(value, Mapping):
        whole = not field or field in INSIDE or field == "resources"
        return (
            {key: _of_kubernetes(item, key) for key, item in value.items() if key != "managedFields"}
            if whole
            else HIDDEN
        )
    if value is None or (field in (*SHOWN, "resources") and (not isinstance(value, str) or _PLAIN.fullmatch(value))):
        return value
    return HIDDEN


def _address(url: str) -> str:
    """The host of an address, without path and query."""
    try:
        parts = urlsplit(url)
        known = parts.hostname and re.fullmatch(r"[\w.\-:]+", parts.hostname)
        return f"{parts.scheme}://{parts.hostname}/{HIDDEN}" if known else HIDDEN
    except ValueError:
        return HIDDEN
