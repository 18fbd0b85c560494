"""Current objects, read once for many callers."""

import asyncio

from tradewind.kube.client import Client, Object
from tradewind.kube.resources import Resource

FRESH = 1.0
"""Seconds for which an answer may be used, if its caller allows that."""
Key = tuple[Resource, str, str]


class CoalescingReader:
    """Reads objects. Callers that ask while a request is in flight share the next one: its response is current for all of them, and a burst
    of runs costs few requests."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._asked: dict[Key, asyncio.Task[Object]] = {}
        """Requests that wait for the one before them."""
        self._sent: dict[Key, asyncio.Task[Object]] = {}
        self._answers: dict[Key, tuple[float, Object]] = {}
        """The last answers, with the time of their requests; the oldest first."""
        self._outdated: set[Key] = set()
        """Objects that have changed since the request that is in flight."""

    async def get(self, resource: Resource, namespace: str, name: str, since: float | None = None) -> Object:
        """The current object; with `since`, a time of the event loop, the answer to a request sent then or later is current enough, if it is
        no older than FRESH and `changed` was not called since. Raises NotFound."""
        key = (resource, namespace, name)
        if since is not None:
            sent, answer = self._answers.get(key, (float("-inf"), None))
            if answer is not None and sent >= max(since, _now() - FRESH):
                return answer
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(self._ask(key, self._sent.get(key)))
        return await asyncio.shield(task)

    def changed(self, resource: Resource, namespace: str, name: str) -> None:
        """An object has changed: earlier answers are outdated."""
        key = (resource, namespace, name)
        self._answers.pop(key, None)
        if key in self._sent:
            self._outdated.add(key)

    async def _ask(self, key: Key, before: asyncio.Task[Object] | None) -> Object:
        if before is not None:
            await asyncio.wait([before])
        self._sent[key] = self._asked.pop(key)
        self._outdated.discard(key)
        sent = _now()
        try:
            answer = await self._client.get(*key)
            self._keep(key, sent, answer)
            return answer
        finally:
            if key not in self._asked:
                del self._sent[key]
                self._outdated.discard(key)

    def _keep(self, key: Key, sent: float, answer: Object) -> None:
        self._answers.pop(key, None)
        if key not in self._outdated:
            self._answers[key] = (sent, answer)
        while self._answers:
            oldest = next(iter(self._answers))
            if self._answers[oldest][0] >= _now() - FRESH:
                break
            del self._answers[oldest]


def _now() -> float:
    return asyncio.get_running_loop().time()
