"""Fills the cache: one watch per kind, as far as the caller may list it."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError
from tradewind.kube.lists import ListMetadata
from tradewind.kube.pages import parse_page
from tradewind.kube.reflector import Reflector
from tradewind.kube.resources import (
    APPROVALS,
    BACKFILLS,
    CLUSTER_POOLS,
    DAGS,
    POOLS,
    RUNS,
    TRIGGERS,
    Resource,
)
from tradewind.server.access import EVERYWHERE, Access
from tradewind.server.cache.cache import Cache
from tradewind.server.cache.records import Record, body_record, dag_record, identity, run_record
from tradewind.server.caller import Caller
from tradewind.server.route import Need

log = logging.getLogger(__name__)
REDUCED: Mapping[Resource, Callable[[bytes], Record]] = {
    RUNS: run_record,
    DAGS: dag_record,
    TRIGGERS: body_record,
    BACKFILLS: body_record,
    APPROVALS: body_record,
    POOLS: body_record,
    CLUSTER_POOLS: body_record,
}
"""The kinds that are kept, and how."""
AGAIN = 60.0
"""Seconds until a right that was lacking is asked for again."""
QUIET = 90.0
"""Seconds of silence that a watch may have: a bookmark comes every minute."""
GRACE = 3.0
"""Seconds of silence after which a watch that fails is reported."""
PATIENCE = 20.0
"""Seconds for which a request waits until everything has been listed once."""


class Follower(Reflector):
    """Keeps one kind in the cache."""

    listing: Mapping[str, str] = {"limit": "500"}
    watching: Mapping[str, str] = {}

    def __init__(self, client: Client, namespaces: Sequence[str | None], resource: Resource, cache: Cache) -> None:
        super().__init__(client, namespaces)
        self.resource, self._cache = resource, cache
        self._there: defaultdict[str | None, set[tuple[str, str]]] = defaultdict(set)

    @property
    def failing(self) -> bool:
        """Whether its last request failed."""
        return any(self._errors.values())

    def begin_list(self, namespace: str | None) -> None:
        """Starts a list."""
        self._there.pop(namespace, None)

    def take_page(self, namespace: str | None, raw: bytes) -> ListMetadata:
        """Takes the objects of a page."""
        page = parse_page(raw)
        for item in page.items:
            with self._alone(item):
                where, name, _ = identity(item)
                self._there[namespace].add((where, name))
                self._cache.put(self.resource, REDUCED[self.resource](bytes(item)))
        return page.metadata

    def end_list(self, namespace: str | None, version: int) -> None:
        """Drops the objects that were on no page."""
        there = self._there.pop(namespace, set())
        for key, known in self._cache.versions(self.resource, namespace).items():
            if key not in there and known <= version:
                self._cache.drop(self.resource, *key)

    def take_event(self, kind: str, raw: bytes) -> None:
        """Takes a change."""
        if kind == "DELETED":
            self._cache.drop(self.resource, *identity(raw)[:2])
        else:
            self._cache.put(self.resource, REDUCED[self.resource](bytes(raw)))


class Followers:
    """Follows all kinds in the given namespaces (None: in all), each as far as the caller may list it."""

    def __init__(self, caller: Caller, namespaces: Sequence[str | None], cache: Cache, access: Access) -> None:
        self.namespaces = namespaces
        self._caller, self._cache, self._access = caller, cache, access
        self._running: dict[Resource, Follower] = {}
        self._settled = {resource: asyncio.Event() for resource in REDUCED}
        self.lacking: dict[Resource, str] = {}
        """The kinds that the caller may not list, in words."""

    async def run(self) -> None:
        """Never returns."""
        async with asyncio.TaskGroup() as group:
            for resource in REDUCED:
                group.create_task(self._follow(resource))

    async def ready(self) -> bool:
        """Whether everything has been listed once; waits for it for a while."""
        try:
            async with asyncio.timeout(PATIENCE):
                for settled in self._settled.values():
                    await settled.wait()
                for follower in list(self._running.values()):
                    await follower.synced.wait()
        except TimeoutError:
            return False
        return True

    def late(self) -> float:
        """Seconds since the API server was last heard of, if it does not answer; else 0."""
        now = time.monotonic()
        return max((_late(follower, now - follower.heard_at) for follower in self._running.values()), default=0.0)

    async def _follow(self, resource: Resource) -> None:
        while True:
            try:
                allowed = [
                    namespace
                    for namespace in (self.namespaces if resource.namespaced else [None])
                    if await self._access.may(self._caller, Need("list", resource), namespace or EVERYWHERE)
                    and await self._access.may(self._caller, Need("watch", resource), namespace or EVERYWHERE)
                ]
            except ApiError as error:
                log.info("asking for the right to list %s: %s", resource.plural, error)
                await asyncio.sleep(1)
                continue
            if not allowed:
                where = "" if not resource.namespaced else _named(self.namespaces)
                self.lacking[resource] = f"you may not list and watch {resource.plural}{where}"
                self._settled[resource].set()
                await asyncio.sleep(AGAIN)
                continue
            self.lacking.pop(resource, None)
            follower = self._running[resource] = Follower(self._caller.client, allowed, resource, self._cache)
            self._settled[resource].set()
            await follower.run()


def _late(follower: Follower, silence: float) -> float:
    return silence if silence > QUIET or (follower.failing and silence > GRACE) else 0.0


def _named(namespaces: Sequence[str | None]) -> str:
    if None in namespaces:
        return " in all namespaces"
    return f" in namespace{'s' if len(namespaces) > 1 else ''} {', '.join(filter(None, namespaces))}"
