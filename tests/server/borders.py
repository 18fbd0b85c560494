"""An embedded API server that gives each user their own rights."""

from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

from aiohttp import web
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.local.apiserver import ApiServer
from tradewind.local.apiserver.text import read, write
from tradewind.local.apiserver.url import Target, parse, verb_of
from tradewind.model.crd import manifests

EVERYTHING = ("*",)


@dataclass(frozen=True)
class Right:
    """Verbs on resources (`pods/log` too) in a namespace; `*` is all of them."""

    namespace: str = "*"
    resources: tuple[str, ...] = EVERYTHING
    verbs: tuple[str, ...] = EVERYTHING

    def allows(self, namespace: str, resource: str, verb: str) -> bool:
        return (
            self.namespace in ("*", namespace)
            and (self.resources == EVERYTHING or resource in self.resources)
            and (self.verbs == EVERYTHING or verb in self.verbs)
        )


class Borders(ApiServer):
    """`users` are rights by token, which is also the user's name."""

    def __init__(self, users: dict[str, list[Right]]) -> None:
        super().__init__(crds=manifests())
        self.users = users
        self._open: WeakSet[Any] = WeakSet()
        self.away = False
        """Whether it answers nobody."""

    def client(self, user: str) -> Client:
        return Client(Connection(self.url, authorization=lambda: f"Bearer {user}"))

    async def end_watches(self) -> None:
        """Ends all open connections."""
        for transport in list(self._open):
            transport.abort()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.transport:
            self._open.add(request.transport)
        if self.away:
            if request.transport:
                request.transport.abort()
            raise ConnectionResetError
        user = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if user not in self.users:
            return _status(401, "Unauthorized", "Unauthorized")
        target = parse(request.path)
        if target.plural == "selfsubjectreviews":
            body = {"kind": "SelfSubjectReview", "metadata": {"creationTimestamp": self.operations.now()}}
            return _json({**body, "status": {"userInfo": {"username": user, "groups": []}}})
        if target.plural == "selfsubjectaccessreviews":
            asked = read(await request.read())["spec"]["resourceAttributes"]
            named = asked["resource"] + (f"/{asked['subresource']}" if asked.get("subresource") else "")
            allowed = self._may(user, asked.get("namespace", ""), named, asked["verb"])
            return _json({"kind": "SelfSubjectAccessReview", "status": {"allowed": allowed}})
        if target.plural and not self._passes(user, target, verb_of(request.method, target, request.query)):
            verb = verb_of(request.method, target, request.query)
            words = f'User "{user}" cannot {verb} resource "{target.plural}" in the namespace "{target.namespace}"'
            return _status(403, "Forbidden", f"{target.plural} is forbidden: {words}")
        return await super()._serve(request)

    def _passes(self, user: str, target: Target, verb: str) -> bool:
        named = target.plural + (f"/{target.subresource}" if target.subresource else "")
        return self._may(user, target.namespace, named, verb)

    def _may(self, user: str, namespace: str, resource: str, verb: str) -> bool:
        return any(right.allows(namespace or "*", resource, verb) for right in self.users[user])


def _json(body: Any) -> web.Response:
    return web.Response(body=write(body), status=201, content_type="application/json")


def _status(code: int, reason: str, message: str) -> web.Response:
    body = {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "code": code}
    return web.Response(body=write(body), status=code, content_type="application/json")
