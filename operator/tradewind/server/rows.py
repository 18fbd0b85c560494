"""Records as rows of answers."""

from collections.abc import Iterable, Mapping
from typing import Any

from tradewind.look.reading import of_kind
from tradewind.model.value import Param
from tradewind.server.answers.base import in_millis
from tradewind.server.answers.dags import ParamRow
from tradewind.server.answers.objects import BackfillRow, TriggerRow
from tradewind.server.answers.runs import ConditionRow, Progress, RunRow
from tradewind.server.cache.records import BodyRecord, RunRecord, millis

SUSPENDED = "it is suspended: nothing more starts"
UNSEEN = "no operator has taken it up yet"


def run_row(record: RunRecord) -> RunRow:
    """A run in a list."""
    return RunRow(**run_fields(record))


def run_fields(record: RunRecord) -> dict[str, Any]:
    """The fields of a run in a list."""
    started, finished = record.started, record.finished if record.final else None
    suspended = record.desired == "Suspended" and not record.final
    words = record.message or (UNSEEN if record.phase == "Queued" else "")
    return {
        "namespace": record.namespace,
        "name": record.name,
        "uid": record.uid,
        "dag": record.dag,
        "phase": record.phase,
        "created": record.created * 1000,
        "started": in_millis(started),
        "finished": in_millis(finished),
        "seconds": lasted(record),
        "how": record.how,
        "maker": record.maker,
        "by": record.by,
        "why": SUSPENDED if suspended else words,
        "progress": Progress(done=record.done, total=record.total, failed=record.failed, running=None),
        "logical_date": in_millis(record.logical),
        "suspended": suspended,
        "stopping": record.desired in ("Cancelled", "Terminated") and not record.final,
    }


def lasted(record: RunRecord) -> float | None:
    """Seconds from the start to the end of a run that has ended."""
    if not record.final or record.started is None or record.finished is None:
        return None
    return float(max(0, record.finished - record.started))


def conditions(status: Mapping[str, Any]) -> list[ConditionRow]:
    """The conditions of an object."""
    return [
        ConditionRow(
            type=str(item.get("type") or ""),
            status=str(item.get("status") or ""),
            reason=str(item.get("reason") or ""),
            message=str(item.get("message") or ""),
            since=millis(item.get("lastTransitionTime")),
        )
        for item in of_kind(list, status.get("conditions"))
        if isinstance(item, Mapping)
    ]


def trigger_row(record: BodyRecord) -> TriggerRow:
    """A trigger."""
    spec, status = record.spec, record.status
    last = of_kind(dict, status.get("lastRun"))
    return TriggerRow(
        namespace=record.namespace,
        name=record.name,
        dag=str(spec.get("dag") or ""),
        source=source(record),
        phase=str(status.get("phase") or "not seen by an operator yet"),
        message=str(status.get("message") or ""),
        description=str(spec.get("description") or ""),
        suspended=spec.get("suspend") is True,
        last_run=str(last.get("name") or ""),
        last_at=millis(last.get("at")),
        next=millis(status.get("next")),
    )


def source(record: BodyRecord) -> str:
    """What makes a trigger fire, in words."""
    if words := str(record.status.get("source") or ""):
        return words
    kinds = ("schedule", "event", "completed", "assets", "object", "sensor")
    return next((kind for kind in kinds if kind in record.spec), "")


def backfill_row(record: BodyRecord) -> BackfillRow:
    """A backfill."""
    spec, status = record.spec, record.status
    count = {name: whole(status.get(name)) for name in ("total", "kept", "succeeded", "failed", "active")}
    return BackfillRow(
        namespace=record.namespace,
        name=record.name,
        dag=str(spec.get("dag") or ""),
        phase=str(status.get("phase") or "not seen by an operator yet"),
        message=str(status.get("message") or ""),
        start=str(spec.get("start") or ""),
        end=str(spec.get("end") or ""),
        total=count["total"],
        done=count["succeeded"] + count["failed"] + count["kept"],
        active=count["active"],
        failed=count["failed"],
        created=record.created * 1000,
        suspended=spec.get("desiredState") == "Suspended",
    )


def whole(value: Any) -> int:
    """A whole number of a status; 0 for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def param_rows(declared: Mapping[str, Param]) -> list[ParamRow]:
    """Params, for a form."""
    return [
        ParamRow(
            name=name,
            type=param.type,
            title=param.title,
            description=param.description,
            default=param.default,
            enum=list(param.enum),
            min=param.min,
            max=param.max,
            pattern=param.pattern,
            secret=param.type == "secret",
            required=param.required,
            nullable=param.optional,
            section=param.section,
            examples=list(param.examples),
            items=param.items.type if param.items else "",
        )
        for name, param in declared.items()
    ]


def owner(meta: Mapping[str, Any]) -> str:
    """Who owns an object, as far as it says so."""
    notes, labels = of_kind(dict, meta.get("annotations")), of_kind(dict, meta.get("labels"))
    names = ("tradewind.dev/owner", "owner", "team")
    return next((str(of[name]) for name in names for of in (notes, labels) if of.get(name)), "")


def quantile(values: Iterable[float], share: float) -> float | None:
    """A quantile of values; None without any."""
    found = sorted(values)
    return found[min(len(found) - 1, int(share * len(found)))] if found else None
