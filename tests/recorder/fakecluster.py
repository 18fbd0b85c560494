"""An API server that knows a few tokens, namespaces and the proxy to a recorder's Service; and a recorder's read API behind it."""

import asyncio
import contextlib
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.recorder import self_signed
from tradewind.recorder.api import Api
from tradewind.recorder.gate import Gate
from tradewind.recorder.origin import Origins
from tradewind.recorder.store.database import Database

ALL = frozenset({""})


@dataclass
class Fake:
    """What the API server knows."""

    listing: dict[str, frozenset[str]] = field(
        default_factory=lambda: {
            "ada": frozenset({"shop"}),
            "bob": frozenset({"till"}),
            "eve": frozenset(),
            "root": ALL,
        }
    )
    """By token: namespaces whose DAGRuns its owner may list; all of them if the empty one is among them."""
    deleting: dict[str, frozenset[str]] = field(default_factory=lambda: {"ada": frozenset({"shop"}), "root": ALL})
    reading: dict[str, frozenset[str]] = field(default_factory=lambda: {"ada": frozenset({"shop"}), "root": ALL})
    """By token: where its owner may read logs of pods."""
    uids: dict[str, str] = field(default_factory=lambda: {"shop": "shop-2", "till": "till-1"})
    asked: Counter[str] = field(default_factory=Counter)
    url: str = ""
    api_port: int = 0

    def token(self, http: web.Request) -> str:
        return http.headers.get("Authorization", "").removeprefix("Bearer ")

    async def review(self, http: web.Request) -> web.Response:
        token, body = self.token(http), await http.json()
        self.asked[token] += 1
        if token not in self.listing:
            return web.json_response({"kind": "Status", "code": 401, "message": "Unauthorized"}, status=401)
        if body["kind"] == "SelfSubjectReview":
            return web.json_response({"status": {"userInfo": {"username": f"user-{token}"}}}, status=201)
        about = body["spec"]["resourceAttributes"]
        what = (about["verb"], about["group"], about["resource"], about.get("subresource", ""))
        of_what = {
            ("list", "tradewind.dev", "dagruns", ""): self.listing,
            ("delete", "tradewind.dev", "dagruns", ""): self.deleting,
            ("get", "", "pods", "log"): self.reading,
        }
        rights = of_what[what].get(token, frozenset[str]())
        allowed = "" in rights or about.get("namespace", "") in rights
        return web.json_response({"status": {"allowed": allowed}}, status=201)

    async def namespace(self, http: web.Request) -> web.Response:
        name = http.match_info["name"]
        if name not in self.uids:
            return web.json_response({"kind": "Status", "code": 404, "message": "not found"}, status=404)
        meta = {"name": name, "uid": self.uids[name], "creationTimestamp": "2026-01-01T00:00:00Z"}
        return web.json_response({"kind": "Namespace", "metadata": meta})

    async def proxy(self, http: web.Request) -> web.Response:
        """As a real one: without `Authorization`, over TLS that proves nothing."""
        if self.token(http) not in self.listing or http.match_info["service"] != "https:tradewind-recorder:api":
            return web.json_response({"kind": "Status", "code": 404, "message": "not found"}, status=404)
        headers = {name: value for name, value in http.headers.items() if name not in ("Authorization", "Host")}
        url = f"https://127.0.0.1:{self.api_port}/{http.match_info['path']}"
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                http.method, url, params=http.query, data=await http.read(), headers=headers, ssl=False
            ) as answer,
        ):
            return web.Response(body=await answer.read(), status=answer.status, content_type="application/json")


@contextlib.asynccontextmanager
async def cluster(
    database: Database, clock: Callable[[], float] = time.monotonic, folder: Path | None = None
) -> AsyncIterator[Fake]:
    fake = Fake()
    app = web.Application()
    proxy = "/api/v1/namespaces/tradewind/services/{service}/proxy/{path:.*}"
    app.add_routes(
        [
            web.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", fake.review),
            web.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", fake.review),
            web.get("/api/v1/namespaces/{name}", fake.namespace),
            web.route("*", proxy, fake.proxy),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = f"http://127.0.0.1:{_port(site)}"
    connection = Connection(fake.url, authorization=lambda: "Bearer of-the-recorder")

    async def in_writer(function: Any, *arguments: Any) -> Any:
        return await asyncio.to_thread(function, *arguments)

    fake.api_port = _free()
    try:
        async with Client(connection) as client:
            api = Api(database, Gate(connection, clock), Origins(client, "cluster"), in_writer, folder)
            context: ssl.SSLContext = self_signed.context()
            async with api.serve(fake.api_port, context):
                yield fake
    finally:
        await runner.cleanup()


def _port(site: web.TCPSite) -> int:
    server: Any = site._server
    return int(server.sockets[0].getsockname()[1])


def _free() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("", 0))
        return int(free.getsockname()[1])
