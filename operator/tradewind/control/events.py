"""Kubernetes Events: what happened, where `kubectl describe` shows it."""

import asyncio
import hashlib
import logging
import time
from typing import Any

from tradewind import API_VERSION
from tradewind.kube.client import Client
from tradewind.kube.errors import AlreadyExists, ApiError, NotFound
from tradewind.kube.resources import EVENTS
from tradewind.model.duration import stamp

log = logging.getLogger(__name__)
WAITING = 1_000
"""Events not yet sent. More are dropped: they must never hold the work back."""
RATE, BURST = 2.0, 20
"""Events a second about what went well in one namespace, and how many at once. The status says the same: where runs come in thousands, most
are dropped."""
NAMESPACES = 1_000
"""Namespaces whose rate is kept: those of the latest Events."""
TOLD_EVERY = 60.0
"""Seconds between two log lines about what was dropped."""


class EventSink:
    """Posts Events in the background. A name made of what happened makes them idempotent: a restart repeats none."""

    def __init__(self, client: Client, now: Any) -> None:
        self._client, self._now = client, now
        self._queue: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
        self._dropped, self._told = 0, float("-inf")
        self._rooms: dict[str, tuple[float, float]] = {}
        """By namespace, how many may be sent at once, and when (the loop's time) that was so."""

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
        """Queues an Event on an object (of the whole cluster, without a namespace). `key` tells apart Events of the same reason, such as a task and its attempt."""
        if self._queue.qsize() >= WAITING or not (warning or self._within_rate(namespace)):
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
            "message": message[:1_024],
            "type": "Warning" if warning else "Normal",
            "source": {"component": "tradewind"},
            "reportingComponent": "tradewind.dev/operator",
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
        }
        self._queue.put_nowait((namespace or "default", body))

    async def run(self) -> None:
        """Sends, for ever."""
        while True:
            namespace, body = await self._queue.get()
            try:
                await self._client.create(EVENTS, namespace, body)
            except (AlreadyExists, NotFound):
                pass
            except ApiError as error:
                log.warning("Event %s of %s: %s", body["reason"], body["involvedObject"]["name"], error)

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
        if now >= self._told + TOLD_EVERY:
            log.info("more Events at once than are sent: %d dropped so far, warnings last", self._dropped)
            self._told = now
