"""A web server in a test, that answers as it is told and remembers what it was asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class WebServer:
    """Answers by path: a status and a JSON body."""

    url: str = ""
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Path with query, and headers, in order."""

    def times(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(asked.partition("?")[0] == path for asked, _ in self.asked)


@asynccontextmanager
async def web_server() -> AsyncIterator[WebServer]:
    """One on a port of its own."""
    server = WebServer()

    async def answer(request: web.Request) -> web.StreamResponse:
        server.asked.append((request.path_qs, dict(request.headers)))
        status, body = server.answers.get(request.path, (404, None))
        return web.json_response(body, status=status)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
