"""Objects, reduced to what lists show."""

import sys
from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from tradewind.kube.labels import BACKFILL, HOW, TRIGGER
from tradewind.kube.nested import pruned
from tradewind.kube.struct import Struct
from tradewind.look.made_by import made_by
from tradewind.look.reading import of_kind
from tradewind.look.reading import status as status_of
from tradewind.look.whoami import BY
from tradewind.model.bounded import VALUES_LIMIT, holds_more
from tradewind.model.duration import instant
from tradewind.model.run import FINAL_PHASES

LONGEST = 300
"""Characters of a message."""


class _Meta(Struct, frozen=True):
    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = "0"
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class _Named(Struct, frozen=True):
    metadata: _Meta


class Produced(Struct, frozen=True):
    """An update of an asset."""

    name: str
    partition: str = ""
    task: str = ""
    at: str = ""
    metadata: dict[str, Any] = {}


class _Waits(Struct, frozen=True):
    reason: str = ""
    message: str = ""


class _RunSpec(Struct, frozen=True):
    dag: str = ""
    desired_state: str = "Running"
    logical_date: str | None = None


class _RunStatus(Struct, frozen=True):
    phase: str = ""
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None
    revision: str = ""
    revision_number: int = 0
    done: int = 0
    total: int = 0
    failed: int = 0
    produced: list[Produced] = []
    waiting: list[_Waits] = []


class _RunBody(Struct, frozen=True):
    metadata: _Meta
    spec: _RunSpec = _RunSpec()
    status: _RunStatus = _RunStatus()


class RunRecord(msgspec.Struct, frozen=True, gc=False):
    """A run. Times are epoch seconds."""

    namespace: str
    name: str
    uid: str
    version: int
    dag: str
    phase: str
    created: int
    started: int | None
    finished: int | None
    how: str
    maker: str
    by: str
    message: str
    done: int
    total: int
    failed: int
    logical: int | None
    desired: str
    revision: int
    produced: tuple[Produced, ...] = ()

    @property
    def final(self) -> bool:
        """Whether it has ended."""
        return self.phase in FINAL_PHASES

    @property
    def order(self) -> tuple[int, str]:
        """Sorts runs, the newest first."""
        return -self.created, self.uid


class BodyRecord(msgspec.Struct, frozen=True):
    """An object of a kind with few objects, without what nobody is shown."""

    namespace: str
    name: str
    uid: str
    version: int
    body: dict[str, Any]

    @property
    def spec(self) -> Mapping[str, Any]:
        """Its spec."""
        found: Mapping[str, Any] = of_kind(dict, self.body.get("spec"))
        return found

    @property
    def status(self) -> Mapping[str, Any]:
        """Its status."""
        return status_of(self.body)

    @property
    def meta(self) -> Mapping[str, Any]:
        """Its metadata."""
        found: Mapping[str, Any] = self.body["metadata"]
        return found

    @property
    def created(self) -> int:
        """When it was created, in epoch seconds."""
        return seconds(self.meta.get("creationTimestamp")) or 0


Record = RunRecord | BodyRecord
_run = msgspec.json.Decoder(_RunBody).decode
_named = msgspec.json.Decoder(_Named).decode


def identity(raw: bytes) -> tuple[str, str, int]:
    """Namespace, name and version of an object."""
    meta = _named(raw).metadata
    return meta.namespace, meta.name, int(meta.resource_version)


def seconds(text: Any) -> int | None:
    """Epoch seconds of an API timestamp; None for anything else."""
    try:
        return int(instant(str(text))) if text else None
    except (ValueError, OverflowError):
        return None


def millis(text: Any) -> int | None:
    """Epoch milliseconds of an API timestamp; None for anything else."""
    found = seconds(text)
    return None if found is None else found * 1000


def run_record(raw: bytes) -> RunRecord:
    """A run. One whose status can't be read says so."""
    try:
        body = _run(raw)
    except msgspec.ValidationError as error:
        meta = _named(raw).metadata
        body = _RunBody(meta, _spec_of(raw), _RunStatus(message=f"its status can't be read: {error}"[:LONGEST]))
    meta, spec, status = body.metadata, body.spec, body.status
    labels = {name: text for name, text in meta.labels.items() if name in (HOW, TRIGGER) or name.startswith(BACKFILL)}
    how, maker = made_by({"labels": labels, "annotations": meta.annotations})
    words = status.message or next((item.message for item in status.waiting if item.message), "")
    return RunRecord(
        namespace=sys.intern(meta.namespace),
        name=meta.name,
        uid=meta.uid,
        version=int(meta.resource_version),
        dag=sys.intern(spec.dag),
        phase=sys.intern(status.phase or "Queued"),
        created=seconds(meta.creation_timestamp) or 0,
        started=seconds(status.started_at),
        finished=seconds(status.finished_at),
        how=sys.intern(how),
        maker=sys.intern(maker),
        by=sys.intern(str(meta.annotations.get(BY) or "")[:128]),
        message=words[:LONGEST],
        done=status.done,
        total=status.total,
        failed=status.failed,
        logical=seconds(spec.logical_date),
        desired="Terminated" if meta.deletion_timestamp else sys.intern(spec.desired_state),
        revision=status.revision_number,
        produced=tuple(status.produced),
    )


class _SpecOnly(Struct, frozen=True):
    spec: _RunSpec = _RunSpec()


def _spec_of(raw: bytes) -> _RunSpec:
    try:
        return msgspec.json.decode(raw, type=_SpecOnly).spec
    except msgspec.ValidationError:
        return _RunSpec()


def body_record(raw: bytes) -> BodyRecord:
    """Any other object. One that holds too many values is kept without its spec."""
    raw = pruned(raw)
    body: dict[str, Any] = orjson.loads(raw)
    if holds_more(body, raw, VALUES_LIMIT):
        body = {**body, "spec": {}}
    meta = body["metadata"]
    for name in ("managedFields",):
        meta.pop(name, None)
    (of_kind(dict, meta.get("annotations"))).pop("kubectl.kubernetes.io/last-applied-configuration", None)
    return BodyRecord(meta.get("namespace", ""), meta["name"], meta.get("uid", ""), int(meta["resourceVersion"]), body)


def dag_record(raw: bytes) -> BodyRecord:
    """A DAG: of its tasks only which DAGs they call, and which assets they update."""
    found = body_record(raw)
    spec = dict(found.spec)
    tasks = {}
    for part in (spec, *of_kind(dict, spec.get("dags")).values()):
        for name, task in of_kind(dict, of_kind(dict, part).get("tasks")).items():
            kept = {key: task[key] for key in ("dag", "produces", "template") if isinstance(task, dict) and key in task}
            if kept:
                tasks[name] = kept
    spec["tasks"] = tasks
    for name in ("defaults", "dags"):
        spec.pop(name, None)
    return BodyRecord(found.namespace, found.name, found.uid, found.version, {**found.body, "spec": spec})
