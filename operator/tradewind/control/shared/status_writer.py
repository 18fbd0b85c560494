"""Writing the status of objects: only what is new, and not all the time."""

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
    """What was new, and the object as it is stored since."""

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
        """`coalesce` is how many seconds pass between two writes that can wait, by `clock`."""
        self._client, self._queue, self._coalesce, self._clock = client, queue, coalesce, clock
        self._written_at: dict[K, float] = {}

    def early(self, key: K) -> bool:
        """Whether the last write is too young for another one: then the object is looked at again in time."""
        if key not in self._written_at:
            return False
        wait = self._written_at[key] + self._coalesce - self._clock()
        if early := 0 < wait <= self._coalesce:  # More can't be: the clock was set.
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
        """Writes a status if it says something new; None where it did not, or where that `can_wait` and it is early. `place` is the
        object's resource, namespace and name; with a `version` it is written over that version only. Raises what the API raises."""
        if not (patch := difference(before, after)) or (can_wait(patch) and self.early(key)):
            return None
        if self._coalesce:
            self._written_at[key] = self._clock()
        meta = {"metadata": {"resourceVersion": version}} if version else {}
        return Written(patch, await self._client.patch(*place, {**meta, "status": patch}, "status"))

    def forget(self, key: K) -> None:
        """An object is gone."""
        self._written_at.pop(key, None)
