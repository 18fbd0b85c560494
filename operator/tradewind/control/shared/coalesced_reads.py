"""Current objects, read once for many callers."""

import asyncio

from tradewind.kube.client import Client, Object
from tradewind.kube.resources import Resource

Key = tuple[Resource, str, str]


class CoalescingReader:
    """Reads objects. Callers that ask while a request is in flight share the next one: its response is current for all of them, and a burst
    of runs costs few requests."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._asked: dict[Key, asyncio.Task[Object]] = {}
        """Requests that wait for the one before them."""
        self._sent: dict[Key, asyncio.Task[Object]] = {}

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """The current object. Raises NotFound."""
        key = (resource, namespace, name)
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(self._ask(key, self._sent.get(key)))
        return await asyncio.shield(task)

    async def _ask(self, key: Key, before: asyncio.Task[Object] | None) -> Object:
        if before is not None:
            await asyncio.wait([before])
        self._sent[key] = self._asked.pop(key)
        try:
            return await self._client.get(*key)
        finally:
            if key not in self._asked:
                del self._sent[key]
