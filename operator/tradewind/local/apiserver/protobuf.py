"""Decodes objects that kubectl's typed commands send in protobuf (`kubectl create configmap`, `token`, `auth can-i`).

Field numbers are those of Kubernetes' published `generated.proto` files, for the kinds that such commands create.
Answers are JSON, which these clients accept too.
"""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tradewind.kube.client import Object

MAGIC = b"k8s\x00"
CONTENT = "application/vnd.kubernetes.protobuf"
DEEPEST = 20
"""Nesting levels of messages."""
Message = dict[int, tuple[str, str]]
"""Number -> name and type. `[]` before a type is a list, `{}` a map from strings to it; otherwise the name of a
message, or string, bytes, bool, int, time or quantity."""

MESSAGES: dict[str, Message] = {
    "TypeMeta": {1: ("apiVersion", "string"), 2: ("kind", "string")},
    "Unknown": {1: ("typeMeta", "TypeMeta"), 2: ("raw", "bytes*"), 3: ("contentEncoding", "string"), 4: ("contentType", "string")},
    "OwnerReference": {
        5: ("apiVersion", "string"), 1: ("kind", "string"), 3: ("name", "string"), 4: ("uid", "string"),
        6: ("controller", "bool"), 7: ("blockOwnerDeletion", "bool"),
    },
    "ObjectMeta": {
        1: ("name", "string"), 2: ("generateName", "string"), 3: ("namespace", "string"), 5: ("uid", "string"),
        6: ("resourceVersion", "string"), 7: ("generation", "int"), 8: ("creationTimestamp", "time"),
        11: ("labels", "{}string"), 12: ("annotations", "{}string"), 13: ("ownerReferences", "[]OwnerReference"),
        14: ("finalizers", "[]string"),
    },
    "ConfigMap": {1: ("metadata", "ObjectMeta"), 2: ("data", "{}string"), 3: ("binaryData", "{}bytes"), 4: ("immutable", "bool")},
    "Secret": {
        1: ("metadata", "ObjectMeta"), 2: ("data", "{}bytes"), 3: ("type", "string"), 4: ("stringData", "{}string"),
        5: ("immutable", "bool"),
    },
    "NamespaceSpec": {1: ("finalizers", "[]string")},
    "Namespace": {1: ("metadata", "ObjectMeta"), 2: ("spec", "NamespaceSpec")},
    "LocalReference": {1: ("name", "string")},
    "ServiceAccount": {
        1: ("metadata", "ObjectMeta"), 3: ("imagePullSecrets", "[]LocalReference"), 4: ("automountServiceAccountToken", "bool"),
    },
    "ScopeRequirement": {1: ("scopeName", "string"), 2: ("operator", "string"), 3: ("values", "[]string")},
    "ScopeSelector": {1: ("matchExpressions", "[]ScopeRequirement")},
    "ResourceQuotaSpec": {1: ("hard", "{}quantity"), 2: ("scopes", "[]string"), 3: ("scopeSelector", "ScopeSelector")},
    "ResourceQuota": {1: ("metadata", "ObjectMeta"), 2: ("spec", "ResourceQuotaSpec")},
    "PolicyRule": {
        1: ("verbs", "[]string"), 2: ("apiGroups", "[]string"), 3: ("resources", "[]string"), 4: ("resourceNames", "[]string"),
        5: ("nonResourceURLs", "[]string"),
    },
    "Role": {1: ("metadata", "ObjectMeta"), 2: ("rules", "[]PolicyRule")},
    "ClusterRole": {1: ("metadata", "ObjectMeta"), 2: ("rules", "[]PolicyRule")},
    "Subject": {1: ("kind", "string"), 2: ("apiGroup", "string"), 3: ("name", "string"), 4: ("namespace", "string")},
    "RoleRef": {1: ("apiGroup", "string"), 2: ("kind", "string"), 3: ("name", "string")},
    "RoleBinding": {1: ("metadata", "ObjectMeta"), 2: ("subjects", "[]Subject"), 3: ("roleRef", "RoleRef")},
    "ClusterRoleBinding": {1: ("metadata", "ObjectMeta"), 2: ("subjects", "[]Subject"), 3: ("roleRef", "RoleRef")},
    "BoundReference": {1: ("kind", "string"), 2: ("apiVersion", "string"), 3: ("name", "string"), 4: ("uid", "string")},
    "TokenRequestSpec": {1: ("audiences", "[]string"), 4: ("expirationSeconds", "int"), 3: ("boundObjectRef", "BoundReference")},
    "TokenRequest": {1: ("metadata", "ObjectMeta"), 2: ("spec", "TokenRequestSpec")},
    "ResourceAttributes": {
        1: ("namespace", "string"), 2: ("verb", "string"), 3: ("group", "string"), 4: ("version", "string"),
        5: ("resource", "string"), 6: ("subresource", "string"), 7: ("name", "string"),
    },
    "NonResourceAttributes": {1: ("path", "string"), 2: ("verb", "string")},
    "SelfSubjectAccessReviewSpec": {
        1: ("resourceAttributes", "ResourceAttributes"), 2: ("nonResourceAttributes", "NonResourceAttributes"),
    },
    "SelfSubjectAccessReview": {1: ("metadata", "ObjectMeta"), 2: ("spec", "SelfSubjectAccessReviewSpec")},
    "SelfSubjectReview": {1: ("metadata", "ObjectMeta")},
    "Preconditions": {1: ("uid", "string"), 2: ("resourceVersion", "string")},
    "DeleteOptions": {
        1: ("gracePeriodSeconds", "int"), 2: ("preconditions", "Preconditions"), 4: ("propagationPolicy", "string"),
        5: ("dryRun", "[]string"),
    },
}  # fmt: skip


