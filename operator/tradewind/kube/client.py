"""The hot path to the API server: aiohttp, JSON as bytes, no models and no retries (reconcile loops retry)."""

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from functools import cache
from types import TracebackType
from typing import Any

import aiohttp
import orjson

from tradewind import __version__, metrics
from tradewind.kube.connection import Connection
from tradewind.kube.errors import Garbled, TooLong, Unavailable, from_status
from tradewind.kube.nested import load
from tradewind.kube.resources import LEASES, PODS, SERVICES, Resource
from tradewind.kube.trouble import strange, unreachable
from tradewind.kube.writes import Writes

Object = dict[str, Any]
MERGE_PATCH = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
MANAGER = "tradewind-cli"
"""The field manager of server-side apply."""
SILENCE = 100.0
"""Seconds without an event or a bookmark (one per minute) after which a watch counts as dead."""

LINE = 16 * 2**20
"""Bytes of an event. etcd stores objects of 1.5 MB unless configured otherwise; 8 MiB is its maximum."""
PIECE = 2**20
"""Bytes of a log line that are passed on at once."""
ANSWER = 256 * 2**20
"""Bytes of any other response."""
_requests, _duration = cache(metrics.api_requests.labels), cache(metrics.api_duration.labels)
"""Looking up a metric by its labels takes longer than counting."""
NO_HEADERS: Mapping[str, str] = {}
AUTHORIZED = 1.0
"""Seconds for which credentials are reused. Reading them involves a file, or a kubeconfig's plug-in."""


