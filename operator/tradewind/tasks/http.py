"""The program of an http task: one request, described by $TRADEWIND_HTTP; the response becomes the task's outputs."""

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tradewind.tasks.expansion import expand

LIMIT = 4_095
"""Bytes of outputs that Kubernetes carries."""
READ = 1 << 20


def expected(status: int, wanted: Sequence[int]) -> bool:
    """Whether a status code counts as success."""
    return status in wanted if wanted else 200 <= status < 300


def fetch(request: dict[str, Any]) -> tuple[int, bytes]:
    """Status and body (at most 1 MiB) of the response. Raises URLError, OSError, ValueError."""
    if not request["url"].startswith(("http://", "https://")):
        raise ValueError(f"not an http:// or https:// address: {request['url']}")
    call = urllib.request.Request(  # noqa: S310 - checked above
        request["url"],
        data=request["body"].encode() or None,
        method=request["method"],
        headers={name: expand(text, os.environ) for name, text in request["headers"].items()},
    )
    try:
        with urllib.request.urlopen(call, timeout=request["timeout"]) as response:  # noqa: S310
            return response.status, response.read(READ)
    except urllib.error.HTTPError as error:
        return error.code, error.read(READ)


def outputs(status: int, body: bytes) -> dict[str, Any]:
    """The task's outputs: the body parsed when it is JSON, else as text."""
    try:
        content: Any = json.loads(body) if body.strip() else None
    except ValueError:
        content = body.decode(errors="replace")
    return {"status": status, "body": content}


def main() -> int:
    """Exit code: 0 done, 1 unexpected status, 2 no answer, 3 a body too large to be an output."""
    request = json.loads(os.environ["TRADEWIND_HTTP"])
    what = f"{request['method']} {request['url']}"
    try:
        status, body = fetch(request)
    except (OSError, ValueError) as error:
        print(f"{what}: {error}", file=sys.stderr)
        return 2
    print(f"{what}: {status}, {len(body)} bytes")
    if not expected(status, request["expectStatus"]):
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
