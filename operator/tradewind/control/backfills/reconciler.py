"""Reconciles a backfill: which of its ticks want a run, which runs exist, and what to do next. Everything is counted from the runs."""

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from tradewind import metrics
from tradewind.control.backfills.status import held, status_of
from tradewind.control.backfills.tick_runs import tick_runs
from tradewind.control.backfills.ticks import BackfillTicks, Occasions
from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dagrun.run_index import STALE, Entry, RunIndex
from tradewind.control.shared.event_recorder import EventRecorder
from tradewind.control.shared.status_writer import StatusWriter
from tradewind.control.shared.valid_condition import Validity
from tradewind.control.triggers.dag_index import DAGIndex
from tradewind.control.triggers.source import NotReady
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import AlreadyExists, ApiError, Conflict, NotFound
from tradewind.kube.labels import BACKFILL
from tradewind.kube.resources import BACKFILLS, RUNS, Key, deleting
from tradewind.kube.work_queue import WorkQueue
from tradewind.kube.writes import flow
from tradewind.model.backfill import FINISHED, BackfillSpec
from tradewind.model.duration import instant
from tradewind.model.shown import brief
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.documents.read import read
from tradewind.plan.triggers.backfill import Step, decide, moment
from tradewind.plan.triggers.trigger import check

log = logging.getLogger(__name__)
COALESCE = 1.0
"""Seconds between two writes of a status that differ only in numbers."""
FIRST_RETRY_SECONDS = 0.1
"""Seconds until a backfill is reconciled after one of its DAG's runs has changed: they change in bursts."""
LOOK_AGAIN = 10.0
"""Seconds until a waiting backfill is reconciled again."""
FRESH = 60.0
"""Seconds for which the ticks of a trigger count as current: a calendar in a ConfigMap may change."""
REPORTED = FINISHED | {"Waiting", "Invalid"}
"""Phases that are reported in an Event."""


@dataclass(frozen=True, slots=True)
class BackfillSnapshot:
    """A backfill as last seen. `created` is epoch seconds."""

    namespace: str
    name: str
    uid: str
    generation: int
    version: int
    created: float
    spec: BackfillSpec | Invalid
    status: Mapping[str, Any]
    deleting: bool = False

    @property
    def key(self) -> Key:
        """Namespace and name."""
        return self.namespace, self.name

    @property
    def finished(self) -> bool:
        """Whether it has finished."""
        return self.status.get("phase") in FINISHED

    @property
    def dag(self) -> Key | None:
        """Namespace and name of the DAG whose runs it needs to know; None if it has finished, is being deleted or can't be read."""
        over = self.finished or self.deleting
        return None if over or isinstance(self.spec, Invalid) else (self.namespace, self.spec.dag)