def decoded(data: bytes) -> Object:
    """The object in a message. Raises ValueError for anything else and for kinds that are not known here."""
    if not data.startswith(MAGIC):
        raise ValueError("it does not begin as Kubernetes' protobuf does")
    envelope = _message("Unknown", data[len(MAGIC) :], 0)
    kind = (envelope.get("typeMeta") or {}).get("kind", "")
    if kind not in MESSAGES:
        raise ValueError(f"this server reads {kind or 'this kind'} as JSON or YAML only: `kubectl apply -f`")
    return {**envelope["typeMeta"], **_message(kind, envelope.get("raw", b""), 0)}


def _message(name: str, data: bytes, depth: int) -> Object:
    if depth > DEEPEST:
        raise ValueError("messages are nested too deep")
    known = MESSAGES[name]
    found: Object = {}
    for number, value in _fields(data):
        if number not in known:
            continue
        field, kind = known[number]
        if kind.startswith("[]"):
            found.setdefault(field, []).append(_value(kind[2:], value, depth))
        elif kind.startswith("{}"):
            entry = dict(_fields(_bytes(value)))
            found.setdefault(field, {})[_bytes(entry.get(1, b"")).decode()] = _value(kind[2:], entry.get(2, b""), depth)
        else:
            found[field] = _value(kind, value, depth)
    # Typed clients send unset fields as empty values; JSON omits them.
    return {field: value for field, value in found.items() if value not in ("", None, {}) or name == "Unknown"}


def _value(kind: str, value: int | bytes, depth: int) -> Any:
    match kind:
        case "int":
            return _int(value)
        case "bool":
            return bool(_int(value))
        case "string":
            return _bytes(value).decode()
        case "bytes":
            return base64.b64encode(_bytes(value)).decode()
        case "bytes*":
            return _bytes(value)
        case "quantity":
            return next((_bytes(part).decode() for number, part in _fields(_bytes(value)) if number == 1), "0")
        case "time":
            seconds = next((_int(part) for number, part in _fields(_bytes(value)) if number == 1), None)
            return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds is not None else None
    return _message(kind, _bytes(value), depth + 1)


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where a text is expected")
    return value


def _int(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise ValueError("a text where a number is expected")
    return value - (1 << 64) if value >= 1 << 63 else value


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field."""
    at = 0
    while at < len(data):
        head, at = _varint(data, at)
        number, wire = head >> 3, head & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire} is not known")
        if at + size > len(data):
            raise ValueError("it ends too early")
        yield number, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, at
    raise ValueError("a number does not end")