class Client:
    """Requests to one API server, with an adaptive limit of parallel writes. Every method raises errors of `kube.errors`."""

    def __init__(self, connection: Connection, timeout: float = 30.0) -> None:
        self.connection = connection
        self.may_write: Callable[[], bool] = lambda: True
        """Whether it may write anything but Leases. Called right before each request: a process that was paused may have a successor."""
        self._writes = Writes()
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._session: aiohttp.ClientSession | None = None
        self._authorization: str | None = None
        self._asked = float("-inf")

    async def __aenter__(self) -> "Client":
        self._session = aiohttp.ClientSession(
            connector=self._connector(),
            headers={"User-Agent": f"tradewind/{__version__}"},
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()

    def _connector(self) -> aiohttp.BaseConnector:
        return aiohttp.TCPConnector(limit=0, ssl=self.connection.ssl(), keepalive_timeout=60)

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """An object. Raises Garbled if the response is another object."""
        found = await self._json("GET", "get", resource, resource.path(namespace, name))
        if not _is(found, resource, namespace, name):
            raise Garbled(f"GET {resource.path(namespace, name)}: the answer is another object")
        return found

    async def get_raw(self, resource: Resource, namespace: str, name: str) -> bytes:
        """As `get`, unparsed."""
        return await self._request("GET", "get", resource, resource.path(namespace, name))

    async def list(self, resource: Resource, namespace: str | None = None, **query: str) -> Object:
        """A collection, or the first `limit` objects of it."""
        return await self._json("GET", "list", resource, resource.path(namespace), query=query)

    async def list_raw(
        self, resource: Resource, namespace: str | None = None, *, most: int = ANSWER, **query: str
    ) -> bytes:
        """As `list`, unparsed. Raises TooLong for more than `most` bytes."""
        return await self._request("GET", "list", resource, resource.path(namespace), query=query, most=most)

    async def create(self, resource: Resource, namespace: str, body: Object | bytes, **query: str) -> bytes:
        """Creates an object and returns the stored one, unparsed."""
        async with self._writes.place():
            return await self._request("POST", "create", resource, resource.path(namespace), body=body, query=query)

    async def replace(
        self, resource: Resource, namespace: str, name: str, body: Object, subresource: str = ""
    ) -> Object:
        """Replaces an object with the same resource version. Writes of Leases don't wait for a place: a leader must not lose its Lease
        because it is busy."""
        path = resource.path(namespace, name, subresource)
        async with contextlib.nullcontext() if resource is LEASES else self._writes.place():
            return await self._json("PUT", "update", resource, path, body=body)

    async def patch(
        self, resource: Resource, namespace: str | None, name: str, body: Object, subresource: str = "", **query: str
    ) -> Object:
        """Merge-patches an object. With `metadata.resourceVersion` in the body, raises Conflict if the object has changed."""
        path = resource.path(namespace, name, subresource)
        async with self._writes.place():
            return await self._json("PATCH", "patch", resource, path, body=body, query=query)

    async def apply(self, resource: Resource, namespace: str, name: str, body: Object, **query: str) -> Object:
        """Server-side apply: creates the object, or sets the fields in `body`."""
        query = {"fieldManager": MANAGER, "force": "true", "fieldValidation": "Strict", **query}
        async with self._writes.place():
            path = resource.path(namespace, name)
            return await self._json("PATCH", "apply", resource, path, body=body, query=query, content=APPLY)

    async def bind(self, namespace: str, pod: str, node: str) -> None:
        """Assigns a pod to a node, as a scheduler does."""
        target = {"apiVersion": "v1", "kind": "Node", "name": node}
        body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod}, "target": target}
        async with self._writes.place():
            await self._request("POST", "bind", PODS, PODS.path(namespace, pod, "binding"), body=body)

    async def delete(
        self, resource: Resource, namespace: str, name: str, uid: str = "", version: str = "", **options: Any
    ) -> Object:
        """Deletes an object; with `uid` only that one, with `version` only if it has not changed (else Conflict)."""
        body: Object = {"kind": "DeleteOptions", "apiVersion": "v1", **options}
        conditions = {"uid": uid, "resourceVersion": version}
        if wanted := {name: value for name, value in conditions.items() if value}:
            body["preconditions"] = wanted
        async with self._writes.place():
            return await self._json("DELETE", "delete", resource, resource.path(namespace, name), body=body)

    async def call_service(
        self,
        method: str,
        namespace: str,
        service: str,
        path: str,
        query: Mapping[str, str],
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> bytes:
        """The answer of a Service (`NAME`, or `https:NAME:PORT`), through the API server's proxy, which passes on no `Authorization`."""
        where = f"{SERVICES.path(namespace, service, 'proxy')}/{path}"
        return await self._request(method, "proxy", SERVICES, where, body=body, query=query, more=headers)

    async def watch(self, resource: Resource, namespace: str | None, **query: str) -> AsyncIterator[bytes]:
        """Lines of a watch, one event each, until the server ends it. Raises Unavailable after silence, Garbled for an endless line."""
        query = {"watch": "true", "allowWatchBookmarks": "true", **query}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=SILENCE)
        async for line, whole in self._lines(resource.path(namespace), query, timeout, "watch", resource.plural, LINE):
            if not whole:
                raise Garbled(f"an event of more than {LINE // 2**20} MiB")
            yield line

    async def logs(self, namespace: str, pod: str, **query: str) -> AsyncIterator[bytes]:
        """Log lines of a pod's `main` container, with `follow="true"` until it ends. Very long lines come in pieces."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        path = PODS.path(namespace, pod, "log")
        async for line, _ in self._lines(path, {"container": "main", **query}, timeout, "get", "pods/log", PIECE):
            yield line

    async def log_bytes(self, namespace: str, pod: str, silence: float, **query: str) -> AsyncIterator[bytes]:
        """The log of a pod's `main` container as it comes, to the byte. Raises Unavailable after `silence` seconds without any."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=silence)
        async for chunk in self._chunks(
            PODS.path(namespace, pod, "log"), {"container": "main", **query}, timeout, "get", "pods/log"
        ):
            yield chunk

    async def _lines(
        self, path: str, query: Mapping[str, str], limits: aiohttp.ClientTimeout, verb: str, resource: str, most: int
    ) -> AsyncIterator[tuple[bytes, bool]]:
        """Lines, and whether each is complete: one of more than about `most` bytes comes in pieces."""
        held: list[bytes] = []
        size = 0
        async for chunk in self._chunks(path, query, limits, verb, resource):
            *lines, rest = chunk.split(b"\n")
            for line in lines:
                yield b"".join((*held, line)), True
                held, size = [], 0
            held.append(rest)
            size += len(rest)
            if size > most:
                yield b"".join(held), False
                held, size = [], 0
        if rest := b"".join(held):
            yield rest, True

    async def _chunks(
        self, path: str, query: Mapping[str, str], limits: aiohttp.ClientTimeout, verb: str, resource: str
    ) -> AsyncIterator[bytes]:
        """The body of an answer as it comes."""
        try:
            async with self._http().get(
                self.connection.server + path, params=query, headers=self._headers(), timeout=limits
            ) as response:
                _requests(verb, resource, response.status).inc()
                if response.status >= 400:
                    raise _error(response, await _whole(response), self.connection.server)
                async for chunk in response.content.iter_any():
                    yield chunk
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise Unavailable(0, "ConnectionLost", unreachable(error, self.connection.server, f"GET {path}")) from None

    async def _json(self, method: str, verb: str, resource: Resource, path: str, **rest: Any) -> Object:
        answer = await self._request(method, verb, resource, path, **rest)
        try:
            body = load(answer)
        except ValueError:
            words = strange(answer, 200, self.connection.server)
            raise Garbled(f"{words}; an API server answers {method} {path} with JSON") from None
        if not isinstance(body, dict):
            raise Garbled(f"{method} {path}: the answer is not an object")
        return body

    async def _request(
        self,
        method: str,
        verb: str,
        resource: Resource,
        path: str,
        body: Object | bytes | None = None,
        query: Mapping[str, str] | None = None,
        content: str = "",
        most: int = ANSWER,
        more: Mapping[str, str] = NO_HEADERS,
    ) -> bytes:
        if method != "GET" and resource is not LEASES and not self.may_write():
            raise Unavailable(0, "NotLeading", "the lease has run out: another operator may act by now")
        headers = {**self._headers(), **more}
        if body is not None:
            headers["Content-Type"] = content or (MERGE_PATCH if method == "PATCH" else "application/json")
        data = orjson.dumps(body) if isinstance(body, dict) else body
        began = time.perf_counter()
        code = 0
        try:
            async with self._http().request(
                method,
                self.connection.server + path,
                params=query or None,
                data=data,
                headers=headers,
                timeout=self._timeout,
            ) as response:
                code = response.status
                answer = await _whole(response, most)
                if code >= 400:
                    raise _error(response, answer, self.connection.server)
                return answer
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise Unavailable(0, "NoAnswer", unreachable(error, self.connection.server, f"{method} {path}")) from None
        finally:
            _requests(verb, resource.plural, code).inc()
            _duration(verb, resource.plural).observe(time.perf_counter() - began)

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the client is used outside of `async with`")
        return self._session

    def _headers(self) -> dict[str, str]:
        now = time.monotonic()
        if now >= self._asked + AUTHORIZED:
            self._authorization, self._asked = self.connection.authorization(), now
        return {"Authorization": self._authorization} if self._authorization else {}


async def _whole(response: aiohttp.ClientResponse, most: int = ANSWER) -> bytes:
    """The body of a response. Raises TooLong for more than `most` bytes."""
    pieces, size = [], 0
    async for chunk in response.content.iter_any():
        pieces.append(chunk)
        size += len(chunk)
        if size > most:
            raise TooLong(f"an answer of more than {most // 2**20} MiB")
    return b"".join(pieces)


def _is(body: Object, resource: Resource, namespace: str, name: str) -> bool:
    """Whether a body is the requested object."""
    meta = body.get("metadata")
    if body.get("kind") != resource.kind or not isinstance(meta, dict) or meta.get("name") != name:
        return False
    return not resource.namespaced or meta.get("namespace") == namespace


def _error(response: aiohttp.ClientResponse, answer: bytes, server: str) -> Exception:
    try:
        body = orjson.loads(answer)
    except orjson.JSONDecodeError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    body["message"] = body.get("message") or strange(b"" if body else answer, response.status, server)
    return from_status(response.status, body, response.headers.get("Retry-After"))
