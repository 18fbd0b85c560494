"""The parts of a followed object that are kept: those that show changes, and the rest as text, which takes a tenth of the memory of parsed
data."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import msgspec

from tradewind.kube.labels import RUN_UID
from tradewind.kube.nested import decoded, load, pruned
from tradewind.kube.resources import Resource
from tradewind.model.object_change import ObjectChange
from tradewind.plan import selectors
from tradewind.plan.triggers.object_change import NAMING, OF_SECRETS, Observed, condition_holds

WATCHED_METADATA = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp", "labels")
"""Metadata that are read all the time."""
Parts = dict[str, msgspec.Raw]
_parts = partial(decoded, msgspec.json.Decoder(Parts).decode)


def observed(raw: bytes, resource: Resource, follows: Iterable[ObjectChange]) -> tuple[str, Observed | None]:
    """The name of an object, and the parts to keep; None if no trigger follows it. Of a Secret, only what triggers can read is kept.
    Objects that belong to a run are never followed: runs made from them would make others."""
    parts = _parts(pruned(raw))
    meta: Parts = _parts(parts["metadata"])
    meta.pop("managedFields", None)
    metadata: dict[str, Any] = {name: load(bytes(meta[name])) for name in WATCHED_METADATA if name in meta}
    known = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
    wanted = [spec for spec in follows if selectors.matches(spec.label_selector, known)]
    if not wanted or RUN_UID in (metadata.get("labels") or {}):
        return metadata["name"], None
    if resource.kind == "Secret":
        parts = {name: part for name, part in parts.items() if name in OF_SECRETS}
        meta = {name: part for name, part in meta.items() if name in NAMING or name in WATCHED_METADATA}
    whole = {**parts, "apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta}
    holds = _conditions(parts, wanted) if "status" in parts else []
    return metadata["name"], Observed({**known, "status": {"conditions": holds}}, msgspec.json.encode(whole))


def _conditions(parts: Mapping[str, msgspec.Raw], wanted: Iterable[ObjectChange]) -> list[dict[str, str]]:
    """The object's conditions among those that triggers wait for."""
    asked = {(spec.condition.type, spec.condition.status): spec for spec in wanted if spec.condition}
    if not asked:
        return []
    body = {"status": load(bytes(parts["status"]))}
    return [{"type": key[0], "status": key[1]} for key, spec in asked.items() if condition_holds(spec, body)]
