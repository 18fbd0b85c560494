"""A request that has passed the guard, with what answers it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import web

from tradewind.control.evaluation.host import Host
from tradewind.kube.client import Client
from tradewind.kube.resources import RUNS, Resource
from tradewind.server.access import Access, Scope
from tradewind.server.answers.base import Body, Query
from tradewind.server.cache.cache import Cache
from tradewind.server.cache.cells import Cells
from tradewind.server.cache.follow import Followers
from tradewind.server.cache.scans import Scans
from tradewind.server.caller import Caller
from tradewind.server.hub import Hub
from tradewind.server.pictures import Pictures
from tradewind.server.surveys import Surveys
from tradewind.server.web.guard import Guard
from tradewind.server.web.problem import AWAY, Refused

T = TypeVar("T", bound=Query | Body)


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of a server."""

    mode: str
    """kubeconfig or local."""
    cluster: str
    """Address of the API server."""
    namespace: str
    """The namespace that is used without a choice; empty for all."""
    caller: Caller
    """The only caller of a server that has a kubeconfig."""
    cache: Cache
    scans: Scans
    followers: Followers
    access: Access
    hub: Hub
    host: Host
    pictures: Pictures
    surveys: Surveys
    cells: Cells
    guard: Guard


@dataclass(frozen=True, slots=True)
class Question:
    """A request."""

    service: Service
    caller: Caller
    path: Mapping[str, str]
    query: Query
    body: Body | None
    http: web.Request

    @property
    def client(self) -> Client:
        """Asks the API server as the caller."""
        return self.caller.client

    @property
    def namespace(self) -> str:
        """The namespace in the path."""
        return self.path["namespace"]

    @property
    def name(self) -> str:
        """The name in the path."""
        return self.path["name"]

    def asked(self, kind: type[T]) -> T:
        """The query or the body, as its model."""
        found: Any = self.query if isinstance(self.query, kind) else self.body
        if not isinstance(found, kind):
            raise TypeError(f"the route does not take {kind.__name__}")
        return found

    async def scope(self, resource: Resource, namespace: str = "") -> Scope:
        """Where the caller may list a resource; with a namespace, only there. Raises Refused while nothing is known yet,
        or if the caller may list it nowhere."""
        service = self.service
        if not await service.followers.ready():
            raise Refused(503, f"the objects of {service.cluster} are still being read; {AWAY}", retry=2)
        own = [name for name in (*service.followers.namespaces, namespace) if name]
        named = {*service.cache.occupied(resource), *own}
        found = await service.access.scope(self.caller, resource, named)
        if namespace and namespace not in found:
            raise Refused(403, f"you may not list {resource.plural} in namespace {namespace}")
        return found.within(namespace)

    async def runs(self, namespace: str = "") -> Scope:
        """Where the caller may list runs."""
        return await self.scope(RUNS, namespace)
