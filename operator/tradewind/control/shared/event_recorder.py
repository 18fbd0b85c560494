"""Kubernetes Events, which `kubectl describe` shows."""

import asyncio
import hashlib
import logging
import time
from typing import Any

from tradewind import API_VERSION
from tradewind.kube.client import Client
from tradewind.kube.errors import AlreadyExists, ApiError, Forbidden, NotFound
from tradewind.kube.fair_queue import Turns
from tradewind.kube.resources import EVENTS
from tradewind.model.duration import stamp
from tradewind.model.shown import brief

log = logging.getLogger(__name__)
EVENTS_WAITING_LIMIT = 1_000
"""Events not yet sent. Beyond that, Events of the namespace with the most are dropped, so that Events never delay other work or displace
those of other namespaces."""
RATE, BURST = 2.0, 20
"""Events per second about successes in one namespace, and how many at once. Where thousands of runs start, most are dropped; the status has
the same information."""
NAMESPACES = 1_000
"""Namespaces whose rate is kept: those of the latest Events."""
LOG_INTERVAL_SECONDS = 60.0
"""Seconds between two log lines about dropped Events."""


class EventRecorder:
    """Posts Events in the background, in turns between namespaces. Their names derive from what happened, so a restart repeats none."""

    def __init__(self, client: Client, now: Any) -> None:
        self._client, self._now = client, now
        self._turns: Turns[dict[str, Any]] = Turns()
        self._waiting, self._posted = 0, asyncio.Event()
        self._dropped, self._logged_at = 0, float("-inf")
        self._terminating = ""
        """The namespace in which the last Event was refused because it is being deleted."""
        self._rooms: dict[str, tuple[float, float]] = {}
        """By namespace: how many Events may be sent at once, and when (the loop's time) that was computed."""

    def post(
        self,
        kind: str,
        namespace: str,
        name: str,
        uid: str,
        reason: str,
        message: str,
        *,
        warning: bool = False,
        key: str = "",
        api_version: str = API_VERSION,
    ) -> None:
        """Queues an Event about an object; a cluster-scoped object has no namespace. `key` distinguishes Events with the same reason, such
        as a task and its attempt."""
        if not (warning or self._within_rate(namespace)) or not self._room(namespace or "default"):
            self._drop()
            return
        digest = hashlib.sha256(f"{uid}/{reason}/{key}".encode()).hexdigest()[:16]
        at = stamp(self._now())
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{name}.{digest}", "namespace": namespace or "default"},
            "involvedObject": {
                "apiVersion": api_version,
                "kind": kind,
                **({"namespace": namespace} if namespace else {}),
                "name": name,
                "uid": uid,
            },
            "reason": reason,
            "message": brief(message, 1_024),
            "type": "Warning" if warning else "Normal",
            "source": {"component": "tradewind"},
            "reportingComponent": "tradewind.dev/operator",
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
        }
        self._turns.push(namespace or "default", body)
        self._waiting += 1
        self._posted.set()

    async def run(self) -> None:
        """Sends Events. Never returns."""
        while True:
            await self._posted.wait()
            body = self._turns.pop()
            self._waiting -= 1
            if not self._waiting:
                self._posted.clear()
            try:
                await self._client.create(EVENTS, body["metadata"]["namespace"], body)
            except (AlreadyExists, NotFound):
                pass
            except ApiError as error:
                if isinstance(error, Forbidden) and error.terminating:
                    self._report_terminating(body["metadata"]["namespace"])
                    continue
                log.warning("Event %s of %s: %s", body["reason"], body["involvedObject"]["name"], error)

    def _report_terminating(self, namespace: str) -> None:
        """Logs a namespace that takes no Events any more, once: there is one for each of its objects."""
        if namespace != self._terminating:
            self._terminating = namespace
            log.debug("namespace %s is being deleted: its Events are not sent", namespace)

    def _room(self, namespace: str) -> bool:
        """Whether another Event of a namespace may wait. If too many wait already, one of the namespace with the most is dropped."""
        if self._waiting < EVENTS_WAITING_LIMIT:
            return True
        if not self._turns.shorten(self._turns.waiting(namespace) + 1):
            return False
        self._waiting -= 1
        self._drop()
        return True

    def _within_rate(self, namespace: str) -> bool:
        now = asyncio.get_running_loop().time()
        room, since = self._rooms.pop(namespace, (BURST, now))
        room = min(BURST, room + RATE * (now - since))
        sent = room >= 1
        self._rooms[namespace] = (room - sent, now)
        if len(self._rooms) > NAMESPACES:
            del self._rooms[next(iter(self._rooms))]
        return sent

    def _drop(self) -> None:
        self._dropped += 1
        now = time.monotonic()
        if now >= self._logged_at + LOG_INTERVAL_SECONDS:
            log.info("more Events at once than are sent: %d dropped so far", self._dropped)
            self._logged_at = now
