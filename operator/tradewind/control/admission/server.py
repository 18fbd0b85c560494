"""The server that the API server calls before it stores an object. docs/design/2026-11-25-admission.md says why it is not kopf's."""

import asyncio
import contextlib
import hmac
import logging
import re
import time
from collections.abc import AsyncIterator, Collection, Mapping
from pathlib import Path
from ssl import SSLContext
from typing import Any

import orjson
from aiohttp import web

from tradewind import metrics
from tradewind.control.admission import handler, service_accounts
from tradewind.control.admission.cluster_lookup import SMALL_REQUEST_BYTES
from tradewind.control.admission.handler import (
    AdmissionReview,
    ClusterLookup,
    Malformed,
    Request,
    Reviewer,
    admit,
    answer,
    parse,
)
from tradewind.control.evaluation.places import Busy, Places
from tradewind.control.server.bounded_listener import BoundedListener, Bounds
from tradewind.kube.writes import flow
from tradewind.model.bounded import OutOfBounds, read_json
from tradewind.model.duration import seconds
from tradewind.plan.documents.problem import Problem

log = logging.getLogger(__name__)
NAMES = "/names"
"""Needs no requests and little computing, so it is answered at once."""
REVIEWS: Mapping[str, Mapping[str, Reviewer]] = {
    "/validate": handler.REVIEWERS,
    "/accounts": service_accounts.REVIEWERS,
    NAMES: handler.NAMES,
}
"""Path -> kind -> its reviewer."""
REVIEW_BYTES_LIMIT = 8 * 2**20
"""Bytes of a request. The API server accepts objects of up to 3 MiB, and sends the old and the new one."""
LARGE_AT_ONCE = 3
"""Large requests that are parsed and reviewed at the same time, in turns between namespaces. Small ones wait for none of them."""
LARGE_WAITING = 24 * 2**20
"""Bytes of one namespace's large requests that wait or are reviewed. Further ones are refused at once."""
SMALL_AT_ONCE = 16
"""Small requests that are reviewed at the same time, in turns between namespaces."""
SMALL_WAITING = 24
"""Small requests of one namespace that wait or are reviewed, which takes a second or two. Further ones are refused at once: all would be
answered too late if they waited, and the reviews of other namespaces would take longer."""
TRY_AGAIN = 1
"""Seconds after which clients send a request again that was refused like this. Those of Kubernetes do so by themselves."""
READING = 5.0
"""Seconds for a body to arrive."""
USUAL_TIMEOUT = 10.0
"""Seconds that an API server waits unless the request says otherwise."""
MARGIN = 0.5
"""Seconds before that limit at which a response would be too late."""
BOUNDS = Bounds(connections=128, held=64 * 2**20, idle=60.0)
"""API servers keep one or two connections each."""
_UID = re.compile(rb'"request":\s*\{\s*"uid":\s*"([^"\\]{1,128})"')
_NAMESPACE = re.compile(rb'"namespace":\s*"([a-z0-9-]{1,63})"')
_HEAD = 4_096
"""The first bytes of a request, in which an API server states its subject."""


@contextlib.asynccontextmanager
async def serve(
    asks: ClusterLookup,
    port: int,
    context: SSLContext,
    bounds: Bounds = BOUNDS,
    clients: Collection[str] = (),
    token: Path | None = None,
) -> AsyncIterator[None]:
    """Serves while the context is open. Open requests are answered before it closes. With `clients`, only clients whose certificate has one
    of these common names are answered; with `token`, a file, only requests whose path ends with its content."""
    large, small = Places(LARGE_AT_ONCE, LARGE_WAITING), Places(SMALL_AT_ONCE, SMALL_WAITING)
    door = BoundedListener(bounds)

    async def validate(http: web.Request) -> web.Response:
        if clients and _common_name(http) not in clients:
            return web.Response(status=403, text="this certificate is none of an API server")
        path, rest = f"/{http.match_info['path']}", http.match_info["rest"]
        if not _knows(token, rest):
            return web.Response(status=404, text="no such path")
        try:
            raw = await door.read_body(http, REVIEW_BYTES_LIMIT, READING)
        except TimeoutError:
            return web.Response(status=408, text=f"the body did not arrive within {READING:.0f} s")
        with door.working(http):
            try:
                async with asyncio.timeout(_patience(http.query.get("timeout", ""))):
                    if path == NAMES:
                        return await _respond(raw, asks, path)
                    is_small, namespace = len(raw) <= SMALL_REQUEST_BYTES, _namespace(raw)
                    async with small.one(namespace) if is_small else large.one(namespace, len(raw)):
                        with flow(namespace, "review"):
                            return await _respond(raw, asks, path)
            except Malformed as error:
                return web.Response(status=400, text=f"not an AdmissionReview: {error}")
            except Busy:
                return _too_many(raw)
            except TimeoutError:
                return web.Response(status=503, text="too much to review: no answer in time")

    app = web.Application()
    app.add_routes([web.post(f"/{{path:{'|'.join(path[1:] for path in REVIEWS)}}}{{rest:(?:/[^/]*)?}}", validate)])
    async with door.serve(app, port, context):
        yield


