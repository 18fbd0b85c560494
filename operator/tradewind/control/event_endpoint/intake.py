"""From a request to its run: the sender, the checks, and the event's key."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from tradewind import metrics
from tradewind.control.event_endpoint.authentication import UNKNOWN, Sender, SenderRejected, Senders, shows_credentials
from tradewind.control.event_endpoint.routes import EventTriggers, Taker
from tradewind.control.triggers.dag_index import DAGFacts
from tradewind.control.triggers.run_maker import Fired, TriggerSnapshot, fire
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError, Unavailable
from tradewind.kube.errors import Invalid as Unacceptable
from tradewind.model.event import EventSource
from tradewind.model.shown import counted
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.triggers.event import Event, Unreadable, key_of, read
from tradewind.plan.triggers.trigger import Firing, evaluator, known, occasion

log = logging.getLogger(__name__)
RETRY_DELAYS = (0.1, 0.5, 2.0)
"""Seconds before the creation of a run is repeated under the same name, if its outcome is unknown."""
LATER = 5.0
"""Seconds after which a sender may try again, unless the API server says otherwise."""


@dataclass(frozen=True, slots=True)
class Received:
    """The result of an event. `name` is the name of its run, empty if `when` was false."""

    name: str
    result: str
    """created, duplicate or filtered."""
    results: bool
    """Whether its sender may see the outcome of the run."""


class Reception:
    """Receives events."""

    def __init__(
        self, client: Client, triggers: EventTriggers, senders: Senders, clock: Callable[[], float] = time.time
    ) -> None:
        self._client, self._triggers, self._senders, self._clock = client, triggers, senders, clock

    def is_strange(self, namespace: str, name: str, headers: Mapping[str, str]) -> bool:
        """Whether a request is for a missing trigger or has no credentials. `headers` have lower-case names."""
        taker = self._triggers.find(namespace, name)
        source = taker.known.spec.event if taker else None
        return source is None or not shows_credentials(source.authentication, headers)

    async def receive(
        self, namespace: str, name: str, headers: Mapping[str, str], data: bytes, admitted: Callable[[], None]
    ) -> Received:
        """Makes the run of an event, unless it exists. `headers` have lower-case names; `admitted` is called once the sender is
        authenticated. Raises SenderRejected, and what `admitted` raises."""
        began = time.perf_counter()
        arrived = datetime.fromtimestamp(self._clock(), UTC)
        taker = self._triggers.find(namespace, name)
        source = taker.known.spec.event if taker else None
        how = source.authentication if source else UNKNOWN
        sender = await self._senders.admit(namespace, name, how, headers, data)
        if taker is None or source is None:
            words = f"there is no trigger {name!r} with spec.event in namespace {namespace}, or its spec can't be read"
            raise SenderRejected(404, "unknown", words)
        admitted()
        if wait := taker.bucket.take(time.monotonic()):
            words = f"trigger {name} takes {counted(source.max_per_second, 'event')} a second (spec.event.maxPerSecond)"
            raise SenderRejected(429, "limited", f"{words}: send it again later", wait)
        dag = await self._ready(taker)
        firing, own = _occasion(taker.known, source, sender, headers, data, arrived)
        fired = await self._fire(taker.known, firing, dag, own)
        metrics.occasions.labels("event", fired.result).inc()
        if fired.result == "created":
            metrics.trigger_latency.labels("event").observe(time.perf_counter() - began)
        name = "" if fired.result == "filtered" else fired.name
        return Received(name, fired.result, source.results)

    async def _ready(self, taker: Taker) -> DAGFacts:
        """The facts about the DAG of a trigger that can fire. Raises SenderRejected if it can't."""
        trigger = taker.known
        try:
            dag = await self._triggers.dag(taker)
        except ApiError as error:
            raise _away(error) from None
        if dag is None:
            words = f"trigger {trigger.name} has no DAG yet ({trigger.spec.dag!r}): the event was not accepted; send it again when the DAG is applied"
            raise SenderRejected(409, "unready", words)
        if taker.problems:
            words = f"trigger {trigger.name} is invalid: `kubectl describe trigger {trigger.name}` says what to fix; the event was not accepted"
            raise SenderRejected(409, "unready", words)
        if trigger.spec.suspend or dag.suspended:
            what = "it" if trigger.spec.suspend else f"DAG {trigger.spec.dag}"
            which = f"trigger/{trigger.name}" if trigger.spec.suspend else f"dag/{trigger.spec.dag}"
            words = f"trigger {trigger.name} makes no runs, {what} is suspended: the event was not accepted; send it again after `tradewind resume {which}`"
            raise SenderRejected(409, "suspended", words)
        return dag

    async def _fire(self, trigger: TriggerSnapshot, firing: Firing, dag: DAGFacts, own: bool) -> Fired:
        """Makes the run, and repeats that under the same name if the outcome is unknown. `own` marks an event without a key, which the
        sender could not repeat safely."""
        for delay in (*RETRY_DELAYS, None):
            try:
                fired = await fire(self._client, trigger, firing, dag.params)
            except Unavailable as error:
                if delay is None:
                    raise _away(error) from None
                await asyncio.sleep(delay)
            except (ExpressionError, Invalid) as error:
                metrics.occasions.labels("event", "failed").inc()
                raise SenderRejected(422, "unfit", f"no run can be made of this event: {error}") from None
            except Unacceptable as error:
                raise SenderRejected(422, "unfit", f"the API server does not take the run: {error.message}") from None
            except ApiError as error:
                raise _away(error) from None
            else:
                return Fired(fired.name, "created") if own and fired.result == "duplicate" else fired
        raise AssertionError


def _away(error: ApiError) -> SenderRejected:
    log.warning("an event was not taken: %s", error)
    after = error.retry_after if isinstance(error, Unavailable) else None
    return SenderRejected(
        503, "unavailable", "the run can't be made now: send the event again, with the same key", after or LATER
    )


def _occasion(
    trigger: TriggerSnapshot, source: EventSource, sender: Sender, headers: Mapping[str, str], data: bytes, at: datetime
) -> tuple[Firing, bool]:
    """The occasion of an event, and whether the event has no key. Raises SenderRejected."""
    hmac = source.authentication.hmac
    shown = {name: value for name, value in headers.items() if not hmac or name != hmac.header.lower()}
    try:
        event = read(shown, data, sender.name, sender.signed, bool(hmac and hmac.covers == "Body"))
        key = _key(trigger, source, event, at)
    except Unreadable as error:
        raise SenderRejected(400, "malformed", str(error)) from None
    except ExpressionError as error:
        raise SenderRejected(422, "unfit", f"no run can be made of this event: {error}") from None
    return (
        Firing(
            suffix=occasion("event", key or uuid4().hex),
            how="event",
            at=at,
            cause=f"Event {key or 'without a key'}" + (f", from {sender.name}" if sender.name else ""),
            values=event.values(key),
            queue=f"trigger-{trigger.name}" if source.concurrency == "Enqueue" else "",
        ),
        not key,
    )


def _key(trigger: TriggerSnapshot, source: EventSource, event: Event, at: datetime) -> str:
    values = known(
        trigger.name, trigger.namespace, trigger.spec, Firing("", "event", at, values=event.values(event.usual_key))
    )
    return key_of(source, event, evaluator("spec.event.key", "event", values))
