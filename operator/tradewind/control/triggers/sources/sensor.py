"""Triggers with a sensor: each thing that a poll finds gets one run."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from tradewind import metrics
from tradewind.control.egress.header_variables import referred
from tradewind.control.pods.rendering import Renderer, Unrenderable
from tradewind.control.sensors.bucket_probe import ProbeFailedError
from tradewind.control.sensors.poller import Poll
from tradewind.control.sensors.probes import Asking, sql_url
from tradewind.control.sensors.sensor_tasks import SPREAD, SensorTasks
from tradewind.control.triggers.rate_limit import too_fast
from tradewind.control.triggers.run_maker import Fired, TriggerSnapshot, run_name
from tradewind.control.triggers.source import DueRun, DueRuns, SourceResult
from tradewind.control.triggers.sources.bucket_cursor import new_objects
from tradewind.kube.resources import Key
from tradewind.model.bounded import OutOfBounds
from tradewind.model.duration import seconds, stamp
from tradewind.model.trigger_sensor import TriggerSensor
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.sensors import bucket_listing
from tradewind.plan.sensors import sensor as plan
from tradewind.plan.triggers.trigger import Firing, occasion, wanted

log = logging.getLogger(__name__)
NOTHING = frozenset({304, 404, 410})
"""Status codes for which nothing was found."""
SENSOR_KEYS_SHOWN = 3
"""Things without a run whose reasons the status lists."""


@dataclass(slots=True)
class _Watch:
    """A polled trigger. It keeps the result of a poll until the runs are made."""

    trigger: TriggerSnapshot
    sensor: TriggerSensor
    cursor: Any
    keys: tuple[str, ...]
    begun: float
    """Since when (epoch seconds) it watches: older things are ignored where their age is known."""
    batch: plan.Batch | None = None
    at: float = 0.0
    """Epoch seconds of the latest poll."""
    what: str = ""
    problem: str = ""
    failures: int = 0
    polls: int = 0


@dataclass(frozen=True, slots=True)
class _Thing:
    """A thing that a poll found, with its due run or an error. It has neither if its run exists or it is not wanted."""

    values: plan.Values
    digest: str = ""
    due: DueRun | None = None
    error: str = ""


class SensorSource:
    """The source `sensor`. `wake` queues a trigger."""

    def __init__(
        self,
        tasks: SensorTasks,
        wake: Callable[[Key], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._poller, self._probes, self._host = tasks.poller, tasks.probes, tasks.host
        self._wake, self._clock = wake, clock
        self._watches: dict[Key, _Watch] = {}

    async def look(self, trigger: TriggerSnapshot) -> SourceResult | DueRuns:
        """The runs for the latest poll's results; then the next poll follows."""
        sensor = trigger.spec.sensor
        assert sensor is not None  # noqa: S101 - the source of the trigger
        watch = self._watches.get(trigger.key)
        own = dict(trigger.status.get("sensor") or {})
        if watch is None or watch.sensor is not sensor or watch.trigger.uid != trigger.uid:
            watch = self._watches[trigger.key] = _watch(trigger, sensor, self._clock())
            known = trigger.status.get("observedGeneration") == trigger.generation
            delay = plan.share(trigger.uid) * min(seconds(sensor.interval), SPREAD) if known else 0.0
            self._put(watch, delay)
            return SourceResult(
                {"sensor": own, "next": None, "message": trigger.status.get("message", ""), **_phase(trigger)}
            )
        watch.trigger = trigger
        if watch.batch is None:
            return self._result(watch, own)
        found = self._judge(watch, watch.batch)
        due = [item.due for item in found if item.due]
        return DueRuns(due, partial(self._record, watch, watch.batch, found), each=True)

    def _judge(self, watch: _Watch, batch: plan.Batch) -> list[_Thing]:
        """Decides about the things that a poll found."""
        trigger, known = watch.trigger, frozenset(watch.keys)
        found: list[_Thing] = []
        for values in batch.found:
            try:
                if not wanted(trigger.name, trigger.namespace, trigger.spec, self._firing(watch, "", values)):
                    found.append(_Thing(values))
                    continue
                key = plan.key(watch.sensor, values)
                digest = bucket_listing.digest(key)
                due = None if digest in known else self._due_run(watch, key, values)
                found.append(_Thing(values, digest, due))
            except ExpressionError as error:
                found.append(_Thing(values, error=str(error)))
        return found

    def _due_run(self, watch: _Watch, key: str, values: plan.Values) -> DueRun:
        async def firing() -> Firing:
            return self._firing(watch, key, values)

        return DueRun(run_name(watch.trigger.name, occasion(key)), firing, since=watch.at)

    async def _record(
        self, watch: _Watch, batch: plan.Batch, found: Sequence[_Thing], fired: Sequence[Fired]
    ) -> SourceResult:
        """Reports a poll, given the outcomes of the first of its runs."""
        results, last = list(fired), None
        dealt: list[str] = []
        untold: list[str] = []
        left: Sequence[plan.Values] = ()
        for at, thing in enumerate(found):
            error = thing.error
            if thing.due:
                if not results:
                    left = batch.found[at:]
                    break
                result = results.pop(0)
                error = result.error
                last = last if error else result
            if error:
                metrics.occasions.labels("sensor", "failed").inc()
                untold.append(error)
            elif thing.digest:
                dealt.append(thing.digest)
        status: dict[str, Any] = {"lastRun": {"name": last.name, "at": stamp(self._clock())}} if last else {}
        if left:
            watch.keys, watch.batch = tuple(plan.remembered(watch.keys, dealt)), replace(batch, found=left)
            own = {"cursor": watch.cursor, "keys": list(watch.keys)}
            return SourceResult({"next": None, "message": too_fast(watch.trigger, len(left)), "sensor": own, **status})
        watch.keys = tuple(plan.remembered(watch.keys, dealt) if batch.keys is None else batch.keys)
        watch.problem, watch.batch, watch.cursor = "; ".join(untold[:SENSOR_KEYS_SHOWN]), None, batch.cursor
        metrics.sensor_polls.labels(watch.sensor.kind, "found" if last else "nothing").inc()
        watch.polls += 1
        pause = plan.pause(watch.sensor, watch.failures, f"{watch.trigger.uid}/{watch.polls}")
        self._put(watch, 0.0 if batch.more else pause)
        return self._result(watch, {"cursor": watch.cursor, "keys": list(watch.keys)}, **status)

    def _result(self, watch: _Watch, own: dict[str, Any], **status: Any) -> SourceResult:
        phase = "Waiting" if watch.problem else "Active"
        return SourceResult({"phase": phase, "next": None, "message": watch.problem, "sensor": own, **status})

    def forget(self, key: Key) -> None:
        """Stops polling."""
        self._watches.pop(key, None)
        self._poller.drop(key)

    def _put(self, watch: _Watch, delay: float) -> None:
        async def ask() -> float | None:
            return await self._host.run(watch.trigger.namespace, self._ask(watch))

        namespace = watch.trigger.namespace
        poll = Poll(watch.sensor.kind, self._probes.server(_url(watch.sensor), namespace), ask, namespace)
        self._poller.put(watch.trigger.key, poll, delay)

    async def _ask(self, watch: _Watch) -> float | None:
        """Polls once. If that succeeds, the trigger is reconciled and then polls again."""
        trigger, before = watch.trigger, watch.problem
        watch.at = self._clock()
        values = {
            "trigger.name": trigger.name,
            "trigger.namespace": trigger.namespace,
            "cursor": watch.cursor,
            "now": stamp(watch.at),
            "today": stamp(watch.at)[:10],
        }
        try:
            watch.batch = await self._poll(watch, values)
        except Exception as error:
            words = str(error)
            if not isinstance(error, ProbeFailedError | Unrenderable | ExpressionError | OutOfBounds):
                log.exception("a poll of trigger %s/%s", *trigger.key)
                words = f"the operator could not ask: {type(error).__name__}: {error}"
            watch.problem, watch.failures = words, watch.failures + 1
            metrics.sensor_polls.labels(watch.sensor.kind, "error").inc()
            if watch.problem != before:
                self._wake(trigger.key)
            watch.polls += 1
            return plan.pause(watch.sensor, watch.failures, f"{trigger.uid}/{watch.polls}")
        watch.failures = 0
        self._wake(trigger.key)
        return None

    async def _poll(self, watch: _Watch, values: plan.Values) -> plan.Batch:
        def evaluate(expression: str) -> Any:
            return plan.evaluate(expression, plan.ASKING, values)

        sensor, renderer = watch.sensor, Renderer("", evaluate, "spec")
        asking = Asking(watch.trigger.namespace, {}, referred(sensor.env_from))
        if sensor.bucket:
            look = self._probes.bucket(sensor.bucket, asking, renderer)
            watch.what = look.what
            return await new_objects(sensor.bucket, look, str(watch.cursor), watch.keys, watch.begun, values)
        probe = self._probes.probe(sensor, asking, renderer)
        watch.what = probe.what
        found = await probe.ask()
        if (sensor.sql and not found["rows"]) or found.get("status") in NOTHING:
            return plan.Batch((), watch.cursor)
        if sensor.http and not 200 <= found["status"] < 300:
            raise ProbeFailedError(f"{probe.what}: answered {found['status']}")
        return plan.asked(sensor, {**values, **found})

    def _firing(self, watch: _Watch, key: str, values: plan.Values) -> Firing:
        return Firing(
            suffix=occasion(key),
            how="sensor",
            at=datetime.fromtimestamp(int(watch.at), UTC),
            cause=f"Trigger {watch.trigger.name}, {watch.what}",
            values=values,
        )


def _watch(trigger: TriggerSnapshot, sensor: TriggerSensor, now: float) -> _Watch:
    own = trigger.status.get("sensor") or {}
    begun = now if trigger.status.get("phase") == "Suspended" else trigger.created
    return _Watch(trigger, sensor, own.get("cursor", ""), tuple(own.get("keys") or ()), begun)


def _url(sensor: TriggerSensor) -> str:
    """The server to ask, as far as it is known in advance; all computed addresses count as one."""
    if sensor.sql:
        return sql_url(sensor.sql)
    return sensor.http.url if sensor.http else sensor.bucket.endpoint if sensor.bucket else ""


def _phase(trigger: TriggerSnapshot) -> dict[str, str]:
    """The phase before the first poll, if it was Waiting with a message."""
    return {"phase": "Waiting"} if trigger.status.get("phase") == "Waiting" and trigger.status.get("message") else {}