async def _respond(raw: bytes, asks: ClusterLookup, path: str) -> web.Response:
    """Reviews a body and returns the response. Raises Malformed."""
    try:
        request = parse(read_json(raw, limit=REVIEW_BYTES_LIMIT, name="request"), len(raw))
    except OutOfBounds as error:
        body = _unreadable(raw, error)
    else:
        body = answer(request, await _review(request, asks, REVIEWS[path]))
    return web.Response(body=orjson.dumps(body), content_type="application/json")


def _unreadable(raw: bytes, error: OutOfBounds) -> dict[str, Any]:
    """The refusal of an object that is out of bounds. Raises Malformed if no request can be identified."""
    if not (uid := _UID.search(raw, 0, _HEAD)):
        raise Malformed(str(error)) from None
    request = Request(uid[1].decode(errors="replace"), "", "", "", "", {}, {})
    return answer(
        request, AdmissionReview([Problem(error.path.replace("request.object.", "", 1) or "spec", error.problem)])
    )


def _too_many(raw: bytes) -> web.Response:
    """The refusal of a request whose namespace has too many others waiting. The body is not parsed. The failure policy does not decide: what
    is sent in large numbers would pass unchecked."""
    if not (uid := _UID.search(raw, 0, _HEAD)):
        return web.Response(status=503, text="too much to review")
    whose = f"of namespace {namespace}" if (namespace := _namespace(raw)) else "of objects without a namespace"
    metrics.admission_requests.labels("other", "false").inc()
    status = {
        "status": "Failure",
        "code": 429,
        "reason": "TooManyRequests",
        "message": f"too many changes {whose} are being checked: send it again in {TRY_AGAIN} s, and fewer at once",
        "details": {"retryAfterSeconds": TRY_AGAIN},
    }
    response = {"uid": uid[1].decode(errors="replace"), "allowed": False, "status": status}
    body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
    return web.Response(body=orjson.dumps(body), content_type="application/json")


def _knows(token: Path | None, rest: str) -> bool:
    """Whether a path ends with the token, or with nothing if there is no token. The file is read each time, since the kubelet changes
    it."""
    try:
        wanted = f"/{token.read_text().strip()}" if token else ""
    except OSError as error:
        log.warning("the token can't be read: %s", error)
        return False
    return hmac.compare_digest(rest.encode(), wanted.encode())


def _common_name(http: web.Request) -> str | None:
    certificate = http.transport.get_extra_info("peercert") if http.transport else None
    fields = (field for part in (certificate or {}).get("subject", ()) for field in part)
    return next((value for name, value in fields if name == "commonName"), None)


def _namespace(raw: bytes) -> str:
    """The namespace of a request, for turns."""
    found = _NAMESPACE.search(raw, 0, _HEAD)
    return found[1].decode() if found else ""


def _patience(timeout: str) -> float:
    """Seconds for a response: API servers state how long they wait."""
    try:
        limit = seconds(timeout)
    except ValueError:
        limit = USUAL_TIMEOUT
    return max(MARGIN, min(limit, 3 * USUAL_TIMEOUT) - MARGIN)


async def _review(request: Request, asks: ClusterLookup, reviewers: Mapping[str, Reviewer]) -> AdmissionReview:
    """Reviews a request and records metrics. An internal error becomes code 500, for which the failure policy decides."""
    kind = request.kind if request.kind in reviewers else "other"
    began = time.perf_counter()
    allowed = "error"
    try:
        verdict = await admit(request, asks, reviewers)
        allowed = "false" if verdict.problems else "true"
    except Busy:
        raise
    except Exception:
        log.exception("reviewing %s %s/%s", request.kind, request.namespace, request.name)
        raise
    finally:
        metrics.admission_requests.labels(kind, allowed).inc()
        metrics.admission_duration.labels(kind).observe(time.perf_counter() - began)
    if verdict.problems:
        # Without the problem's words, which quote values.
        log.info("refused %s %s/%s: %s", request.kind, request.namespace, request.name, verdict.problems[0].path)
    return verdict
