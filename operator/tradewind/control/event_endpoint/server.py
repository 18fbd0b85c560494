"""The HTTP server for events: requests of bounded size and time, a limited number at once, each answered in JSON."""

import contextlib
import logging
import math
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any

import orjson
from aiohttp import web

from tradewind import metrics
from tradewind.control.evaluation.host import Host
from tradewind.control.event_endpoint.authentication import SenderRejected
from tradewind.control.event_endpoint.intake import Received, Reception
from tradewind.control.event_endpoint.run_outcomes import RunOutcome, RunWaiters
from tradewind.control.server.bounded_listener import BoundedListener, Bounds
from tradewind.model.duration import seconds
from tradewind.plan.capacity.token_bucket import Bucket

log = logging.getLogger(__name__)
PATH = "/v1/events/{namespace:[a-z0-9-]{1,63}}/{trigger:[a-z0-9.-]{1,253}}"
"""Other paths are rejected early and don't appear in logs."""
READING = 10.0
"""Seconds for a body to arrive."""
BOUNDS = Bounds(connections=320, held=32 * 2**20, idle=30.0)
MAX_PARALLEL_EVENTS = 256
"""Parallel requests. Further senders are asked to try again."""
SHARE = MAX_PARALLEL_EVENTS // 4
"""Parallel requests of one namespace."""
SIZE, RATE = 256 * 1024, 500
LONGEST_WAIT = 300.0
"""Seconds that a sender may wait for a run."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the process."""

    size: int = SIZE
    """Bytes of a body."""
    rate: int = RATE
    """Requests per second of authenticated senders to triggers of one namespace; twice as many at once after a pause. The same limit
    applies to all requests together that have no credentials or are for missing triggers."""


class Endpoint:
    """Answers requests."""

    def __init__(
        self, reception: Reception, outcomes: RunWaiters, limits: Limits, host: Host, bounds: Bounds = BOUNDS
    ) -> None:
        """`host` runs work whose size senders and authors of triggers decide."""
        self.door, self._host = BoundedListener(bounds), host
        self._reception, self._outcomes, self._limits = reception, outcomes, limits
        self._strangers = Bucket(limits.rate, limits.rate * 2)
        self._rates = defaultdict[str, Bucket](lambda: Bucket(limits.rate, limits.rate * 2))
        """By namespace; only authenticated senders use them up."""
        self._busy: Counter[str] = Counter()

    async def post(self, http: web.Request) -> web.Response:
        """Receives an event."""
        try:
            wait = _wait(http.query.get("wait", ""))
            received = await self._receive(http)
        except SenderRejected as error:
            return _refusal(error)
        except Exception:
            log.exception("an event to %r", http.path)
            return _refusal(
                SenderRejected(500, "error", "an error of the endpoint: send the event again, with the same key")
            )
        if received.result == "filtered":
            return _json(200, {"result": "filtered", "message": "spec.when is false for this event: it makes no run"})
        answer = {"result": received.result, "namespace": http.match_info["namespace"], "run": received.name}
        if received.result == "duplicate":
            answer["message"] = "an event with this key has made this run before"
        return await self._respond(http.match_info["namespace"], received, wait, answer)

    async def _receive(self, http: web.Request) -> Received:
        headers = {name.lower(): _text(value) for name, value in http.headers.items()}
        namespace, trigger = http.match_info["namespace"], http.match_info["trigger"]
        stranger = self._reception.is_strange(namespace, trigger, headers)
        if stranger:
            _take(self._strangers)
        data = await self._body(http)
        # Strangers share the places of one namespace, whatever names they invent.
        place = "" if stranger else namespace
        if self._busy.total() >= MAX_PARALLEL_EVENTS or self._busy[place] >= SHARE:
            raise SenderRejected(503, "busy", "too many requests at once: send it again a little later", 1.0)
        self._busy[place] += 1
        metrics.events_in_flight.set(self._busy.total())
        try:
            with self.door.working(http):
                receiving = self._reception.receive(namespace, trigger, headers, data, lambda: self._spend(namespace))
                return await self._host.run(place, receiving)
        finally:
            self._busy[place] -= 1
            if not self._busy[place]:
                del self._busy[place]
            metrics.events_in_flight.set(self._busy.total())

    def _spend(self, namespace: str) -> None:
        """Counts an authenticated request to a trigger of this namespace. Raises SenderRejected."""
        _take(self._rates[namespace])

    async def _body(self, http: web.Request) -> bytes:
        if http.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise SenderRejected(415, "malformed", "the body is compressed: send it as it is, without Content-Encoding")
        try:
            return await self.door.read_body(http, self._limits.size, READING)
        except web.HTTPRequestEntityTooLarge:
            raise self._too_large() from None
        except TimeoutError:
            raise SenderRejected(408, "slow", f"the body did not arrive within {READING:.0f} s") from None

    def _too_large(self) -> SenderRejected:
        words = f"the body has more than {self._limits.size} bytes: send a reference to the data instead of the data"
        return SenderRejected(413, "large", words)

    async def _respond(self, namespace: str, received: Received, wait: float, answer: dict[str, Any]) -> web.Response:
        """Waits for the run, if requested, and returns the response."""
        if not wait:
            return _json(202, answer)
        if not received.results:
            return _json(
                202, {**answer, "message": "spec.event.results is not true: waiting for the run is not enabled"}
            )
        ended: RunOutcome | None = await self._outcomes.of(namespace, received.name, wait)
        if ended is None:
            return _json(202, answer)
        return _json(200, {**answer, "phase": ended.phase, "message": ended.message, "results": ended.results})


@contextlib.asynccontextmanager
async def serve(endpoint: Endpoint, port: int, context: SSLContext | None) -> AsyncIterator[None]:
    """Serves while the context is open; without a `context`, without TLS. Open requests are answered before it closes."""
    app = web.Application()
    app.add_routes([web.post(PATH, endpoint.post)])
    async with endpoint.door.serve(app, port, context):
        yield


def _take(bucket: Bucket) -> None:
    if wait := bucket.take(time.monotonic()):
        raise SenderRejected(429, "limited", "too many requests: send it again later", wait)


def _wait(text: str) -> float:
    try:
        wait = seconds(text) if text else 0.0
    except ValueError as error:
        raise SenderRejected(400, "malformed", f"wait: {error}") from None
    if wait > LONGEST_WAIT:
        raise SenderRejected(400, "malformed", f"wait: at most {LONGEST_WAIT:.0f}s; ask for the run later, by its name")
    return wait


def _text(value: str) -> str:
    """A header with invalid characters replaced."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _refusal(error: SenderRejected) -> web.Response:
    metrics.events_refused.labels(error.reason).inc()
    headers = {} if error.after is None else {"Retry-After": str(max(1, math.ceil(error.after)))}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return _json(error.status, {"result": "refused", "reason": error.reason, "message": error.words}, headers)


def _json(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json", headers=headers)
