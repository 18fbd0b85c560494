"""Tells the operator, in a ConfigMap, up to where everything is recorded: at most one write a second."""

import asyncio
import logging
import time
from collections.abc import Callable

from tradewind import metrics
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import ApiError, Conflict, NotFound
from tradewind.kube.resources import CONFIG_MAPS, RUNS
from tradewind.model.duration import stamp
from tradewind.plan.retention.watermark import Watermark, data, read
from tradewind.recorder.collector import Collector

log = logging.getLogger(__name__)
PACE = 1.0
"""Seconds between two writes."""
HEARTBEAT = 30.0
"""Seconds after which it is written although nothing has changed: that shows that the recorder works, and finds a restored etcd."""


async def newest_version(client: Client, namespace: str | None) -> int:
    """The newest version of the API server. Raises errors of the API."""
    found = await client.list(RUNS, namespace, limit="1")
    return int(found["metadata"]["resourceVersion"])


class Publisher:
    """Writes the watermark. The ConfigMap has to exist: its name is the only one that the recorder may write."""

    def __init__(
        self,
        client: Client,
        place: tuple[str, str],
        collector: Collector,
        cluster: str,
        first: str | None = None,
        fresh: bool = True,
        logs: Callable[[], int] = lambda: 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`place` is the ConfigMap's namespace and name, `first` a namespace whose runs are watched; `logs` returns up to where logs are stored. `fresh`: the store is new, or
        the versions have begun again, so that what was published before is not true of it."""
        self._client, self._place, self._collector, self._cluster = client, place, collector, cluster
        self._first, self._logs, self._clock, self._fresh = first, logs, clock, fresh
        self._stored: Object | None = None
        self._published_at = float("-inf")
        self._mark: Watermark | None = None
        self.trouble = ""
        """Why it can't be published now; empty if it can."""

    async def run(self) -> None:
        """Publishes. Never returns."""
        while True:
            mark = Watermark(self._collector.reached or 0, self._logs())
            if mark != self._mark or self._clock() >= self._published_at + HEARTBEAT:
                await self.publish(mark)
            await asyncio.sleep(PACE)

    async def publish(self, mark: Watermark) -> None:
        """Writes it once. What fails is tried again with the next one. Over another write than its own last one nothing is written before
        it is clear that the versions go on: after a restore they name other things."""
        asked = mark
        try:
            if self._stored is None:
                self._stored = await self._client.get(CONFIG_MAPS, *self._place)
                if await newest_version(self._client, self._first) < mark.runs:
                    self._restart()
                    return
            if not self._fresh:  # What is stored stays so, while this process still finds out where it is.
                before = read(self._stored)
                mark = Watermark(max(mark.runs, before.runs), max(mark.logs, before.logs))
            meta = self._stored["metadata"]
            body = {
                **self._stored,
                "data": data(mark, str(meta["uid"]), self._cluster, stamp(self._clock())),
            }
            self._stored = await self._client.replace(CONFIG_MAPS, *self._place, body)
        except Conflict:
            self._stored = None
            return
        except ApiError as error:
            self._stored = None
            words = (
                f"ConfigMap {'/'.join(self._place)} is missing: the chart makes it"
                if isinstance(error, NotFound)
                else str(error)
            )
            if words != self.trouble:
                log.warning("the watermark can't be published: %s", words)
            self.trouble = words
            return
        self.trouble, self._mark, self._published_at, self._fresh = "", asked, self._clock(), False
        metrics.recorder_published.set(self._published_at)
        if max(mark) and read(self._stored) != mark:
            self._restart()

    def _restart(self) -> None:
        self._stored, self._mark, self._fresh = None, None, True
        self._collector.begin_again()
