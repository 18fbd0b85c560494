"""From a DAGRun as the API server sends it to what is kept of it: pure, and bounded whatever a tenant wrote."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import orjson

from tradewind import API_VERSION
from tradewind.kube.labels import HOW
from tradewind.kube.nested import load, pruned
from tradewind.kube.struct import Struct
from tradewind.look.made_by import made_by
from tradewind.look.whoami import BY
from tradewind.model.duration import instant
from tradewind.model.run import FINAL_PHASES
from tradewind.recorder.task_summary import TaskRow, summarized

NAME, TEXT = 253, 4_096
"""Characters of names and of texts that are kept in columns. The detail has all of it."""
EDITS = 200
"""Edits that are kept, the first ones; a run has no more."""
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""An annotation that repeats the spec."""
RAW = 64 * 1024
"""Bytes that are kept of an object that can't be read."""


class _Metadata(Struct, frozen=True):
    name: str
    namespace: str
    uid: str
    resource_version: str
    creation_timestamp: datetime
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: msgspec.Raw = msgspec.Raw()


class _Edit(Struct, frozen=True):
    action: str = ""
    tasks: list[str] = []
    by: str = ""
    reason: str = ""


class _Spec(Struct, frozen=True):
    dag: str = ""
    logical_date: str | None = None
    edits: list[_Edit] = []


class _Status(Struct, frozen=True):
    phase: str = ""
    message: str = ""
    revision: str = ""
    revision_number: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    total: int = 0
    done: int = 0
    failed: int = 0
    skipped: int = 0
    attempts: str = ""
    archive: str = ""
    nodes: list[str] = []


class _Run(Struct, frozen=True):
    metadata: _Metadata
    spec: msgspec.Raw
    status: msgspec.Raw = msgspec.Raw()


class _PhaseStatus(Struct, frozen=True):
    phase: str = ""


class _Glance(Struct, frozen=True):
    """No more of a run than tells whether it is to be written."""

    status: _PhaseStatus | None = None


_run = msgspec.json.Decoder(_Run).decode
_spec = msgspec.json.Decoder(_Spec).decode
_status = msgspec.json.Decoder(_Status).decode
_glance = msgspec.json.Decoder(_Glance).decode


class Unreadable(Exception):
    """A run that can't be read; the message says why."""


class EditRow(NamedTuple):
    """A change to tasks of a run, made by a person."""

    n: int
    action: str
    tasks: str
    """Joined by commas, at most TEXT characters."""
    author: str
    reason: str


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run to keep. Times are epoch milliseconds, None where there is none."""

    uid: str
    version: int
    namespace: str
    dag: str
    name: str
    phase: str
    """As last seen: of a run that was deleted before its end, that of then."""
    created: int
    logical: int | None
    started: int | None
    finished: int | None
    deleted: int | None
    """When it was seen to be deleted."""
    how: str
    maker: str
    revision: str
    revision_number: int
    author: str
    """Who made it, where that is on record."""
    message: str
    total: int
    done: int
    failed: int
    skipped: int
    tasks: Sequence[TaskRow]
    edits: Sequence[EditRow]
    detail: bytes
    """The object without managed fields, as JSON compressed by zlib."""


def has_ended(raw: bytes) -> bool:
    """Whether a run has ended, or can't be read: both are to be written."""
    try:
        found = _glance(raw)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return True
    return found.status is not None and found.status.phase in FINAL_PHASES


def record_of(raw: bytes, deleted: int | None = None) -> RunRecord:
    """What is kept of a run. `deleted` is when it was seen to be deleted (epoch milliseconds). Raises Unreadable."""
    try:
        return _record(pruned(raw), deleted)
    except (msgspec.MsgspecError, ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}"[:TEXT]) from None


