"""A server that stands in for tradewind/server: the built UI with its headers, and answers made here.

`python -m ui.stand_in` in tests/ serves it, for work on the UI.
"""

import asyncio
import base64
import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from ui.answers import World

STATIC = Path(__file__).parents[2] / "operator/tradewind/server/static"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class StandIn:
    """Serves a world on a port of its own until it is closed."""

    def __init__(self, world: World, port: int = 0) -> None:
        self.world = world
        self.port = port
        self.posted: list[tuple[str, dict[str, Any]]] = []
        """What was posted, by path."""
        self.streams: set[asyncio.Queue[str]] = set()
        self.runner: web.AppRunner | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def open(self) -> None:
        app = web.Application()
        app.router.add_get("/api/v1/stream", self.stream)
        app.router.add_get("/api/v1/logs/{rest:.*}", self.log)
        app.router.add_get("/api/v1/{path:.*}", self.read)
        app.router.add_post("/api/v1/{path:.*}", self.post)
        app.router.add_get("/assets/{name}", self.asset)
        app.router.add_get("/favicon.svg", self.asset)
        app.router.add_get("/{path:.*}", self.document)
        self.runner = web.AppRunner(app, shutdown_timeout=0.05)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self.runner.addresses[0][1]

    async def close(self) -> None:
        if self.runner is not None:
            await self.runner.cleanup()
            self.runner = None

    async def document(self, request: web.Request) -> web.Response:
        body = (STATIC / "index.html").read_bytes()
        return web.Response(body=body, content_type="text/html", headers={**HEADERS, "Cache-Control": "no-store"})

    async def asset(self, request: web.Request) -> web.StreamResponse:
        path = STATIC / request.path.lstrip("/")
        if not path.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(path, headers=HEADERS)

    async def read(self, request: web.Request) -> web.Response:
        found = self.world.answer(parts(request), dict(request.query))
        if found is None:
            return problem(404, "Not Found", f"there is no {request.match_info['path']}")
        body = json.dumps(found).encode("utf-8", "surrogatepass")
        etag = f'"{base64.urlsafe_b64encode(hashlib.sha256(body).digest()[:9]).decode()}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        return web.Response(body=body, content_type="application/json", headers={"ETag": etag})

    async def post(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        body = await request.json()
        if path == "session":
            return web.Response(status=204)
        if request.headers.get("X-Tradewind") != "1":
            return problem(403, "Forbidden", "the header X-Tradewind is missing")
        if "preview" not in request.query:
            self.posted.append((path, body))
        answer = self.world.act(parts(request), body)
        if isinstance(answer, str):
            return problem(422, "Unprocessable", answer)
        return web.json_response(answer)

    async def log(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["rest"]
        lines = self.world.log(path)
        if path.endswith("/follow"):
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            await response.write(f"data: {json.dumps(lines)}\n\n".encode("utf-8", "surrogatepass"))
            await asyncio.Event().wait()  # until the page goes
        text = "\n".join(lines) + "\n"
        body = text.encode("utf-8", "replace")
        return web.Response(body=body, content_type="text/plain", headers={"X-Tradewind-Log": self.world.log_is})

    async def stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        queue: asyncio.Queue[str] = asyncio.Queue()
        self.streams.add(queue)
        try:
            await response.write(b": hello\n\n")
            while True:
                topic = await queue.get()
                data = json.dumps({"topic": topic, "version": "1"})
                await response.write(f"event: topic\ndata: {data}\n\n".encode())
        except ConnectionError:
            pass  # The page has gone.
        finally:
            self.streams.discard(queue)
        return response

    def tell(self, topic: str) -> None:
        """Tells every page that the topic has changed."""
        for queue in self.streams:
            queue.put_nowait(topic)


def parts(request: web.Request) -> list[str]:
    """The segments below /api/v1/; a slash within a name is no border."""
    return [unquote(part) for part in request.rel_url.raw_path.removeprefix("/api/v1/").split("/")]


def problem(status: int, title: str, detail: str) -> web.Response:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return web.json_response(body, status=status, content_type="application/problem+json")


async def serve() -> None:
    server = StandIn(World(), 8080)
    await server.open()
    print(f"{server.address}/")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
