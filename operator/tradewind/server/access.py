"""What a caller may do: asked of the API server, and remembered for a minute."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tradewind.control.shared.access_review import i_may
from tradewind.kube.resources import Resource
from tradewind.server.caller import Caller
from tradewind.server.route import Need

LASTS = 60.0
"""Seconds for which an answer counts."""
AT_ONCE = 16
"""Reviews at the same time."""
REMEMBERED = 20_000
"""Answers in memory."""
EVERYWHERE = ""
"""The namespace of a review about all namespaces."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The namespaces in which a caller may list a resource. Only `Access.scope` makes one, and the cache answers nothing
    without one: so nothing is read from it without saying for whom."""

    resource: Resource
    namespaces: frozenset[str] | None
    """None for all."""

    def __contains__(self, namespace: str) -> bool:
        return self.namespaces is None or namespace in self.namespaces

    def within(self, namespace: str) -> "Scope":
        """The part of it in one namespace; itself for an empty one."""
        if not namespace:
            return self
        return Scope(self.resource, frozenset({namespace} if namespace in self else ()))


class Access:
    """Answers of access reviews, each asked once at a time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[tuple[str, Need, str], tuple[float, asyncio.Future[bool]]] = OrderedDict()
        self._places = asyncio.Semaphore(AT_ONCE)

    async def may(self, caller: Caller, need: Need, namespace: str) -> bool:
        """Whether a caller has a right in a namespace; in all of them if it is EVERYWHERE. Raises ApiError."""
        key = (caller.user, need, namespace if need.resource.namespaced else EVERYWHERE)
        known = self._known.get(key)
        if known and (not known[1].done() or (known[0] > self._clock() and not _failed(known[1]))):
            return await asyncio.shield(known[1])
        asking = asyncio.ensure_future(self._ask(caller, need, key[2]))
        self._known[key] = (self._clock() + LASTS, asking)
        self._known.move_to_end(key)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return await asyncio.shield(asking)

    async def lacks(self, caller: Caller, needs: Iterable[Need], namespace: str) -> Need | None:
        """The first right that a caller lacks in a namespace. Raises ApiError."""
        for need in needs:
            if not await self.may(caller, need, namespace):
                return need
        return None

    async def scope(self, caller: Caller, resource: Resource, namespaces: Iterable[str]) -> Scope:
        """Where a caller may list a resource; `namespaces` are those that have something. Raises ApiError."""
        need = Need("list", resource)
        if await self.may(caller, need, EVERYWHERE):
            return Scope(resource, None)
        named = sorted(set(namespaces)) if resource.namespaced else []
        allowed = await asyncio.gather(*(self.may(caller, need, name) for name in named))
        return Scope(resource, frozenset(name for name, may in zip(named, allowed, strict=True) if may))

    def forget(self) -> None:
        """Asks again from now on."""
        self._known.clear()

    async def _ask(self, caller: Caller, need: Need, namespace: str) -> bool:
        group = need.resource.api_version.rpartition("/")[0]
        asked = {"verb": need.verb, "group": group, "resource": need.resource.plural}
        more = {"namespace": namespace, "subresource": need.subresource}
        async with self._places:
            return await i_may(caller.client, **asked, **{name: text for name, text in more.items() if text})


def _failed(asked: "asyncio.Future[bool]") -> bool:
    return asked.cancelled() or asked.exception() is not None
