"""A DAGRun as last seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tradewind.control.dagrun import lean
from tradewind.control.dagrun.attempt_log import Packed
from tradewind.control.dagrun.sanitize import sanitized
from tradewind.control.pods.labels import slots_of
from tradewind.kube.labels import ATTEMPT, BACKFILL, DAG, DEPTH, HOW, ITEM, ROOT, RUN, TASK, TRIGGER, TRIGGER_DEPTH
from tradewind.kube.resources import deleting
from tradewind.model import dag_name
from tradewind.model.duration import instant, stamp
from tradewind.model.run import FINAL_PHASES
from tradewind.plan.capacity.pool_allotment import PoolId
from tradewind.plan.outcomes.attempt import key
from tradewind.plan.runs.decision import RunFacts
from tradewind.plan.starts.start_values import variables

DATES = ("logicalDate", "intervalStart", "intervalEnd")
NO_DATES: Mapping[str, str] = {}
NO_BACKFILLS = frozenset[str]()
NO_SLOTS: Mapping[PoolId, int] = {}


@dataclass(frozen=True, slots=True)
class Caller:
    """The task attempt of another run that made this run."""

    uid: str
    """Uid of the other run."""
    run: str
    task: str
    """The task or item."""
    number: int
    depth: int


@dataclass(frozen=True, slots=True)
class Run:
    """A DAGRun as last seen."""

    name: str
    namespace: str
    uid: str
    version: int
    generation: int
    created: int
    """Epoch seconds of its creation, by the API server's clock."""
    deleting: bool
    dag: str
    params: Mapping[str, Any]
    desired: str
    """spec.desiredState; Terminated for a run that is being deleted."""
    status: Mapping[str, Any]
    priority: int | None = None
    rounds: int = 0
    """spec.retryFailed."""
    edits: Sequence[Mapping[str, Any]] = ()
    reuse: Mapping[str, Any] | None = None
    only: tuple[str, ...] = ()
    """spec.only."""
    until: tuple[str, ...] = ()
    """spec.until."""
    caller: Caller | None = None
    """The attempt that made it, for a run of a sub-DAG. Once it has begun, its status tells, and its labels no longer do."""
    root: str = ""
    """Uid of the outermost enclosing run, for a run of a sub-DAG."""
    slots: Mapping[PoolId, int] = field(default_factory=dict)
    """The slots that it holds for its caller until it has ended."""
    dates: Mapping[str, str] = field(default_factory=dict)
    """logicalDate, intervalStart and intervalEnd, where its spec sets them."""
    moment: float = 0.0
    """Epoch seconds of the logical date."""
    queue: str = ""
    """spec.queue."""
    how: str = ""
    """What made it (`HOW`); `maker` is the name of the Trigger, or of the Backfill whose ticks belong to no trigger."""
    maker: str = ""
    labelled: bool = False
    """Whether a label names its DAG, or the one that holds it."""
    trigger_depth: int = 0
    """How many runs led to it through triggers that follow runs."""
    backfills: frozenset[str] = NO_BACKFILLS
    """Names of the backfills that made or retried it."""

    @property
    def home(self) -> str:
        """The DAG whose manifest holds its DAG."""
        return dag_name.home(self.dag)

    @property
    def local(self) -> str:
        """The name of its DAG in that manifest, for a run of a local DAG."""
        return dag_name.local(self.dag)

    @property
    def phase(self) -> str:
        """Its phase; empty before the operator has seen it."""
        return str(self.status.get("phase") or "")

    @property
    def fields(self) -> Mapping[str, str]:
        """Its fields for log lines."""
        return {"namespace": self.namespace, "run": self.name, "dag": self.dag}

    @property
    def final(self) -> bool:
        """Whether it has ended and is not reopened."""
        return self.phase in FINAL_PHASES and not self.reopened

    @property
    def cancelled(self) -> bool:
        """Whether its cancellation or termination was requested."""
        return self.desired in ("Cancelled", "Terminated")

    @property
    def edited(self) -> int:
        """How many of its edits have been processed."""
        return int(self.status.get("edited") or 0)

    @property
    def retried(self) -> bool:
        """Whether a retry of its failed tasks is requested and not started yet."""
        return self.rounds > int(self.status.get("retried") or 0) and self.phase != "Succeeded"

    @property
    def reopened(self) -> bool:
        """Whether it had ended and is asked to continue."""
        if self.phase not in FINAL_PHASES or self.cancelled or not self.status.get("revision"):
            return False
        return self.retried or len(self.edits) > self.edited

    @property
    def began(self) -> str:
        """When it began or was last reopened; empty before."""
        return str(self.status.get("reopenedAt") or self.status.get("startedAt") or "")

    @property
    def packed(self) -> Packed:
        """Its ended attempts in their stored form."""
        return Packed.of(self.status)

    @property
    def partial(self) -> bool:
        """Whether it runs some tasks only, and takes the others over from no run."""
        return bool(self.only or self.until)

    @property
    def facts(self) -> RunFacts:
        """What expressions can read of it."""
        depth = self.caller.depth if self.caller else 0
        at = self.dates.get("logicalDate") or stamp(self.created)
        start, end = (self.dates.get(name) or at for name in ("intervalStart", "intervalEnd"))
        params = self.status.get("params") or {}
        began = str(self.status.get("startedAt") or "")
        whose = (self.name, self.namespace, self.uid, self.dag)
        only = tuple((self.reuse or {}).get("only") or self.only)
        bound = dict(variables(self.status.get("bound") or {}))
        return RunFacts(
            *whose,
            params,
            depth,
            at,
            start,
            end,
            self.trigger_depth,
            self.root,
            began,
            only,
            self.until,
            self.partial,
            bound,
        )


