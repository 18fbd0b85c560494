"""Reconciles a trigger: whether it can fire, what it fires for now, and its status."""

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from tradewind import metrics
from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.writes import cancel
from tradewind.control.shared.conditions import READY
from tradewind.control.shared.event_recorder import EventRecorder
from tradewind.control.shared.status_writer import StatusWriter
from tradewind.control.shared.valid_condition import Validity
from tradewind.control.triggers.consumers import RunConsumers, topics_of
from tradewind.control.triggers.dag_index import DAGFacts, DAGIndex
from tradewind.control.triggers.failed_runs import FailedRuns
from tradewind.control.triggers.rate_limit import Pace
from tradewind.control.triggers.run_maker import Fired, TriggerSnapshot, fire, make
from tradewind.control.triggers.source import DueRun, DueRuns, NotReady, Skipped, Source, SourceResult
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import ApiError, Conflict, Forbidden, NotFound
from tradewind.kube.errors import Invalid as Unacceptable
from tradewind.kube.merge_patch import difference
from tradewind.kube.resources import TRIGGERS, Key, deleting
from tradewind.kube.work_queue import WorkQueue
from tradewind.model.shown import brief
from tradewind.model.trigger import TriggerSpec
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.documents.problem import Invalid, Problem, summary
from tradewind.plan.documents.read import read
from tradewind.plan.triggers.cycles import circle
from tradewind.plan.triggers.failures_in_a_row import check as check_history
from tradewind.plan.triggers.failures_in_a_row import words as about_failures
from tradewind.plan.triggers.trigger import check

log = logging.getLogger(__name__)
SAVE = 1.0
"""Seconds until a trigger's status is written: runs go first. If the write is lost, the names of the runs prevent duplicates."""
FAILURES_IN_A_ROW = "FailuresInARow"
"""The reason for which a trigger has suspended itself."""
STEP = 0.5
"""Seconds by which the wall clock may deviate from elapsed time before it counts as set."""


