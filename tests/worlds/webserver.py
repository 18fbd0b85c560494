"""A web server in a test that gives prepared answers and records requests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any

from aiohttp import web


@dataclass
class WebServer:
    """Answers by path: a status and a JSON body."""

    url: str = ""
    port: int = 0
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Path with query, and headers, in order."""

    def times(self, path: str) -> int:
        """How often a path was requested."""
        return sum(asked.partition("?")[0] == path for asked, _ in self.asked)


@asynccontextmanager
async def web_server(
    answers: dict[str, tuple[int, Any]] | None = None, host: str = "127.0.0.1", context: SSLContext | None = None
) -> AsyncIterator[WebServer]:
    """A server on its own port; over TLS with a context."""
    server = WebServer(answers=answers or {})

    async def answer(request: web.Request) -> web.StreamResponse:
        server.asked.append((request.path_qs, dict(request.headers)))
        status, body = server.answers.get(request.path, (404, None))
        return web.json_response(body, status=status)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, host, 0, ssl_context=context).start()
    server.port = runner.addresses[0][1]
    server.url = f"{'https' if context else 'http'}://{host}:{server.port}"
    try:
        yield server
    finally:
        await runner.cleanup()
