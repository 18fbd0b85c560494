"""Changes of the objects of a kind since a trigger last processed them. Pure."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from tradewind import GROUP
from tradewind.model.object_change import ObjectChange
from tradewind.plan.cel.compiler import Variables
from tradewind.plan.documents.problem import Problem

Body = Mapping[str, Any]
VARIABLES: Variables = (("object", "object"), ("old", "object"), ("change", "string"))
"""The object, its state when last processed (empty if unknown), and the kind of change."""
OBJECTS_LIMIT = 500
"""Objects that a trigger follows: its status holds a line for each."""
_NONE: Body = {}
OF_SECRETS = frozenset({"apiVersion", "kind", "type", "metadata"})
"""Fields of a Secret that are shown; and those of its metadata:"""
NAMING = frozenset({"name", "namespace", "labels", "resourceVersion"})
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""The annotation in which `kubectl apply` keeps what was applied, including the values of Secrets."""


class Observed(dict[str, Any]):
    """The part of an object that shows whether it has changed. `raw` is all of it, as JSON, parsed on demand."""

    def __init__(self, told: Body, raw: bytes) -> None:
        super().__init__(told)
        self.raw = raw


@dataclass(frozen=True, slots=True)
class Seen:
    """A processed object."""

    uid: str
    """A digest of the uid."""
    version: str = ""
    """The version of which a run was last created; empty if updates don't count."""
    holds: bool = False
    """Whether the condition holds."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an object."""

    kind: str
    name: str
    object: Body
    old: Body = field(default_factory=dict)

    @property
    def version(self) -> str:
        """The object's version; empty if unknown."""
        return str((self.object.get("metadata") or {}).get("resourceVersion", ""))


def digest(body: Body) -> str:
    """The digest of an object's uid; the stand-in for a deleted object already has it."""
    meta = body.get("metadata") or {}
    return str(meta.get("uidDigest") or hashlib.sha256(str(meta.get("uid")).encode()).hexdigest()[:10])


def condition_holds(spec: ObjectChange, body: Body) -> bool:
    """Whether an object has the condition that a trigger waits for."""
    wanted, status = spec.condition, body.get("status")
    conditions: Any = status.get("conditions") if isinstance(status, Mapping) else None
    if wanted is None or not isinstance(conditions, list):
        return False
    return any(
        isinstance(item, Mapping) and (item.get("type"), item.get("status")) == (wanted.type, wanted.status)
        for item in conditions
    )


def seen(spec: ObjectChange, body: Body) -> Seen:
    """The record of an object that has been processed in this state."""
    version = str(body["metadata"]["resourceVersion"]) if "Updated" in spec.changes else ""
    return Seen(digest(body), version, condition_holds(spec, body))


def changes(
    spec: ObjectChange, known: Mapping[str, Seen], before: Mapping[str, Body], now: Mapping[str, Body]
) -> list[Change]:
    """The changes of the objects that a trigger follows, since `known`, by name: deletions first, then by version.
    `before` are the objects as last processed, as far as known. An object has one change at a time."""
    found: list[Change] = []
    for name, entry in known.items():
        if name not in now or digest(now[name]) != entry.uid:
            old = before.get(name, _NONE)
            gone = old if old and digest(old) == entry.uid else {"metadata": {"name": name, "uidDigest": entry.uid}}
            found.append(Change("Deleted", name, gone, old))
    newer: list[tuple[int, Change]] = []
    for name, body in now.items():
        known_as, version = known.get(name), str(body["metadata"]["resourceVersion"])
        kind = ""
        if known_as is None or known_as.uid != digest(body):
            kind = "Created"
            if "Created" not in spec.changes and condition_holds(spec, body):
                kind = "Condition"
        elif condition_holds(spec, body) != known_as.holds:
            kind = "Lapsed" if known_as.holds else "Condition"
            if known_as.holds and "Updated" in spec.changes and known_as.version != version:
                kind = "Updated"
        elif "Updated" in spec.changes and version != known_as.version:
            last = before.get(name)
            kind = "Updated" if last is None or str(last["metadata"]["resourceVersion"]) != version else ""
        if kind:
            newer.append((int(version), Change(kind, name, body, before.get(name, _NONE))))
    return found + [change for _, change in sorted(newer, key=lambda item: item[0])]


def written(known: Mapping[str, Seen]) -> str:
    """The records in the form of a status."""
    return "\n".join(
        " ".join((name, item.uid, *([item.version] if item.version else []), *(["+"] if item.holds else [])))
        for name, item in sorted(known.items())
    )


def read(text: str) -> dict[str, Seen]:
    """The records from a status. Raises ValueError if it was edited into something invalid."""
    found = {}
    for line in text.splitlines():
        name, uid, *rest = line.split(" ")
        version = rest[0] if rest and rest[0] != "+" else ""
        found[name] = Seen(uid, version, rest[-1:] == ["+"])
    return found


def check(spec: ObjectChange) -> Iterator[Problem]:
    """What is wrong with the objects that a trigger follows."""
    if spec.api_version.startswith(f"{GROUP}/"):
        instead = "follow runs with `completed`, and what they produce with `assets`"
        yield Problem("spec.object.apiVersion", "Tradewind's own objects change by the runs that it makes", instead)
    if (spec.condition is None) == ("Condition" in spec.changes):
        found = Problem(
            "spec.object.condition", "needs both or none", "write condition, and Condition among the changes"
        )
        yield found.resting("spec.object.changes[*]")
    for index, requirement in enumerate(spec.label_selector.match_expressions):
        if bool(requirement.values) != (requirement.operator in ("In", "NotIn")):
            path = f"spec.object.labelSelector.matchExpressions[{index}].values"
            found = Problem(path, f"{requirement.operator} takes {'none' if requirement.values else 'some'}", "")
            yield found.resting(path.replace(".values", ".operator"))


def values(change: Change) -> dict[str, Any]:
    """The values, by the names of VARIABLES, with objects as in `public`."""
    return {"object": public(_whole(change.object)), "old": public(_whole(change.old)), "change": change.kind}


def _whole(body: Body) -> Body:
    return orjson.loads(body.raw) if isinstance(body, Observed) else body


def public(body: Body) -> dict[str, Any]:
    """An object as expressions see it: of a Secret only its names and description, and of no object the copy that
    `kubectl apply` keeps in an annotation."""
    found = {name: value for name, value in body.items() if body.get("kind") != "Secret" or name in OF_SECRETS}
    if (meta := found.get("metadata")) and isinstance(meta, Mapping):
        known = NAMING if body.get("kind") == "Secret" else meta.keys() - {"uidDigest"}
        found["metadata"] = {name: _without_copy(name, value) for name, value in meta.items() if name in known}
    return found


def _without_copy(name: str, value: Any) -> Any:
    if name != "annotations" or not isinstance(value, Mapping):
        return value
    return {key: text for key, text in value.items() if key != LAST_APPLIED}
