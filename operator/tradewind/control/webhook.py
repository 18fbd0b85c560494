"""The server that the API server asks before it takes an object. docs/design/2026-11-25-admission.md says why it is not kopf's."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Mapping
from ssl import SSLContext

import orjson
from aiohttp import web

from tradewind import metrics
from tradewind.control import accounts, admission
from tradewind.control.admission import Asks, Malformed, Request, Reviewer, Verdict, admit, answer, parse
from tradewind.control.door import Bounds, Door

log = logging.getLogger(__name__)
REVIEWS: Mapping[str, Mapping[str, Reviewer]] = {"/validate": admission.REVIEWERS, "/accounts": accounts.REVIEWERS}
"""Path -> kind -> who reviews it."""
LARGEST = 8 * 2**20
"""Bytes of a request. The API server takes 3 MiB at most, and asks with the object as it was and as it would be."""
AT_ONCE = 16
"""Requests reviewed at the same time. Others wait, at most for as long as their API server does."""
READING = 5.0
"""Seconds for a body to arrive."""
BOUNDS = Bounds(connections=128, held=64 * 2**20, idle=60.0)
"""API servers keep one or two connections each."""


@contextlib.asynccontextmanager
async def serve(asks: Asks, port: int, context: SSLContext, bounds: Bounds = BOUNDS) -> AsyncIterator[None]:
    """Serves while the context is open. Requests under way are answered before it closes."""
    places, door = asyncio.Semaphore(AT_ONCE), Door(bounds)

    async def validate(http: web.Request) -> web.Response:
        try:
            request = parse(orjson.loads(await door.body(http, LARGEST, READING)))
        except TimeoutError:
            return web.Response(status=408, text=f"the body did not arrive within {READING:.0f} s")
        except (orjson.JSONDecodeError, Malformed) as error:
            return web.Response(status=400, text=f"not an AdmissionReview: {error}")
        with door.working(http):
            async with places:
                answered = answer(request, await _timed(request, asks, REVIEWS[http.path]))
        return web.Response(body=orjson.dumps(answered), content_type="application/json")

    app = web.Application()
    app.add_routes([web.post(path, validate) for path in REVIEWS])
    async with door.opened(app, port, context):
        yield


async def _timed(request: Request, asks: Asks, reviewers: Mapping[str, Reviewer]) -> Verdict:
    """The verdict. An error of our own becomes code 500: then the failure policy decides, and not we."""
    kind = request.kind if request.kind in reviewers else "other"
    began = time.perf_counter()
    allowed = "error"
    try:
        verdict = await admit(request, asks, reviewers)
        allowed = "false" if verdict.problems else "true"
    except Exception:
        log.exception("reviewing %s %s/%s", request.kind, request.namespace, request.name)
        raise
    finally:
        metrics.admission_requests.labels(kind, allowed).inc()
        metrics.admission_duration.labels(kind).observe(time.perf_counter() - began)
    if verdict.problems:
        # Without the words: they quote values.
        log.info("refused %s %s/%s: %s", request.kind, request.namespace, request.name, verdict.problems[0].path)
    return verdict