class TriggerReconciler:
    """Fires triggers and keeps their status. The status in memory is authoritative; it is written a little later."""

    def __init__(
        self,
        client: Client,
        events: EventRecorder,
        sources: Callable[["TriggerReconciler"], Mapping[str, Source]],
        made: Callable[[Run], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`sources` makes the sources by the name of their field in a spec, for this reconciler, whose triggers they wake. `made` is called
        for each run that was made or existed already."""
        self._client, self._events, self._made, self._clock = client, events, made, clock
        self.queue: WorkQueue[Key] = WorkQueue("trigger")
        self.saving: WorkQueue[Key] = WorkQueue("trigger-status")
        self.dags = DAGIndex(client, self._dag_changed)
        self.followers = RunConsumers(self.wake)
        self.pace = Pace(clock)
        self._circles: dict[Key, tuple[int, str]] = {}
        """The last result of the search for circles, and the value of `_links` then."""
        self._links = 0
        """Incremented whenever a trigger or a DAG changes."""
        self._known: dict[Key, TriggerSnapshot] = {}
        self._wrong: dict[Key, tuple[Object, Invalid]] = {}
        """Triggers whose specs can't be read."""
        self._checked: dict[Key, tuple[TriggerSpec, DAGFacts | None, list[Problem]]] = {}
        self._saved: dict[Key, Mapping[str, Any]] = {}
        self._versions: dict[Key, int] = {}
        self._writer = StatusWriter(client, self.saving)
        self._writing: defaultdict[Key, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._of_dag: defaultdict[Key, set[Key]] = defaultdict(set)
        self._failed = FailedRuns(client)
        self._unsettled: defaultdict[Key, list[tuple[Run, Callable[[Run], None]]]] = defaultdict(list)
        self._unfinished: defaultdict[Key, dict[str, Run]] = defaultdict(dict)
        self._sources = sources(self)

    def seen(self, body: Object, deleted: bool) -> None:
        """A trigger was created, changed or deleted."""
        meta = body["metadata"]
        key = (meta["namespace"], meta["name"])
        if deleted:
            self._drop(key)
            return
        before = self._known.get(key)
        if before and before.uid != meta["uid"]:
            self._drop(key)
            before = None
        self._take_status(key, body)
        if before and (before.generation, before.deleting) == (meta.get("generation"), deleting(body)):
            if difference(self._saved[key], dict(before.status)):
                self.queue.add_after(
                    key, SAVE
                )  # A write of this operator is on its way, or someone else, such as another leader, wrote the status.
            return
        status = before.status if before else self._saved[key]
        try:
            spec = read(TriggerSpec, body.get("spec") or {})
        except Invalid as error:
            self._wrong[key] = (body, error)
            self._drop_spec(key)
        else:
            self._links += 1
            self._wrong.pop(key, None)
            if before and before.spec.source != spec.source:
                self._stop(key, before)
            if before and before.spec.dag != spec.dag:
                self._leave(key, before.spec.dag)
            created = datetime.fromisoformat(meta["creationTimestamp"]).timestamp()
            generation = int(meta.get("generation") or 0)
            self._known[key] = TriggerSnapshot(*key, meta["uid"], generation, created, spec, status, deleting(body))
            self._of_dag[key[0], spec.dag].add(key)
            if deleting(body):
                self.followers.gone(key)
                self._check_unsettled(key)
            else:
                self.followers.seen(key, spec, created, self._saved[key])
        self.queue.add(key)

    def others_seen(self, body: Object, deleted: bool) -> None:
        """A trigger of another replica was created, changed or deleted: it may follow runs of this one."""
        meta = body["metadata"]
        key = (meta["namespace"], meta["name"])
        self.followers.gone(key)
        self._links += 1
        if not deleted and not deleting(body):
            with contextlib.suppress(Invalid):
                created = datetime.fromisoformat(meta["creationTimestamp"]).timestamp()
                self.followers.seen(key, read(TriggerSpec, body.get("spec") or {}), created, body.get("status") or {})
        self._check_unsettled(key)

    def run_seen(self, run: Run, deleted: bool = False) -> None:
        """A run was created, changed or deleted."""
        if self._failed.seen(run, deleted):
            made_by = self._known.get((run.namespace, run.maker))
            if made_by and made_by.spec.dag == run.dag and made_by.spec.suspend_after_failures:
                self.queue.add(made_by.key)  # Others notice at their next occasion.
        if not run.maker or run.how == "backfill":
            return  # A schedule does not wait for runs of the past.
        if not deleted:
            self.pace.seen(run)
        key = (run.namespace, run.maker)
        if run.final or deleted:
            self._unfinished[key].pop(run.uid, None)
            if not self._unfinished[key]:
                del self._unfinished[key]
        else:
            self._unfinished[key][run.uid] = run

    def unfinished(self, key: Key) -> list[Run]:
        """The runs of a trigger that have not ended."""
        return list(self._unfinished.get(key, {}).values())

    def when_settled(self, run: Run, tell: Callable[[Run], None]) -> None:
        """Calls `tell(run)` once the status of the run's trigger records it, and triggers that follow the run have processed it. Until then
        the run must not be deleted: its name prevents a duplicate, and the followers have to read it."""
        known = self._known.get((run.namespace, run.maker))
        if known and difference(self._saved.get(known.key, {}), dict(known.status)):
            self._unsettled[known.key].append((run, tell))
        elif follower := self.followers.needing(run):
            self._unsettled[follower].append((run, tell))
        else:
            tell(run)

    def _check_unsettled(self, key: Key) -> None:
        """Checks the runs that wait for a trigger's status again."""
        for run, tell in self._unsettled.pop(key, ()):
            self.when_settled(run, tell)

    def _take_status(self, key: Key, body: Object) -> None:
        """Takes the stored status of a trigger, unless a newer one is known."""
        version = int(body["metadata"]["resourceVersion"])
        if version >= self._versions.get(key, 0):
            self._versions[key], self._saved[key] = version, body.get("status") or {}
            self.followers.saved(key, self._saved[key])
            self._check_unsettled(key)

    def wake(self, key: Key) -> None:
        """Queues a trigger that may have a reason to fire."""
        if key in self._known:
            self.queue.add(key)

    def _dag_changed(self, namespace: str, name: str) -> None:
        self._links += 1
        for key in self._of_dag.get((namespace, name), ()):
            self.queue.add(key)
        self.followers.notify(("completed", namespace, f"{namespace}/{name}"))

    def _drop_spec(self, key: Key) -> None:
        self._links += 1
        self.followers.gone(key)
        if known := self._known.pop(key, None):
            self._stop(key, known)
            self._checked.pop(key, None)
            self._leave(key, known.spec.dag)

    def _leave(self, key: Key, dag: str) -> None:
        """Notes that a trigger no longer makes runs of a DAG."""
        triggers = self._of_dag[key[0], dag]
        triggers.discard(key)
        if not triggers:
            self._failed.forget((key[0], dag))
            del self._of_dag[key[0], dag]

    def _drop(self, key: Key) -> None:
        self._drop_spec(key)
        self._wrong.pop(key, None)
        self._saved.pop(key, None)
        self._versions.pop(key, None)
        self._circles.pop(key, None)
        self._writing.pop(key, None)
        self.pace.forget(key)
        self._check_unsettled(key)
        self.queue.forget(key)
        self.saving.forget(key)

    def _stop(self, key: Key, known: TriggerSnapshot) -> None:
        self._sources[known.spec.source].forget(key)

    def failed(self, key: Key, error: Exception) -> float | None:
        """Handles a failed reconcile."""
        known = self._known.get(key)
        if known is None or (isinstance(error, ApiError) and not isinstance(error, Unacceptable)):
            log.warning("trigger %s/%s: %s", *key, error)
        else:
            log.error("trigger %s/%s", *key, exc_info=error)
            words = f"it can't fire: {type(error).__name__}: {error}"[:1_024]
            self._note(known, Validity(True, "Valid", "it can be read"), {"phase": "Waiting", "message": words})
        return None

    async def reconcile(self, key: Key) -> None:
        """Fires a trigger for what has happened, and notes the resulting status."""
        known = self._known.get(key)
        if known is None:
            if key in self._wrong:
                self.saving.add(key)
            return
        if known.deleting:
            words = "it is being deleted, and makes no more runs"
            status = {"phase": "Suspended", "message": words, "next": None}
            self._note(known, Validity(True, "Valid", "it can be read"), status, "Deleting")
            self._stop(key, known)
            return
        facts = await self.dags.of(known.namespace, known.spec.dag)
        if problems := self._check(known, facts):
            self._note(known, Validity.of(Invalid(problems)), {"phase": "Invalid", "message": summary(problems)})
            self._stop(key, known)
            return
        found = Validity(True, "Valid", "it can fire")
        if self._idle(known, facts, found) or await self._fails(known, facts, found):
            self._stop(key, known)
            return
        try:
            look = await self._look(known)
        except NotReady as error:
            self._note(known, found, {"phase": "Waiting", "message": str(error)}, error.reason)
            self.queue.add_after(key, 10)
            return
        if look is None:
            return  # It is queued again.
        for run in look.runs:
            self._made(run)
        self._note(known, found, {"phase": "Active", "message": "", **look.status})
        if look.at is not None:
            self.queue.add_after(key, max(0.0, look.at - self._clock()))

    async def _look(self, known: TriggerSnapshot) -> SourceResult | None:
        """The result of the trigger's source after the due runs were made. None if the trigger has changed meanwhile."""
        found = await self._sources[known.spec.source].look(known)
        if isinstance(found, SourceResult):
            return found
        if found.on_record:
            await self.save(known.key)
            current = self._known.get(known.key)
            if current is None or current.spec is not known.spec:
                return None
        fired = await self._fire(known, found)
        if not self._goes_on(known):
            return None
        result = await found.then(fired)
        if len(fired) < len(found.runs) and result.at is None:
            return replace(result, at=self._clock() + self.pace.wait(known))
        return result

    async def _fire(self, known: TriggerSnapshot, due: DueRuns) -> list[Fired]:
        """Makes due runs, as many as the trigger's rate allows now."""
        fired: list[Fired] = []
        for run in due.replaced:
            await cancel(self._client, run)
        for item in due.runs:
            if not self._goes_on(known) or (due.paced and self.pace.wait(known)):
                break
            fired.append(await self._make(known, item, due.each))
        return fired

    def _goes_on(self, known: TriggerSnapshot) -> bool:
        """Whether a trigger still exists and is not being deleted."""
        current = self._known.get(known.key)
        return current is not None and current.uid == known.uid and not current.deleting

    async def _make(self, known: TriggerSnapshot, item: DueRun, each: bool) -> Fired:
        try:
            firing = await item.firing()
            if item.given:
                fired = await make(self._client, known, firing, item.given)
            else:
                fired = await fire(self._client, known, firing)
        except (ExpressionError, Skipped) as error:
            return Fired(item.name, "failed", error=str(error))
        except Forbidden as error:
            raise NotReady(error.message) from None
        except Unacceptable as error:
            if not each:
                raise
            return Fired(item.name, "failed", error=error.message)
        if fired.run:
            self._made(fired.run)
            if item.since is not None:
                metrics.trigger_latency.labels(firing.how).observe(max(0.0, self._clock() - item.since))
        metrics.occasions.labels(firing.how, fired.result).inc()
        return fired

    def _check(self, known: TriggerSnapshot, facts: DAGFacts | None) -> list[Problem]:
        """The problems of a trigger, checked again when the trigger or its DAG changes."""
        checked = self._checked.get(known.key)
        if checked is None or checked[0] is not known.spec or checked[1] is not facts:
            checked = self._checked[known.key] = (
                known.spec,
                facts,
                [*check(known.spec, facts.params if facts else None), *_uncounted(known.spec, facts)],
            )
        return checked[2]

    def _idle(self, known: TriggerSnapshot, facts: DAGFacts | None, found: Validity) -> bool:
        """Whether the trigger does not fire for now, whatever happens."""
        if facts is None:
            words = (
                f"there is no DAG {known.spec.dag!r} in namespace {known.namespace}: it fires when the DAG is applied"
            )
            self._note(known, found, {"phase": "Waiting", "message": words, "next": None}, "DAGNotFound")
        elif known.spec.suspend or facts.suspended:
            what = "it" if known.spec.suspend else f"DAG {known.spec.dag}"
            words = f"{what} is suspended; what happens meanwhile is not made up for"
            self._note(known, found, {"phase": "Suspended", "message": words, "next": None})
        else:
            return False
        return True

    async def _fails(self, known: TriggerSnapshot, facts: DAGFacts | None, found: Validity) -> bool:
        """Whether the trigger does not fire because its runs fail. Raises errors of the API."""
        limit = known.spec.suspend_after_failures
        if limit is None or facts is None:
            return False
        failed = await self._failed.of(known, facts.keeps, self._clock(), limit)
        if len(failed) < limit:
            return False
        status = {"phase": "Suspended", "message": about_failures(limit, known.name, failed), "next": None}
        self._note(known, found, status, FAILURES_IN_A_ROW)
        return True

    def _note(self, known: TriggerSnapshot, found: Validity, status: dict[str, Any], reason: str = "") -> None:
        """Sets the status to write. `reason` explains the phase in one word, if the phase itself does not."""
        current = self._known.get(known.key)
        if current is None or current.uid != known.uid:
            return
        phase = status["phase"]
        why = (
            "" if phase == "Active" else status["message"]
        )  # The last action of an active trigger is irrelevant for Ready.
        if phase == "Active" and (words := self.dags.invalid(known.namespace, known.spec.dag)):
            phase, reason, why = "Waiting", "DAGInvalid", f"its runs can't begin: {words}"
        valid = found.status(known.status, known.generation, self._clock(), phase, reason, why)
        if words := self._circle(known):
            circular = Validity(True, "CircleFound", words)
            valid["conditions"].append(circular.condition("Circular", known.status, known.generation, self._clock()))
        wanted = {**known.status, **valid, "source": known.spec.source, **status}
        wanted["message"] = brief(wanted.get("message") or "")
        if wanted != known.status:
            self._known[known.key] = replace(current, status=wanted)
        if difference(self._saved.get(known.key, {}), wanted):
            urgent = wanted["phase"] != (self._saved.get(known.key) or {}).get("phase")
            self.saving.add_after(known.key, 0.0 if urgent else SAVE)

    def _circle(self, known: TriggerSnapshot) -> str:
        """The circle that the trigger is part of, in words; empty if there is none. It is searched again when a trigger or a DAG
        changes."""
        if not any(topics_of(known.spec, known.namespace)):
            return ""
        looked = self._circles.get(known.key)
        if looked is None or looked[0] != self._links:
            found = circle(self.followers.graph(self.dags), known.key) if self.followers.knows(known.key) else None
            looked = self._circles[known.key] = (self._links, str(found or ""))
        return looked[1]

    async def save(self, key: Key) -> None:
        """Writes the status of a trigger."""
        async with self._writing[key]:
            await self._save(key)

    async def _save(self, key: Key) -> None:
        known, before = self._known.get(key), self._saved.get(key, {})
        if known:
            uid, generation, wanted = known.uid, known.generation, dict(known.status)
        elif key in self._wrong:
            body, error = self._wrong[key]
            uid, generation = body["metadata"]["uid"], int(body["metadata"].get("generation") or 0)
            wanted = {
                **Validity.of(error).status(before, generation, self._clock()),
                "message": brief(str(error)),
                "next": None,
            }
        else:
            return
        version = str(self._versions[key]) if known else ""
        try:
            written = await self._writer.write(key, (TRIGGERS, *key), before, wanted, version)
        except NotFound:
            return
        except Conflict:
            await self._refresh(key, before)
            raise
        if written is None:
            return
        patch = written.patch
        if key in self._saved:
            self._take_status(key, written.stored)
        if patch.get("phase") == "Suspended" and _reason(wanted) == FAILURES_IN_A_ROW:
            self._events.post(
                "Trigger", *key, uid, FAILURES_IN_A_ROW, wanted["message"], warning=True, key=wanted["message"]
            )
        if patch.get("phase") in ("Invalid", "Waiting"):
            reason = "Invalid" if patch["phase"] == "Invalid" else "TriggerWaits"
            self._events.post("Trigger", *key, uid, reason, wanted["message"], warning=True, key=str(generation))

    async def _refresh(self, key: Key, before: Mapping[str, Any]) -> None:
        """Takes a status that was written meanwhile, by a request of this operator whose response was lost or by another leader, and
        continues from it."""
        body = await self._client.get(TRIGGERS, *key)
        known = self._known.get(key)
        if known is None or known.uid != body["metadata"]["uid"]:
            return
        self._take_status(key, body)
        status = body.get("status") or {}
        if status.get(known.spec.source) != before.get(known.spec.source):
            self._stop(key, known)
            self._known[key] = replace(known, status=status)
            self.queue.add(key)

    async def watch_clock(self) -> None:
        """Queues all triggers when the wall clock is set. Never returns."""
        before = self._clock() - time.monotonic()
        while True:
            await asyncio.sleep(1)
            now = self._clock() - time.monotonic()
            if abs(now - before) > STEP:
                log.info("the clock was set by %.1f s: all triggers are checked again", now - before)
                for key in self._known:
                    self.queue.add(key)
            before = now


def _uncounted(spec: TriggerSpec, facts: DAGFacts | None) -> list[Problem]:
    return check_history(spec.suspend_after_failures, spec.dag, facts.keeps) if facts else []


def _reason(status: Mapping[str, Any]) -> str:
    """Why a status says Ready, or not."""
    return next((str(item["reason"]) for item in status["conditions"] if item["type"] == READY), "")
