"""The built front end, from `static/`; without it a page that says how to build it."""

import mimetypes
import secrets
from pathlib import Path

from aiohttp import web

from tradewind.server.web.guard import policy
from tradewind.server.web.problem import Refused

STATIC = Path(__file__).parents[1] / "static"
"""Where `make ui` writes to."""
NONCE = "{{nonce}}"
"""In index.html: replaced by the nonce of this answer's policy."""
FOREVER = "public, max-age=31536000, immutable"
TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".html": "text/html",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
UNBUILT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Tradewind</title></head>
<body><h1>The web UI is not built</h1>
<p>This is a source checkout. Build it with <code>make ui</code>, then load this page again.</p>
<p>The API answers all the same: see <code>/api/v1/openapi.json</code>.</p></body></html>
"""


def add(app: web.Application) -> None:
    """Adds the routes."""
    app.router.add_get("/{path:.*}", _serve)


async def _serve(request: web.Request) -> web.StreamResponse:
    path = request.match_info["path"]
    found = (STATIC / path).resolve() if "\0" not in path else STATIC
    if not found.is_relative_to(STATIC.resolve()) or not found.is_file():
        if path.startswith("assets/"):
            raise Refused(404, f"there is no file {path[:200]}")
        return _document(STATIC / "index.html")  # A screen; names in its address may contain dots.
    kind = TYPES.get(found.suffix) or mimetypes.guess_type(found.name)[0] or "application/octet-stream"
    headers = {"Cache-Control": FOREVER if path.startswith("assets/") else "no-cache", "Vary": "Accept-Encoding"}
    packed = found.with_name(f"{found.name}.gz")
    if packed.is_file() and "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        found = packed
    if kind == "text/html":
        return _document(found)
    return web.Response(body=found.read_bytes(), content_type=kind, headers=headers)


def _document(path: Path) -> web.Response:
    nonce = secrets.token_urlsafe(16)
    text = path.read_text() if path.is_file() else UNBUILT
    headers = {"Content-Security-Policy": policy(nonce), "Cache-Control": "no-store"}
    return web.Response(text=text.replace(NONCE, nonce), content_type="text/html", charset="utf-8", headers=headers)
