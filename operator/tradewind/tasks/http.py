"""The program of an http task: it sends one request, described by $TRADEWIND_HTTP; the response becomes the task's
outputs."""

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request

from tradewind.tasks.expansion import expand
from tradewind.tasks.headers import first_unfit, secret

LIMIT = 4_095
"""Bytes of outputs that fit into Kubernetes' termination message."""
READ = 1 << 20
REDIRECTS = 5
MOVED = frozenset({301, 302, 303, 307, 308})


def expected(status: int, wanted: Sequence[int]) -> bool:
    """Whether a status code counts as success."""
    return status in wanted if wanted else 200 <= status < 300


def fetch(request: dict[str, Any]) -> tuple[int, bytes]:
    """Status and body (at most 1 MiB) of the response. Raises URLError, OSError, ValueError."""
    if not request["url"].startswith(("http://", "https://")):
        raise ValueError(f"not an http:// or https:// address: {request['url']}")
    if words := first_unfit(request["headers"]):
        raise ValueError(words)
    call = urllib.request.Request(  # noqa: S310 - checked above
        request["url"],
        data=request["body"].encode() or None,
        method=request["method"],
        headers={name: expand(text, os.environ) for name, text in request["headers"].items()},
    )
    try:
        opener = urllib.request.build_opener(Redirects(not secret(request["headers"])))
        with opener.open(call, timeout=request["timeout"]) as response:
            return response.status, response.read(READ)
    except urllib.error.HTTPError as error:
        if words := downgraded(request["url"], error):
            print(words.strip(" ()"), file=sys.stderr)
        return error.code, error.read(READ)


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects as the operator does: not at all if secrets would be sent along or if they lead from https to
    http, and to another server without the headers, since the author wrote them for the first one. No body is sent
    twice."""

    max_redirections = REDIRECTS

    def __init__(self, follow: bool) -> None:
        self._follow = follow

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        """The next request; None if the redirect is not followed."""
        if not self._follow or not newurl.startswith(("http://", "https://")) or _downgrades(req.full_url, newurl):
            return None
        again = super().redirect_request(req, fp, code, msg, headers, newurl)
        if again and _origin(newurl) != _origin(req.full_url):
            again.headers.clear()
        return again


def _downgrades(url: str, other: str) -> bool:
    """Whether a redirect leads from https to http, where anyone on the way may read and change the answer."""
    return url.lower().startswith("https://") and not other.lower().startswith("https://")


def downgraded(url: str, error: urllib.error.HTTPError) -> str:
    """Words about an answer that was not followed because it leads from https to http; empty for others."""
    leads = error.headers.get("Location") if error.code in MOVED and error.headers else None
    return " (a redirect from https to http is not followed)" if leads and _downgrades(error.url or url, leads) else ""


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def outputs(status: int, body: bytes) -> dict[str, Any]:
    """The task's outputs: the body parsed if it is JSON, else as text."""
    try:
        content: Any = json.loads(body) if body.strip() else None
    except (ValueError, RecursionError):
        content = body.decode(errors="replace")
    return {"status": status, "body": content}


def main() -> int:
    """Exit code: 0 for success, 1 for an unexpected status, 2 for no answer, 3 for a body too large to be an output."""
    request = json.loads(os.environ["TRADEWIND_HTTP"])
    what = f"{request['method']} {request['url']}"
    try:
        status, body = fetch(request)
    except (OSError, ValueError) as error:
        print(f"{what}: {error}", file=sys.stderr)
        return 2
    print(f"{what}: {status}, {len(body)} bytes")
    if not expected(status, request["expectStatus"]):
        if status in MOVED and secret(request["headers"]):
            print("a redirect is not followed by a request whose headers hold $(NAME)", file=sys.stderr)
        print(body[:2000].decode(errors="replace"), file=sys.stderr)
        return 1
    text = json.dumps(outputs(status, body), ensure_ascii=False, separators=(",", ":"))
    if len(text.encode()) > LIMIT:
        print(
            f"the response is too large for outputs ({len(text.encode())} of {LIMIT} bytes): ask for less, or fetch it in a script "
            "task that writes it to a volume",
            file=sys.stderr,
        )
        return 3
    Path(os.environ["TRADEWIND_OUTPUTS"]).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
