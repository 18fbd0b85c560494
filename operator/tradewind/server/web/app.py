"""From the table of routes to answers over HTTP."""

import asyncio
import hashlib
import logging
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar, get_origin

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from tradewind.server.answers.base import Answer, Wire
from tradewind.server.question import Question, Service
from tradewind.server.route import Form, Route
from tradewind.server.web import documents
from tradewind.server.web.guard import HEADERS
from tradewind.server.web.problem import Refused, answer, refused

log = logging.getLogger(__name__)
API = "/api/v1/"
BODY = 3 * 2**20
"""Bytes of a body."""
FIRST_BODY = 64 * 1024
"""Bytes of a body without a session."""
ARRIVES = 10.0
"""Seconds within which a body has to arrive."""
SMALL = 1024
"""Bytes up to which an answer is not compressed."""
LARGE = 64 * 1024
"""Bytes from which it is compressed in a thread."""
LEVEL, MEMORY = 7, 6
"""Of compression: short blocks fit columns of numbers, which are 4 % smaller by them."""
AT_ONCE = 64
"""Requests that are answered at the same time."""
M = TypeVar("M", bound=Wire)
SERVICE: web.AppKey[Service] = web.AppKey("service", Service)


class Encoded(bytes):
    """An answer that is JSON already."""


def application(service: Service, routes: tuple[Route, ...]) -> web.Application:
    """The application."""
    app = web.Application(client_max_size=BODY, middlewares=[_middleware(service)])
    app[SERVICE] = service
    places = asyncio.Semaphore(AT_ONCE)
    for route in routes:
        app.router.add_route(route.method, API + route.path, _handler(route, service, places))
    app.router.add_route("*", API + "{rest:.*}", _unknown)
    documents.add(app)
    return app


async def _unknown(request: web.Request) -> web.StreamResponse:
    if request.method not in ("GET", "POST"):
        raise Refused(405, f"{request.method} is not used here")
    raise Refused(404, f"there is no route {request.path[:200]}: see /api/v1/openapi.json")


def _middleware(service: Service) -> Any:
    @web.middleware
    async def around(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            service.guard.check_host(request)
            response = await handler(request)
        except Exception as error:
            known = refused(error)
            if known is None:
                log.exception("%s %s", request.method, request.path)
                known = Refused(500, f"an error of this program: {type(error).__name__}. Its log has the details")
            response = answer(known)
        if not response.prepared:
            for name, text in HEADERS.items():
                response.headers.setdefault(name, text)
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    return around


def _handler(
    route: Route, service: Service, places: asyncio.Semaphore
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        if route.unsafe:
            service.guard.check_origin(request)
        if not route.open:
            service.guard.check_session(request)
        query = _query(route, request)
        body = await _body(route, request) if route.body else None
        path = dict(request.match_info)
        question = Question(service, service.caller, path, query, body, request)
        if "namespace" in path:
            lacking = await service.access.lacks(question.caller, route.needs, path["namespace"])
            if lacking:
                raise Refused(403, f"you may not {lacking} in namespace {path['namespace']}")
        if route.form is Form.STREAM:
            found = await route.work(question)
        else:
            async with places:
                found = await route.work(question)
        if isinstance(found, web.StreamResponse):
            return found
        return await _response(request, found)

    return handle


def _query(route: Route, request: web.Request) -> Any:
    given: dict[str, Any] = {}
    kinds = {_alias(name): field.annotation for name, field in route.query.model_fields.items()}
    for name in request.query:
        kind = kinds.get(name)
        values = request.query.getall(name)
        if get_origin(kind) is list:
            given[name] = values
        elif kind is bool and values[-1] == "":
            given[name] = True
        else:
            given[name] = values[-1]
    return _read(route.query, given, 400)


def _alias(name: str) -> str:
    from pydantic.alias_generators import to_camel

    return to_camel(name)


async def _body(route: Route, request: web.Request) -> Any:
    assert route.body is not None  # noqa: S101 - the caller has looked
    most = FIRST_BODY if route.open else BODY
    if (request.content_length or 0) > most:
        raise Refused(413, f"the body has more than {most // 1024} KiB")
    pieces, size = [], 0
    try:
        async with asyncio.timeout(ARRIVES):
            async for piece in request.content.iter_any():
                pieces.append(piece)
                size += len(piece)
                if size > most:
                    raise Refused(413, f"the body has more than {most // 1024} KiB")
    except TimeoutError:
        raise Refused(400, f"the body did not arrive within {ARRIVES:g} s") from None
    try:
        given = orjson.loads(b"".join(pieces))
    except orjson.JSONDecodeError as error:
        raise Refused(400, f"the body is not JSON: {error}") from None
    return _read(route.body, given, 422)


def _read(model: type[M], given: Any, status: int) -> M:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise Refused(status, f"{field or 'the body'}: {first['msg']}", field or None) from None


async def _response(request: web.Request, found: Any) -> web.Response:
    if found is None:
        return web.Response(status=204)
    if isinstance(found, Encoded):
        text = bytes(found)
    elif isinstance(found, Answer):
        text = encoded(found)
    else:
        raise TypeError(f"a route answered {type(found).__name__}")
    tag = f'"{hashlib.blake2b(text, digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers=headers)
    if len(text) > SMALL and "gzip" in request.headers.get("Accept-Encoding", ""):
        text = await asyncio.to_thread(packed, text) if len(text) > LARGE else packed(text)
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=text, content_type="application/json", headers=headers)


def packed(text: bytes) -> bytes:
    """The text in gzip's form."""
    pack = zlib.compressobj(LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16, MEMORY, zlib.Z_FILTERED)
    return pack.compress(text) + pack.flush()


def encoded(found: BaseModel) -> Encoded:
    """The JSON of an answer. Text that is no UTF-8, such as a lone surrogate, is replaced."""
    try:
        return Encoded(found.model_dump_json(by_alias=True).encode())
    except (ValueError, UnicodeEncodeError):
        return Encoded(orjson.dumps(_clean(found.model_dump(by_alias=True))))


def _clean(value: Any) -> Any:
    match value:
        case str():
            return value.encode(errors="replace").decode()
        case Mapping():
            return {_clean(name): _clean(item) for name, item in value.items()}
        case list() | tuple():
            return [_clean(item) for item in value]
        case _:
            return value