class BackfillReconciler:
    """Reconciles backfills. `over(namespace, dag)` is called when runs of a DAG need not be kept for backfills any longer, `made(run)` for
    each run that is made."""

    def __init__(
        self,
        client: Client,
        events: EventRecorder,
        dags: DAGIndex,
        over: Callable[[str, str], None],
        made: Callable[[Run], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._events, self._dags, self._clock = client, events, dags, clock
        self._over, self._made = over, made
        self.queue: WorkQueue[Key] = WorkQueue("backfill")
        self._ticks, self._runs = BackfillTicks(client), RunIndex(client)
        self._known: dict[Key, BackfillSnapshot] = {}
        self._of_dag: defaultdict[Key, set[Key]] = defaultdict(set)
        """Unfinished backfills by DAG."""
        self._about: dict[Key, tuple[int, float, Occasions]] = {}
        """By backfill: the generation, the time when they were computed (epoch seconds), and the occasions."""
        self._writer = StatusWriter(client, self.queue, COALESCE, clock)

    def seen(self, body: Object, deleted: bool) -> None:
        """A backfill was created, changed or deleted."""
        meta = body["metadata"]
        key = (meta["namespace"], meta["name"])
        before = self._known.get(key)
        if deleted:
            self._take(key, None)
            return
        try:
            spec: BackfillSpec | Invalid = read(BackfillSpec, body.get("spec") or {})
        except Invalid as error:
            spec = error
        created, generation = instant(meta["creationTimestamp"]), int(meta.get("generation") or 0)
        version = int(meta["resourceVersion"])
        if before and before.uid == meta["uid"] and version <= before.version:
            return  # This operator's own write, which is known.
        status = body.get("status") or {}
        known = BackfillSnapshot(*key, meta["uid"], generation, version, created, spec, status, deleting(body))
        self._take(key, known)
        if before and (before.uid, before.generation) == (known.uid, generation):
            # A status that someone reset is rewritten, but not at once: it may be another operator with another view.
            self.queue.add_after(key, COALESCE)
        else:
            self.queue.add(key)

    def run_seen(self, run: Run, deleted: bool = False) -> None:
        """A run was created, changed or deleted."""
        if self._runs.seen(run, deleted):
            for key in self._of_dag.get((run.namespace, run.dag), ()):
                self.queue.add_after(key, FIRST_RETRY_SECONDS)

    def dag_seen(self, namespace: str, name: str) -> None:
        """A DAG was created, changed or deleted."""
        for key in self._of_dag.get((namespace, name), ()):
            self.queue.add(key)

    def trigger_seen(self, namespace: str, name: str) -> None:
        """A trigger was created, changed or deleted."""
        for key, known in self._known.items():
            if key[0] == namespace and isinstance(known.spec, BackfillSpec) and known.spec.trigger == name:
                self._about.pop(key, None)
                self.queue.add(key)

    def holds(self, namespace: str, dag: str, name: str) -> bool:
        """Whether a run must be kept because an unfinished backfill counts it."""
        key = (namespace, dag)
        backfills = self._of_dag.get(key, ())
        runs = self._runs.known(key)
        return any(self._counts(backfill, runs.get(name) if runs else None) for backfill in backfills)

    def made(self, run: Run) -> bool:
        """Whether an unfinished backfill made a run: the run has the name that the backfill gives to the run of its tick. Labels don't
        prove it, as the creator of a run sets them; they are only trusted until the ticks are known, as after a restart."""
        return run.how == "backfill" and any(self._made_by((run.namespace, name), run) for name in run.backfills)

    def _made_by(self, key: Key, run: Run) -> bool:
        known = self._known.get(key)
        if known is None or known.dag != (run.namespace, run.dag):
            return False
        about = self._about.get(key)
        return about is None or run.name in about[2].names(moment(run.moment))

    def _counts(self, key: Key, run: Entry | None) -> bool:
        about = self._about.get(key)
        if about is None or run is None:
            return True  # unknown yet
        return key[1] in run.backfills or moment(run.moment) in about[2].moments

    def _take(self, key: Key, known: BackfillSnapshot | None) -> None:
        """Takes the state of a backfill; None if it is gone."""
        before = self._known.pop(key, None)
        if before and before.dag:
            self._of_dag[before.dag].discard(key)
        if known:
            self._known[key] = known
            if known.dag:
                self._of_dag[known.dag].add(key)
        if (
            known is None
            or known.finished
            or (before and (before.uid, before.generation) != (known.uid, known.generation))
        ):
            self._about.pop(key, None)
        if known is None:
            self.queue.forget(key)
            self._writer.forget(key)
        if before and before.dag and not self._of_dag[before.dag]:
            del self._of_dag[before.dag]
            self._runs.forget(before.dag)
            self._over(*before.dag)

    def failed(self, key: Key, error: Exception) -> float | None:
        """Handles a failed reconcile."""
        log.warning("backfill %s/%s: %s", *key, error, exc_info=None if isinstance(error, ApiError) else error)
        return None

    async def reconcile(self, key: Key) -> None:
        """Makes as many runs as there is room for, and reports the progress."""
        known = self._known.get(key)
        if known is None or known.finished:
            return
        valid, reason = Validity(True, "Valid", "it can be done"), "Deleting" if known.deleting else ""
        try:
            with flow(known.namespace, ("backfill", known.name)):
                status = await self._advance(known)
        except Invalid as error:
            valid, status = Validity.of(error), {"phase": "Invalid", "message": str(error)}
        except (NotReady, ExpressionError) as error:
            so_far, reason = getattr(error, "status", {}), getattr(error, "reason", "")
            status = {**so_far, "phase": "Waiting", "message": str(error)}
            self.queue.add_after(key, LOOK_AGAIN)
        except ApiError:
            raise
        except Exception as error:
            log.error("backfill %s/%s", *key, exc_info=error)
            status = {"phase": "Waiting", "message": f"it can't continue: {type(error).__name__}: {error}"[:1_024]}
            self.queue.add_after(key, LOOK_AGAIN)
        status["message"] = brief(status["message"])
        why = (status["phase"], reason, status["message"])
        await self._write(known, {**valid.status(known.status, known.generation, self._clock(), *why), **status})
        if status["phase"] not in FINISHED and not known.deleting:
            self.queue.add_after(
                key, STALE + FIRST_RETRY_SECONDS
            )  # Runs that the watch missed are found when the runs are read again.

    async def _advance(self, known: BackfillSnapshot) -> dict[str, Any]:
        """Advances the backfill and returns its status. Raises Invalid and NotReady."""
        if known.deleting:
            return {
                "phase": "Suspended",
                "message": "it is being deleted, and makes no more runs; those that it made go on",
            }
        spec = known.spec
        if isinstance(spec, Invalid):
            raise spec
        facts = await self._dags.of(known.namespace, spec.dag)
        if facts is None:
            words = f"there is no DAG {spec.dag!r} in namespace {known.namespace}: it continues when the DAG is applied"
            raise NotReady(words, "DAGNotFound")
        about = await self._occasions(known, spec)
        if problems := check(about.maker.spec, facts.params):
            raise Invalid(problems)
        wrong = self._dags.invalid(known.namespace, spec.dag)
        runs = await self._runs.of((known.namespace, spec.dag))
        decided = decide(spec, about.ticks, tick_runs(runs, known.name))
        if spec.desired_state == "Cancelled":
            await asyncio.gather(*(self._cancel(known, runs[run.name]) for run in decided.active))
        elif not wrong and not held(spec, facts.suspended) and (room := max(0, spec.parallelism - len(decided.active))):
            for step in decided.steps[:room]:
                if not self._goes_on(known):
                    break
                await self._do(known, about, step, runs)
            decided = decide(spec, about.ticks, tick_runs(runs, known.name))
            if decided.steps and len(decided.active) < spec.parallelism:
                self.queue.add_after(known.key, FIRST_RETRY_SECONDS)  # Existing runs left room for more.
        status = status_of(spec, facts.suspended, about, decided, self._clock())
        if (
            wrong and decided.steps and spec.desired_state != "Cancelled"
        ):  # Runs that were made before are counted to their end.
            raise NotReady(f"it continues when its DAG is fixed: {wrong}", "DAGInvalid", status)
        return status

    def _goes_on(self, known: BackfillSnapshot) -> bool:
        """Whether a backfill still exists and nobody has changed it; a deletion that a finalizer delays counts as a change."""
        current = self._known.get(known.key)
        return current is not None and (current.uid, current.generation) == (known.uid, known.generation)

    async def _occasions(self, known: BackfillSnapshot, spec: BackfillSpec) -> Occasions:
        generation, since, about = self._about.get(known.key) or (0, 0.0, None)
        now = self._clock()
        if about is None or generation != known.generation or not 0 <= now - since < FRESH:
            about = await self._ticks.of(known.namespace, known.name, moment(known.created), spec)
            self._about[known.key] = (known.generation, now, about)
        return about

    async def _do(self, known: BackfillSnapshot, about: Occasions, step: Step, runs: Mapping[str, Entry]) -> None:
        if step.action == "Retry":
            await self._retry(known, runs[step.run])
            return
        body = about.run(step)
        name, result = body["metadata"]["name"], "created"
        try:
            run = read_run(orjson.loads(await self._client.create(RUNS, known.namespace, body)))
        except AlreadyExists:
            result = "duplicate"
            run = read_run(await self._client.get(RUNS, known.namespace, name))
            mine = known.name in run.backfills or step.action == "Create"
            if run.dag != about.maker.spec.dag or moment(run.moment) != step.tick or not mine:
                words = f"run {name}, which doesn't belong to it, has the name of the run for tick {step.tick}"
                raise NotReady(f"{words}: delete that run, or give the backfill another name") from None
        metrics.occasions.labels("backfill", result).inc()
        self._runs.seen(run)
        self._made(run)

    async def _retry(self, known: BackfillSnapshot, run: Entry) -> None:
        """Gives a run's failed tasks a fresh retry budget. If someone else has changed the run meanwhile, it is read again first."""
        labels = {f"{BACKFILL}{known.name}": "true"}
        meta = {"resourceVersion": str(run.version), "labels": labels}
        try:
            answer = await self._client.patch(
                RUNS, known.namespace, run.name, {"metadata": meta, "spec": {"retryFailed": run.rounds + 1}}
            )
        except NotFound:
            self._runs.forget((known.namespace, run.dag))
            return
        except Conflict:
            answer = await self._client.get(RUNS, known.namespace, run.name)
        metrics.occasions.labels("backfill", "retried").inc()
        self._runs.seen(read_run(answer))

    async def _cancel(self, known: BackfillSnapshot, run: Entry) -> None:
        if not run.cancelled:
            with contextlib.suppress(NotFound):
                body = {"spec": {"desiredState": "Cancelled"}}
                self._runs.seen(read_run(await self._client.patch(RUNS, known.namespace, run.name, body)))

    async def _write(self, known: BackfillSnapshot, status: dict[str, Any]) -> None:
        current = self._known.get(known.key)
        if current is None or current.uid != known.uid:
            return
        key, place = known.key, (BACKFILLS, *known.key)
        try:
            written = await self._writer.write(
                key, place, current.status, status, can_wait=lambda patch: "phase" not in patch
            )
        except NotFound:
            return
        if written is None:
            return
        answer, patch = written.stored, written.patch
        if (current := self._known.get(known.key)) and current.uid == known.uid:
            if int(answer["metadata"].get("generation") or 0) == current.generation:
                version = int(answer["metadata"]["resourceVersion"])
                self._take(known.key, replace(current, version=version, status=answer.get("status") or {}))
            else:
                self.seen(
                    answer, False
                )  # Someone has changed it meanwhile: the watch would report a version that is known.
        if "phase" in patch and status["phase"] in REPORTED:
            warning = status["phase"] != "Succeeded"
            reason = {"Waiting": "BackfillWaits"}.get(status["phase"], status["phase"])
            self._events.post(
                "Backfill", *known.key, known.uid, reason, status["message"], warning=warning, key=str(known.generation)
            )
