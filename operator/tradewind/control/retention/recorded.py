"""Reads up to where the recorder has recorded."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError
from tradewind.kube.resources import CONFIG_MAPS
from tradewind.plan.retention.watermark import NAME, NOTHING, Unrecorded, Watermark, read

log = logging.getLogger(__name__)
FRESH = 2.0
"""Seconds for which a watermark is not read again."""
AGAIN = 5.0
"""Seconds until what waits is checked again."""


@dataclass(frozen=True, slots=True)
class RecorderOptions:
    """That runs wait for a recorder before they are deleted."""

    namespace: str
    """Of the ConfigMap."""
    name: str = NAME
    limits: Unrecorded = Unrecorded()
    logs: bool = False
    """Whether it collects logs too: then runs and pods wait for them."""


class Recorded:
    """The recorder's watermark. While it can't be read, nothing counts as recorded."""

    def __init__(self, client: Client, options: RecorderOptions, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns monotonic seconds."""
        self._client, self._options, self._clock = client, options, clock
        self.limits = options.limits
        self.logs = options.logs
        self._mark, self._read = NOTHING, float("-inf")
        self._trouble = ""
        self._lock = asyncio.Lock()

    async def mark(self) -> Watermark:
        """The watermark, at most FRESH seconds old."""
        async with self._lock:
            if self._clock() >= self._read + FRESH:
                self._mark, self._read = await self._get(), self._clock()
            return self._mark

    async def runs(self) -> int:
        """The version up to which all runs, and their logs if these are collected, are on record."""
        mark = await self.mark()
        return min(mark) if self.logs else mark.runs

    async def _get(self) -> Watermark:
        try:
            found = read(await self._client.get(CONFIG_MAPS, self._options.namespace, self._options.name))
            self._trouble = ""
        except ApiError as error:
            if str(error) != self._trouble:
                log.warning("runs wait until they are recorded, and the watermark can't be read: %s", error)
            self._trouble = str(error)
            return NOTHING
        return found
