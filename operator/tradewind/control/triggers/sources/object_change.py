"""Triggers that follow objects of the cluster. A change can't be reconstructed once the object has changed again, so each due run is
recorded with its params before it is made."""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson

from tradewind import metrics
from tradewind.control.triggers.object_watches import Body, ObjectWatches
from tradewind.control.triggers.rate_limit import too_fast
from tradewind.control.triggers.run_maker import Fired, TriggerSnapshot, run_name
from tradewind.control.triggers.source import DueRun, DueRuns, SourceResult
from tradewind.kube.resources import Key
from tradewind.model.duration import instant, stamp
from tradewind.model.object_change import ObjectChange
from tradewind.plan import selectors
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.triggers import object_change
from tradewind.plan.triggers.object_change import Change, Seen
from tradewind.plan.triggers.trigger import Firing, Given, given, occasion, told

BATCH = 20
"""Changes that are processed in one pass."""
PARAMS_LIMIT = 8_192
"""Bytes of a run's params as JSON: the trigger's status holds them for a moment."""


class ObjectSource:
    """The source `object`."""

    def __init__(self, watches: ObjectWatches, clock: Callable[[], float] = time.time) -> None:
        self._watches, self._clock = watches, clock
        self._before: dict[Key, dict[str, Body]] = {}
        """Objects as last processed."""

    def forget(self, key: Key) -> None:
        """Drops a trigger and its objects."""
        self._before.pop(key, None)
        self._watches.release(key)

    async def look(self, trigger: TriggerSnapshot) -> SourceResult | DueRuns:
        """The due runs, and then the changes."""
        spec = trigger.spec.object
        assert spec is not None  # noqa: S101 - the source of the trigger
        there = await self._watches.of(trigger.key, spec)
        due = [_due_run(trigger, item) for item in (trigger.status.get("object") or {}).get("due") or ()]
        if due:
            return DueRuns(due, partial(self._look, trigger, spec, there), on_record=True)
        return await self._look(trigger, spec, there, ())

    async def _look(
        self, trigger: TriggerSnapshot, spec: ObjectChange, there: Mapping[str, Body] | None, fired: Sequence[Fired]
    ) -> SourceResult:
        """Processes changes, and reports the outcomes of the runs that were due."""
        stored, status = trigger.status.get("object") or {}, dict[str, Any]()
        if fired:
            status["lastRun"] = {"name": fired[-1].name, "at": stamp(self._clock())}
        if waiting := list(stored.get("due") or ())[len(fired) :]:
            return SourceResult(
                {**status, "object": {**stored, "due": waiting}, "message": too_fast(trigger, len(waiting))}
            )
        own: dict[str, Any] = {**stored, "due": []}
        if there is None:
            return SourceResult({**status, "object": own} if stored else status)
        now = {name: body for name, body in there.items() if selectors.matches(spec.label_selector, body)}
        if len(now) > object_change.OBJECTS_LIMIT:
            words = f"spec.object.labelSelector: {len(now)} objects match, a trigger follows {object_change.OBJECTS_LIMIT}: narrow it"
            return SourceResult({**status, "object": own, "phase": "Waiting", "message": words})
        known = self._known(trigger, spec, now)
        before = self._before.setdefault(trigger.key, {})
        found = object_change.changes(spec, known, before, now)
        for change in found[:BATCH]:
            due, skipped = self._judge(trigger, spec, change)
            own["due"] += [due] if due else []
            own["skipped"] = skipped or own.get("skipped", "")
            self._record(spec, known, change, due is not None)
        own |= {"followed": _followed(spec), "known": object_change.written(known), "objects": len(known)}
        status["object"] = own
        return SourceResult(status, self._clock() if own["due"] or len(found) > BATCH else None)

    def _known(self, trigger: TriggerSnapshot, spec: ObjectChange, now: dict[str, Body]) -> dict[str, Seen]:
        """The objects that were processed. When a trigger starts over, all existing objects count as processed, except those younger than
        the trigger."""
        stored = trigger.status.get("object") or {}
        suspended = trigger.status.get("phase") == "Suspended"
        if stored.get("followed") == _followed(spec) and not suspended:
            with contextlib.suppress(ValueError):
                return object_change.read(stored.get("known") or "")
        self._before.pop(trigger.key, None)
        first = not stored and not suspended
        return {
            name: object_change.seen(spec, body)
            for name, body in now.items()
            if not (first and instant(body["metadata"]["creationTimestamp"]) >= int(trigger.created))
        }

    def _record(self, spec: ObjectChange, known: dict[str, Seen], change: Change, counted: bool) -> None:
        """Records a processed change. An update without a run is only kept in memory, so that no status is written for it."""
        name = change.name
        if change.kind == "Deleted":
            known.pop(name, None)
            return
        if change.kind != "Updated" or counted:
            known[name] = object_change.seen(spec, change.object)

    def _judge(self, trigger: TriggerSnapshot, spec: ObjectChange, change: Change) -> tuple[dict[str, Any] | None, str]:
        """The run to make of a change, in its form in the status, and the reason if there is none that should be reported."""
        before = self._before.setdefault(trigger.key, {})
        if change.kind == "Deleted":
            before.pop(change.name, None)
        else:
            before[change.name] = change.object
        if change.kind not in spec.changes:
            return None, ""
        what = f"{change.kind} {spec.kind} {change.name}"
        suffix = occasion(change.kind, object_change.digest(change.object), change.version)
        firing = Firing(suffix, "object", _moment(self._clock()), values=object_change.values(change))
        try:
            found = given(trigger.name, trigger.namespace, trigger.spec, firing)
            if found is None:
                metrics.occasions.labels("object", "filtered").inc()
                return None, ""
            size = len(orjson.dumps(dict(found.params)))
            if size > PARAMS_LIMIT:
                raise ExpressionError("params", f"{size} bytes, the limit is {PARAMS_LIMIT}: give the object's name")
        except (ExpressionError, TypeError) as error:
            metrics.occasions.labels("object", "skipped").inc()
            return None, f"{what}: {error}"[:1_024]
        cause = f"{spec.kind} {change.name} {change.kind}" + (f", version {change.version}" if change.version else "")
        return {"suffix": suffix, "at": found.logical_date, "cause": cause, "params": dict(found.params)}, ""


def _due_run(trigger: TriggerSnapshot, due: dict[str, Any]) -> DueRun:
    at = datetime.fromisoformat(due["at"])
    date = told(at)

    async def firing() -> Firing:
        return Firing(due["suffix"], "object", at, cause=due["cause"])

    found = Given(due.get("params") or {}, date, date, date)
    return DueRun(run_name(trigger.name, due["suffix"]), firing, found, at.timestamp())


def _moment(epoch: float) -> datetime:
    return datetime.fromtimestamp(int(epoch), UTC)


def _followed(spec: ObjectChange) -> str:
    return occasion(spec.model_dump_json(include={"api_version", "kind", "label_selector", "condition", "changes"}))
