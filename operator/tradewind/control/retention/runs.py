"""Deletes the runs that a DAG does not keep: a few at a time, the oldest first."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from tradewind import metrics
from tradewind.control.dagrun.run import Run
from tradewind.control.retention.recorded import AGAIN, Recorded
from tradewind.control.shared.event_recorder import EventRecorder
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import ApiError, Conflict, NotFound
from tradewind.kube.resources import RUNS, Key
from tradewind.kube.work_queue import WorkQueue
from tradewind.kube.writes import flow
from tradewind.model.dag_name import home
from tradewind.model.history import History
from tradewind.plan.documents.parts import held
from tradewind.plan.retention.runs import GRACE, REPEATS, EndedRun, Surplus, newest_success, surplus
from tradewind.plan.retention.watermark import released

log = logging.getLogger(__name__)
USUAL = History()
"""The limits of a DAG without settings, shared by all of them."""
BATCH = 20
"""Runs deleted at once."""
SWEEP_SECONDS = 60.0
"""Seconds until the ends of enclosing runs are checked again."""
SWEEP_DELAY = 1.0
"""Seconds until a DAG is checked after one of its runs has ended: runs end in bursts."""


class HistoryReconciler:
    """Keeps as many runs of each DAG as its spec says, and all runs of a missing DAG."""

    def __init__(
        self,
        client: Client,
        held: Callable[[str, str, str], bool],
        unfinished: Callable[[str], bool],
        when_settled: Callable[[Run, Callable[[Run], None]], None],
        clock: Callable[[], float] = time.time,
        recorded: Recorded | None = None,
        events: EventRecorder | None = None,
    ) -> None:
        """`held` returns whether a run (namespace, DAG, name) must be kept whatever its DAG says, as others still count on it. `unfinished`
        returns whether a run, by uid, has not ended: it reads how its sub-runs ended, and retries reuse their results, so these are kept.
        `when_settled(run, tell)` calls `tell` once the status of the run's trigger records it and triggers that follow it
        have processed it. With `recorded`, runs wait until they are on record, within its limits."""
        self._client, self._clock = client, clock
        self._recorded, self._events = recorded, events
        self._held, self._unfinished, self._when_settled = held, unfinished, when_settled
        self.queue: WorkQueue[Key] = WorkQueue("history")
        self._past: defaultdict[Key, dict[str, EndedRun]] = defaultdict(dict)
        self._rules: dict[Key, History] = {}
        self._keeping: set[Key] = set()
        """DAGs whose runs leave values to later runs."""
        self._uids: dict[Key, str] = {}
        """Uids of DAGs, for Events."""

    def dag_seen(self, body: Object, deleted: bool) -> None:
        """A DAG was created, changed or deleted."""
        key, spec = (body["metadata"]["namespace"], body["metadata"]["name"]), body.get("spec") or {}
        self._uids[key] = str(body["metadata"].get("uid") or "")
        if deleted:
            self._rules.pop(key, None)
            self._uids.pop(key, None)
            self._keeping.discard(key)
        elif not spec.get("template"):  # For a DAG with a template, `spec_seen` follows when it is rendered.
            self.spec_seen(*key, spec)

    def spec_seen(self, namespace: str, name: str, spec: Any) -> None:
        """The DAG's limits, including its templates."""
        key = (namespace, name)
        self._rules.pop(key, None)
        (self._keeping.add if spec.get("keep") else self._keeping.discard)(key)
        try:
            limits = spec.get("history")
            self._rules[key] = History.model_validate(limits) if limits else USUAL
        except ValidationError:
            return  # The DAG's own condition reports this; until it is fixed, nothing is deleted.
        self.queue.add(key)
        for local in held(spec):
            self.queue.add((namespace, f"{name}.{local}"))

    def run_seen(self, run: Run, deleted: bool = False) -> None:
        """A run was created, changed or deleted."""
        if deleted:
            self._take(run, deleted)
        else:
            self._when_settled(run, self._take)

    def _take(self, run: Run, deleted: bool = False) -> None:
        key = (run.namespace, run.dag)
        if run.final and not deleted and not run.deleting:
            grace, caller = REPEATS if run.how == "event" else GRACE, run.caller.uid if run.caller else ""
            done = run.phase == "Succeeded"
            ended = EndedRun(ended_at(run), run.version, done, grace, caller, run.moment, run.created, run.partial)
            self._past[key][run.name] = ended
            if (run.namespace, run.home) in self._rules:
                self.queue.add_after(key, SWEEP_DELAY)
        elif key in self._past and self._past[key].pop(run.name, None) is not None and not self._past[key]:
            del self._past[key]

    def check_again(self, namespace: str, name: str) -> None:
        """Checks a DAG again whose runs may no longer be held."""
        self.queue.add((namespace, name))

    def failed(self, key: Key, error: Exception) -> float | None:
        """Handles a failed reconcile."""
        log.warning("history of %s/%s: %s", *key, error, exc_info=None if isinstance(error, ApiError) else error)
        return None

    async def reconcile(self, key: Key) -> None:
        """Deletes runs of a DAG beyond its limits."""
        rule, past = self._rules.get((key[0], home(key[1]))), self._past.get(key)
        if rule is None or not past:
            return
        now = int(self._clock())
        parts = {name for name, ended in past.items() if ended.caller and self._unfinished(ended.caller)}
        kept = parts | (newest_success(past) if key in self._keeping else set[str]())
        free = {name: ended for name, ended in past.items() if name not in kept and not self._held(*key, name)}
        found, again = surplus(free, rule, now)
        found, lost = await self._released(key, found, now)
        with flow(key[0], "history"):
            answers = await asyncio.gather(
                *(self._delete(key, past, item, item.name in lost) for item in found[:BATCH]), return_exceptions=True
            )
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        if len(found) > BATCH:
            self.queue.add(key)
        elif again is not None:
            self.queue.add_after(key, again - now)
        if parts:
            self.queue.add_after(key, SWEEP_SECONDS)

    async def _released(self, key: Key, found: list[Surplus], now: int) -> tuple[list[Surplus], frozenset[str]]:
        """The runs that need not wait for the recorder, and the names of those among them that are not on record."""
        if self._recorded is None or not found:
            return found, frozenset()
        up_to = await self._recorded.runs()
        free, lost, waiting = released(found, up_to, self._recorded.limits, now)
        if waiting:
            self.queue.add_after(key, AGAIN)
        if lost:
            self._report_lost(key, lost[0].name, now)
        return list(free), frozenset(item.name for item in lost)

    def _report_lost(self, key: Key, run: str, now: int) -> None:
        dag = (key[0], home(key[1]))
        words = f"runs are deleted unrecorded, {run} first: the recorder is away or behind, and only recorder.unrecorded of them wait"
        log.warning("%s/%s: %s", *key, words)
        if self._events:
            hour, uid = str(now // 3_600), self._uids.get(dag, "")
            self._events.post("DAG", *dag, uid, "DeletedUnrecorded", words, warning=True, key=hour)

    async def _delete(self, key: Key, past: dict[str, EndedRun], item: Surplus, lost: bool) -> None:
        try:
            version = str(item.past.version)
            await self._client.delete(RUNS, key[0], item.name, version=version, propagationPolicy="Background")
            metrics.runs_removed.labels(item.reason).inc()
            metrics.runs_unrecorded.inc(lost)
        except (NotFound, Conflict):
            pass  # It is gone, or an event about it is about to arrive.
        if past.get(item.name) == item.past:
            del past[item.name]


def ended_at(run: Run) -> int:
    """Epoch seconds of its end; the creation of a run that was ended by hand without a timestamp."""
    try:
        return int(datetime.fromisoformat(str(run.status.get("finishedAt"))).timestamp())
    except ValueError:
        return run.created
