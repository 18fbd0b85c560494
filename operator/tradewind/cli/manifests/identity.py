"""The identity of a document: apiVersion, kind and metadata."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tradewind import API_VERSION, GROUP
from tradewind.cli.manifests import yaml_misreadings
from tradewind.cli.manifests.document import KINDS, Document
from tradewind.model.base import DNS_SUBDOMAIN, LABEL_KEY, LABEL_VALUE, NAMED
from tradewind.model.crd import KINDS as MODELS
from tradewind.model.dag_name import home, local
from tradewind.plan.documents import wording
from tradewind.plan.documents.nearest import nearest
from tradewind.plan.documents.problem import Problem

GENERATED = ("DAGRun", "Backfill")
"""Kinds whose objects may be created without a name."""
LIMITS = {kind.kind: kind.name_limit for kind in MODELS}
"""Kind -> maximum length of a name: names become label values and parts of other names."""
FIELDS = {"apiVersion", "kind", "metadata", "spec", "status"}
_OURS = [kind for kind, version in KINDS.items() if version == API_VERSION]
_MANIFEST = f"write apiVersion: {API_VERSION}, kind: DAG, metadata and spec"
_OTHERS = re.compile(r"[^/]+/[^/]+")


def ours(document: Document) -> bool:
    """Whether a document is, or is meant to be, one of Tradewind's objects."""
    body = document.body
    if not isinstance(body, dict):
        return False
    version = body.get("apiVersion")
    group = version.partition("/")[0] if isinstance(version, str) else ""
    if group == GROUP or (group.startswith(GROUP.partition(".")[0]) or nearest(group, [GROUP])):
        return True
    known = body.get("kind") in _OURS or bool(nearest(str(body.get("kind")), ["DAG", "DAGRun"]))
    return known and not (isinstance(version, str) and _OTHERS.fullmatch(version))


def identified(document: Document) -> tuple[Document, list[Problem]]:
    """The document with its presumed identity, and what is wrong with the stated one. The kind is not in KINDS if it
    can't be determined."""
    body = document.body
    if not isinstance(body, dict):
        return document, [Problem("", f"not a manifest: {wording.described(body)}", _MANIFEST)]
    if not body.keys() & {"apiVersion", "kind"}:
        return document, [Problem("", "not a manifest: it has neither apiVersion nor kind", _MANIFEST)]
    problems: list[Problem] = []
    kind = body.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        guess = nearest(kind, _OURS) if isinstance(kind, str) else ""
        problems.append(_kind(kind, guess))
        document = replace(document, body={**body, "kind": guess})
    if document.kind in KINDS and (found := _version(body.get("apiVersion"), KINDS[document.kind], document.kind)):
        problems.append(found)
    return document, [*problems, *_metadata(document), *yaml_misreadings.problems(document.node)]


def _kind(kind: Any, guess: str) -> Problem:
    there = ", ".join(_OURS)
    if kind is None:
        return Problem("kind", "required", f"write one of {there}")
    if guess:
        return Problem("kind", f"{wording.shown(kind)!r} is not known", f"did you mean {guess}?")
    return Problem("kind", f"{wording.shown(kind)!r} is not one of {there}", "apply other kinds with kubectl")


def _version(version: Any, wanted: str, kind: str) -> Problem | None:
    if version is None:
        return Problem("apiVersion", "required", f"write {wanted}")
    if version == wanted:
        return None
    return Problem("apiVersion", f"{wording.shown(version)!r} is not that of a {kind}", f"write {wanted}")


def _metadata(document: Document) -> Iterator[Problem]:
    """Problems of the object's name and labels, and fields besides metadata and spec."""
    for field in document.body.keys() - FIELDS if document.kind in LIMITS else ():
        guess = nearest(field, FIELDS)
        yield Problem(
            field,
            "unknown field",
            f"did you mean {guess}?" if guess else "an object has apiVersion, kind, metadata and spec",
        )
    metadata = document.body.get("metadata")
    if metadata is None:
        yield Problem("metadata.name", "required", "write metadata: {name: NAME}")
        return
    if not isinstance(metadata, dict):
        what = f"{wording.described(metadata)}, not a mapping"
        yield Problem("metadata", what, "write metadata: {name: NAME}")
        return
    yield from _name(document.kind, metadata)
    for field in ("namespace",):
        if metadata.get(field) is not None:
            yield from _text(f"metadata.{field}", metadata[field])
    for field in ("labels", "annotations"):
        values = metadata.get(field)
        if values is not None and not isinstance(values, dict):
            yield Problem(
                f"metadata.{field}", f"{wording.described(values)}, not a mapping", "write NAME: value for each"
            )
        for key, value in values.items() if isinstance(values, dict) else ():
            yield from _label(f"metadata.{field}.{key}", key, value, field == "labels")


def _name(kind: str, metadata: dict[str, Any]) -> Iterator[Problem]:
    name, generated = metadata.get("name"), metadata.get("generateName")
    if name is None and generated is None:
        yield Problem("metadata.name", "required", "write one of lower-case letters, digits and '-'")
        return
    field = "name" if name is not None else "generateName"
    if name is None and kind in LIMITS and kind not in GENERATED:
        what = f"a {kind} is known by its name, and this one would get another each time"
        yield Problem("metadata.generateName", what, "write metadata.name")
        return
    value = metadata[field]
    if found := next(_text(f"metadata.{field}", value), None):
        yield found
        return
    limit = LIMITS.get(kind, 253)
    if not re.fullmatch(DNS_SUBDOMAIN, value if field == "name" else value.removesuffix("-")):
        yield Problem(f"metadata.{field}", f"{wording.shown(value)!r} is not a name", NAMED[DNS_SUBDOMAIN])
    elif len(value) > limit:
        why = " in the name of a Trigger or Backfill, which begins the names of its runs" if limit < 63 else ""
        yield Problem(f"metadata.{field}", f"{len(value)} characters", f"use at most {limit}{why}")
    elif kind == "DAG" and "." in value:
        what = f"{wording.shown(value)!r} would be local DAG {local(value)} of DAG {home(value)}"
        yield Problem(f"metadata.{field}", what, "write '-' in place of '.'")


def _text(path: str, value: Any) -> Iterator[Problem]:
    if isinstance(value, bool | int | float):
        yield wording.unquoted(path, wording.shown(value), value)
    elif not isinstance(value, str):
        yield Problem(path, f"{wording.described(value)}, not text", "write text")


def _label(path: str, key: str, value: Any, is_label: bool) -> Iterator[Problem]:
    yield from _text(path, value)
    if not re.fullmatch(LABEL_KEY, key):
        yield Problem(path, f"{wording.shown(key)!r} is not valid here", NAMED[LABEL_KEY])
    if is_label and isinstance(value, str) and not re.fullmatch(LABEL_VALUE, value):
        yield Problem(path, f"{wording.shown(value)!r} is not valid here", NAMED[LABEL_VALUE])
