"""/metrics, /livez and /readyz of the operator and the admission webhook."""

import contextlib
from collections.abc import AsyncIterator, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from tradewind.control.server.bounded_listener import BoundedListener, Bounds

Readiness = tuple[bool, str]
BOUNDS = Bounds(connections=64, held=2**20, idle=75.0)
"""Prometheus asks once a minute over the same connection."""


@contextlib.asynccontextmanager
async def serve(
    port: int, ill: Callable[[], str], ready: Callable[[], Readiness], registry: CollectorRegistry
) -> AsyncIterator[None]:
    """Serves while the context is open. `ill` returns why the process should be restarted, empty if it should not."""

    async def livez(_: web.Request) -> web.Response:
        trouble = ill()
        return web.Response(text=trouble or "ok", status=500 if trouble else 200)

    async def readyz(_: web.Request) -> web.Response:
        fine, words = ready()
        return web.Response(text=words, status=200 if fine else 503)

    async def scrape(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", scrape)])
    async with BoundedListener(BOUNDS).serve(app, port):
        yield