def read_run(body: Mapping[str, Any]) -> Run:
    """A run from a watch event or a response. The API server has validated it against the CRD."""
    meta, spec = body["metadata"], body.get("spec") or {}
    created = int(datetime.fromisoformat(meta["creationTimestamp"]).timestamp())
    dated, gone = "logicalDate" in spec, deleting(body)
    status = sanitized(body.get("status") or {})
    caller, root = _called_by(status) if _decided(status) else _claimed(meta)
    return Run(
        name=meta["name"],
        namespace=meta["namespace"],
        uid=meta["uid"],
        version=int(meta["resourceVersion"]),
        generation=int(meta.get("generation") or 0),
        created=created,
        deleting=gone,
        dag=spec.get("dag", ""),
        params=lean.params(spec.get("params") or {}),
        desired="Terminated" if gone else spec.get("desiredState") or "Running",
        status=status,
        priority=spec.get("priority"),
        rounds=int(spec.get("retryFailed") or 0),
        edits=lean.edits(spec.get("edits") or ()),
        reuse=spec.get("reuse"),
        only=tuple(spec.get("only") or ()),
        until=tuple(spec.get("until") or ()),
        caller=caller,
        root=root,
        slots=(slots_of(meta.get("labels") or {}, meta["namespace"]) or NO_SLOTS) if caller else NO_SLOTS,
        dates={name: spec[name] for name in DATES if name in spec} if dated else NO_DATES,
        moment=_moment(spec["logicalDate"], created) if dated else created,
        queue=spec.get("queue") or "",
        how=(meta.get("labels") or {}).get(HOW, ""),
        labelled=(meta.get("labels") or {}).get(DAG) == dag_name.home(spec.get("dag", "")),
        maker=(meta.get("labels") or {}).get(TRIGGER, ""),
        trigger_depth=_number((meta.get("labels") or {}).get(TRIGGER_DEPTH)),
        backfills=_backfills(meta.get("labels") or {}),
    )


def _number(text: object) -> int:
    """The small number in a label; 0 if there is none."""
    return int(text) if isinstance(text, str) and text.isdecimal() and len(text) < 4 else 0


def _moment(text: Any, created: int) -> float:
    """The epoch seconds of a date; the run's creation if the date is invalid. Such a run is known all the same: it does not begin and
    reports why."""
    try:
        return instant(str(text))
    except ValueError:
        return created


def _backfills(labels: Mapping[str, str]) -> frozenset[str]:
    found = [label.removeprefix(BACKFILL) for label in labels if label.startswith(BACKFILL)]
    return frozenset(found) if found else NO_BACKFILLS


def _decided(status: Mapping[str, Any]) -> bool:
    """Whether the run has begun, or ended before that. What made it is recorded then."""
    return bool(status.get("revision")) or status.get("phase") in FINAL_PHASES


def _called_by(status: Mapping[str, Any]) -> tuple[Caller | None, str]:
    """The caller that was recorded when a run began, and the uid of its outermost enclosing run."""
    match status.get("calledBy"):
        case {"uid": str(uid), "run": str(run), "task": str(task), "attempt": int(number), "depth": int(depth), **more}:
            return Caller(uid, run, task, number, depth), str(more.get("root") or "")
        case _:
            return None, ""


def _claimed(meta: Mapping[str, Any]) -> tuple[Caller | None, str]:
    """The caller, as the labels of a run with an owning run say, and the uid of its outermost enclosing run."""
    labels = meta.get("labels") or {}
    owners = [owner["uid"] for owner in meta.get("ownerReferences") or () if owner.get("controller")]
    attempt, item, depth = (str(labels.get(label, "")) for label in (ATTEMPT, ITEM, DEPTH))
    if not owners or not all(text.isdecimal() and len(text) < 10 for text in (attempt, item or "0", depth)):
        return None, ""
    task = key(labels.get(TASK, ""), int(item) if item else None)
    return Caller(owners[0], labels.get(RUN, ""), task, int(attempt), int(depth)), labels.get(ROOT, "")
