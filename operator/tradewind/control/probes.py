"""/metrics, /livez and /readyz of an operator."""

import contextlib
import time
from collections.abc import AsyncIterator

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from tradewind import metrics
from tradewind.control.app import Operator

LOOP_LIMIT = 30.0
"""Seconds without a beat of the event loop after which the process counts as hung."""
WATCH_LIMIT = 400.0
"""Seconds without an event, a bookmark or a reconnect after which a watch counts as dead."""


def illness(operator: Operator, now: float) -> str:
    """Why the process should be restarted; empty when it is well. `now` is monotonic seconds."""
    if now - operator.heartbeat > LOOP_LIMIT:
        return f"the event loop has not run for {now - operator.heartbeat:.0f} s"
    for watch in (operator.engine.pods, operator.engine.runs.informer):
        if watch.synced.is_set() and now - watch.heard_at > WATCH_LIMIT:
            return f"the watch of {watch.resource.plural} has said nothing for {now - watch.heard_at:.0f} s"
    return ""


@contextlib.asynccontextmanager
async def serve(operator: Operator, port: int) -> AsyncIterator[None]:
    """Serves while the context is open."""

    async def livez(_: web.Request) -> web.Response:
        trouble = illness(operator, time.monotonic())
        return web.Response(text=trouble or "ok", status=500 if trouble else 200)

    async def readyz(_: web.Request) -> web.Response:
        # A stand-by is ready: it does its work, which is to wait for the lease.
        waiting = not operator.leading
        if waiting or operator.engine.ready.is_set():
            return web.Response(text="ok (stand-by)" if waiting else "ok")
        return web.Response(text="the caches are not synced yet", status=503)

    async def scrape(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(metrics.REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", scrape)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, port=port).start()
        yield
    finally:
        await runner.cleanup()