def _record(raw: bytes, deleted: int | None) -> RunRecord:
    run = _run(raw)
    meta, spec, status = run.metadata, _spec(run.spec), _status(run.status) if given(run.status) else _Status()
    created = in_millis(meta.creation_timestamp)
    assert created is not None  # noqa: S101 - a timestamp of metadata is required
    labels = {"labels": meta.labels or {}, "annotations": meta.annotations or {}}
    how, maker = made_by(labels)
    tasks = summarized(status.attempts, status.archive, tuple(status.nodes), created // 1_000)
    version = int(meta.resource_version)
    if not 0 < version < 2**63:
        raise ValueError(f"a resource version of {version}")
    return RunRecord(
        uid=text(meta.uid, NAME),
        version=version,
        namespace=text(meta.namespace, NAME),
        dag=text(spec.dag, NAME),
        name=text(meta.name, NAME),
        phase=text(status.phase, NAME) or "Queued",
        created=created,
        logical=_moment(spec.logical_date),
        started=in_millis(status.started_at),
        finished=in_millis(status.finished_at) if status.phase in FINAL_PHASES else None,
        deleted=deleted,
        how=text(how or labels["labels"].get(HOW, ""), NAME),
        maker=text(maker, NAME),
        revision=text(status.revision, NAME),
        revision_number=_small(status.revision_number),
        author=text(labels["annotations"].get(BY, ""), NAME),
        message=text(status.message, TEXT),
        total=_small(status.total),
        done=_small(status.done),
        failed=_small(status.failed),
        skipped=_small(status.skipped),
        tasks=tasks,
        edits=[
            EditRow(n, text(e.action, NAME), text(",".join(e.tasks), TEXT), text(e.by, NAME), text(e.reason, TEXT))
            for n, e in enumerate(spec.edits[:EDITS])
        ],
        detail=_packed(run),
    )


def _packed(run: _Run) -> bytes:
    """The object without managed fields, compressed. Its spec and status are copied as they came, unparsed."""
    meta = run.metadata
    notes = {name: value for name, value in (meta.annotations or {}).items() if name != APPLIED}
    kept: dict[str, Any] = {
        "name": meta.name,
        "namespace": meta.namespace,
        "uid": meta.uid,
        "resourceVersion": meta.resource_version,
        "creationTimestamp": meta.creation_timestamp,
        **({"labels": meta.labels} if meta.labels else {}),
        **({"annotations": notes} if notes else {}),
        **({"ownerReferences": meta.owner_references} if given(meta.owner_references) else {}),
    }
    body = {"metadata": kept, "spec": run.spec, **({"status": run.status} if given(run.status) else {})}
    return zlib.compress(msgspec.json.encode(body), 6)


def given(part: msgspec.Raw) -> bool:
    """Whether an object has this part."""
    return bytes(part) not in (b"", b"null")


def unpacked(detail: bytes) -> dict[str, Any]:
    """The object in a detail."""
    return restored(zlib.decompress(detail))


def restored(raw: bytes) -> dict[str, Any]:
    """The object in an unpacked detail."""
    found = load(raw)
    return {"apiVersion": API_VERSION, "kind": "DAGRun", **found}


def text(value: str, most: int) -> str:
    """A text for a column: cut, without the characters that a database refuses (NUL, and halves of surrogate pairs)."""
    value = value[:most]
    if "\0" in value or not value.isascii():
        value = value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    return value


def in_millis(at: datetime | None) -> int | None:
    """Epoch milliseconds of a time, if there is one."""
    return None if at is None else round(at.timestamp() * 1_000)


def _moment(at: str | None) -> int | None:
    """Epoch milliseconds of a logical date; None for one that is none: such a run did not begin, and its message says why."""
    try:
        return None if at is None else round(instant(at) * 1_000)
    except ValueError:
        return None


def _small(number: int) -> int:
    return max(0, min(number, 2**31 - 1))


def identity(raw: bytes) -> tuple[str, str, str, int]:
    """The uid, namespace, name and version of an object that can't be read, as far as they can be; empty and 0 otherwise."""
    try:
        found = orjson.loads(pruned(raw))
        meta = found.get("metadata") or {}
        version = str(meta.get("resourceVersion") or "")
        number = int(version) if version.isascii() and version.isdecimal() and len(version) < 19 else 0
        uid, namespace, name = (text(str(meta.get(key) or ""), NAME) for key in ("uid", "namespace", "name"))
        return uid, namespace, name, number
    except (ValueError, AttributeError, RecursionError):
        return "", "", "", 0
