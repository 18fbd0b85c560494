"""Writes the status of objects: only changes, and at a limited rate."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tradewind.kube.client import Client, Object
from tradewind.kube.merge_patch import difference
from tradewind.kube.resources import Resource
from tradewind.kube.work_queue import WorkQueue

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Written:
    """The patch, and the object as stored since."""

    patch: Mapping[str, Any]
    stored: Object


class StatusWriter(Generic[K]):
    """Writes statuses of the objects of a queue. Runs have a writer of their own."""

    def __init__(
        self,
        client: Client,
        queue: WorkQueue[K],
        coalesce: float = 0.0,
        clock: Callable[[], float] = lambda: asyncio.get_running_loop().time(),
    ) -> None:
        """`coalesce` is the number of seconds between two writes that can wait, by `clock`."""
        self._client, self._queue, self._coalesce, self._clock = client, queue, coalesce, clock
        self._written_at: dict[K, float] = {}

    def postpone(self, key: K) -> bool:
        """If the last write was too recent for another, schedules the object for later and returns True."""
        if key not in self._written_at:
            return False
        wait = self._written_at[key] + self._coalesce - self._clock()
        if early := 0 < wait <= self._coalesce:  # A longer wait means that the clock was set.
            self._queue.add_after(key, wait)
        return early

    async def write(
        self,
        key: K,
        place: tuple[Resource, str | None, str],
        before: Mapping[str, Any],
        after: dict[str, Any],
        version: str = "",
        can_wait: Callable[[Mapping[str, Any]], bool] = lambda patch: False,
    ) -> Written | None:
        """Writes a status if it has changed. Returns None if it has not, or if `can_wait(patch)` is true and the last write was too recent.
        `place` is the object's resource, namespace and name; with a `version`, only that version is overwritten. Raises what the API client
        raises."""
        if not (patch := difference(before, after)) or (can_wait(patch) and self.postpone(key)):
            return None
        if self._coalesce:
            self._written_at[key] = self._clock()
        meta = {"metadata": {"resourceVersion": version}} if version else {}
        return Written(patch, await self._client.patch(*place, {**meta, "status": patch}, "status"))

    def forget(self, key: K) -> None:
        """Drops an object that was deleted."""
        self._written_at.pop(key, None)
