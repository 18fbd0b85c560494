"""The HTTP side: turns paths, queries and bodies into operations."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import yaml
from aiohttp import web

from tradewind.kube.client import Object
from tradewind.local.apiserver import discovery, listing, protobuf, selectors, table, watch
from tradewind.local.apiserver.errors import StatusError, bad_request
from tradewind.local.apiserver.faults import Fault, Faults
from tradewind.local.apiserver.identities import Identities
from tradewind.local.apiserver.kinds import Kind
from tradewind.local.apiserver.operations import Operations
from tradewind.local.apiserver.patch import json_patch, merge_patch, strategic
from tradewind.local.apiserver.store import ObjectStore
from tradewind.local.apiserver.text import read, write
from tradewind.local.apiserver.url import Target, parse, verb_of

LogSource = Callable[..., AsyncIterator[bytes]]
BODY_LIMIT = 3 * 1024 * 1024
GC_EVERY = 0.2


class ApiServer:
    """The server. It serves `crds` from the start; with `token`, it requires the token in requests; `clock` gives epoch
    seconds."""

    def __init__(
        self,
        crds: list[Object] | None = None,
        clock: Callable[[], float] = time.time,
        faults: Faults | None = None,
        token: str | None = None,
    ) -> None:
        self.operations = Operations(clock)
        self.faults = faults or Faults()
        self.audit: deque[tuple[str, str, str, str, str, int]] = deque(maxlen=100_000)
        """Requests served: verb, resource, subresource, namespace, name, HTTP status."""
        self.log_source: LogSource | None = None
        self.url = ""
        self._clock, self._token = clock, token
        self._identities = Identities(self.operations, clock)
        self._runner: web.AppRunner | None = None
        self._collector: asyncio.Task[None] | None = None
        for name in ("default", "kube-system"):
            self.operations.create(self.operations.kind("", "v1", "namespaces"), "", {"metadata": {"name": name}})
        for crd in crds or []:
            self.operations.create(
                self.operations.kind("apiextensions.k8s.io", "v1", "customresourcedefinitions"), "", crd
            )

    @property
    def store(self) -> ObjectStore:
        """The objects."""
        return self.operations.store

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Starts to listen, on `url`."""
        runner = await self.open()
        await web.TCPSite(runner, host, port).start()
        self.url = f"http://{host}:{runner.addresses[0][1]}"

    async def open(self) -> web.AppRunner:
        """Starts without a listener."""
        app = web.Application(client_max_size=BODY_LIMIT + 1)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        self._collector = asyncio.create_task(self._collect())
        return self._runner

    async def stop(self) -> None:
        """Closes all connections."""
        if self._collector:
            self._collector.cancel()
            await asyncio.gather(self._collector, return_exceptions=True)
        if self._runner:
            await self._runner.cleanup()

    async def __aenter__(self) -> "ApiServer":
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _collect(self) -> None:
        while True:
            await asyncio.sleep(GC_EVERY)
            while self.operations.collect():
                await asyncio.sleep(0)

    def _admitted(self, request: web.Request) -> tuple[str, bool]:
        """The path of the API, and whether the request has the token: as a header or, since kubectl sends no
        credentials without TLS, as the first segment of the path."""
        prefix = f"/{self._token}"
        if self._token and request.path.startswith(f"{prefix}/"):
            return request.path.removeprefix(prefix), True
        return request.path, not self._token or request.headers.get("Authorization") == f"Bearer {self._token}"

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path, admitted = self._admitted(request)
        target = parse(path)
        verb = verb_of(request.method, target, request.query)
        code = 500
        try:
            if not admitted:
                raise StatusError(401, "Unauthorized", "Unauthorized")
            fault = self.faults.hit(verb, target.plural, target.name) if target.plural else None
            response = await self._faulty(request, target, verb, fault)
            code = response.status
            return response
        except StatusError as error:
            code = error.code
            headers = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else None
            return _json(error.body(), error.code, headers)
        finally:
            if target.plural and not (verb == "watch" and code == 200):
                self._record(verb, target, code)

    def _record(self, verb: str, target: Target, code: int) -> None:
        self.audit.append((verb, target.plural, target.subresource, target.namespace, target.name, code))

    async def _faulty(self, request: web.Request, target: Target, verb: str, fault: Fault | None) -> web.StreamResponse:
        if fault and fault.what in ("error", "reset") and not fault.after:
            self._strike(request, fault)
        if fault is None or verb == "watch":
            return await self._answer(request, target, verb, fault)
        if fault.what == "delay":
            await asyncio.sleep(fault.seconds)
        response = await self._answer(request, target, verb, fault)
        if fault.what == "hang":
            await asyncio.Event().wait()
        if fault.what in ("error", "reset"):
            self._strike(request, fault)
        return response

    @staticmethod
    def _strike(request: web.Request, fault: Fault) -> None:
        if fault.what == "reset":
            if request.transport:
                request.transport.abort()
            raise ConnectionResetError
        reasons = {403: "Forbidden", 409: "Conflict", 429: "TooManyRequests", 410: "Expired"}
        raise StatusError(
            fault.code,
            reasons.get(fault.code, "InternalError"),
            "a fault that was asked for",
            retry_after=fault.retry_after,
        )

    async def _answer(self, request: web.Request, target: Target, verb: str, fault: Fault | None) -> web.StreamResponse:
        if not target.plural:
            return self._about(self._admitted(request)[0], target)
        if self._identities.serves(target, verb):
            return _json(self._identities.answer(target, await _body(request)), 201)
        kind = self.operations.kind(target.group, target.version, target.plural)
        if target.plural == "pods" and target.subresource == "log":
            return await self._logs(request, target)
        if verb == "watch":
            return await self._watch(request, kind, target, fault)
        if verb == "list":
            return self._list(request, kind, target, fault)
        if verb == "get":
            return self._shown(request, kind, self.operations.get(kind, target.namespace, target.name))
        return await self._write(request, kind, target, verb)

    def _about(self, path: str, target: Target) -> web.StreamResponse:
        registry = self.operations.registry
        path = path.rstrip("/")
        if path in ("/healthz", "/livez", "/readyz"):
            return web.Response(text="ok")
        if path == "/version":
            return _json(discovery.VERSION)
        if path == "/api":
            return _json({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
        if path == "/apis":
            return _json(discovery.groups(registry))
        if path == "/openapi/v2":
            return web.Response(body=discovery.swagger(), content_type=discovery.OPENAPI_2)
        if path == "/openapi/v3":
            return _json(discovery.openapi_index(registry))
        if path.startswith("/openapi/v3/"):
            return _json(discovery.openapi(registry, path.removeprefix("/openapi/v3/")))
        if target.version and (found := discovery.resources(registry, target.group, target.version)):
            return _json(found)
        raise StatusError(404, "NotFound", "the server could not find the requested resource", {})

    def _selected(self, request: web.Request, kind: Kind) -> selectors.Match:
        query = request.query
        return selectors.both(
            selectors.labels(query.get("labelSelector", "")), selectors.fields(query.get("fieldSelector", ""), kind)
        )

    def _list(self, request: web.Request, kind: Kind, target: Target, fault: Fault | None) -> web.StreamResponse:
        namespace, back = target.namespace or None, fault.back if fault and fault.what == "stale" else 0
        meta, items = listing.page(self.store, kind.key, namespace, self._selected(request, kind), request.query, back)
        if table.wanted(request.headers.get("Accept", "")):
            shown = table.render(kind, items, self._time(), meta["resourceVersion"])
            shown["metadata"] = meta
            return _json(shown)
        return _json({"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": meta, "items": items})

    def _shown(
        self, request: web.Request, kind: Kind, body: Object, code: int = 200, warnings: list[str] | None = None
    ) -> web.Response:
        headers = [("Warning", f'299 - "{word}"') for word in warnings or []]
        if table.wanted(request.headers.get("Accept", "")):
            body = table.render(kind, [body], self._time(), body["metadata"].get("resourceVersion", ""))
        response = _json(body, code)
        for name, value in headers:
            response.headers.add(name, value.replace('unknown field "', 'unknown field \\"').replace('""', '\\""'))
        return response

    def _time(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    async def _watch(self, request: web.Request, kind: Kind, target: Target, fault: Fault | None) -> web.StreamResponse:
        query = request.query
        match = self._selected(request, kind)
        namespace = target.namespace or None
        initial = query.get("sendInitialEvents") == "true"
        asked = query.get("resourceVersion", "")
        start = self.store.version if not asked or asked == "0" or initial else int(asked)
        shelf = self.store.shelf(kind.key)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        as_table = table.wanted(request.headers.get("Accept", ""))

        def told(line: bytes, first: bool = False) -> bytes:
            if not as_table:
                return line
            event = read(line)
            if event["type"] not in ("BOOKMARK", "ERROR"):
                event["object"] = table.render(
                    kind, [event["object"]], self._time(), str(self.store.version), headers=first
                )
            return write(event) + b"\n"

        await response.prepare(request)
        self._record("watch", target, response.status)  # as it begins: it may last as long as the server
        deadline = float(query.get("timeoutSeconds") or 1800)
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(deadline):
                if start < shelf.dropped:
                    await response.write(watch.error(watch.expired(start, shelf.dropped)))
                    return response
                if initial or not asked or asked == "0":
                    for body in self.store.list(kind.key, namespace):
                        if match(body):
                            await response.write(told(write({"type": "ADDED", "object": body}) + b"\n", first=True))
                if initial:
                    await response.write(watch.bookmark(kind, start, initial=True))
                bookmarks = query.get("allowWatchBookmarks") == "true"
                async for line in watch.follow(self.store, kind, namespace, match, start, bookmarks, fault):
                    await response.write(told(line))
        return response

    async def _logs(self, request: web.Request, target: Target) -> web.StreamResponse:
        query = request.query
        self.operations.get(self.operations.kind("", "v1", "pods"), target.namespace, target.name)
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        if self.log_source:
            tail = int(query["tailLines"]) if "tailLines" in query else None
            follow = query.get("follow") == "true"
            with contextlib.suppress(ConnectionError):
                async for chunk in self.log_source(
                    target.namespace, target.name, query.get("container", "main"), follow=follow, tail_lines=tail
                ):
                    await response.write(chunk)
        return response

    async def _write(self, request: web.Request, kind: Kind, target: Target, verb: str) -> web.StreamResponse:
        query, do = request.query, self.operations
        body = await _body(request)
        mode, dry_run = query.get("fieldValidation") or "Warn", "dryRun" in query
        options: dict[str, Any] = {"subresource": target.subresource, "mode": mode, "dry_run": dry_run}
        if verb == "create" and target.subresource in ("binding", "eviction"):
            return self._pod_action(kind, target, body)
        if verb == "create":
            made, warnings = do.create(kind, target.namespace, body, mode, dry_run, _manager(request))
            return self._shown(request, kind, made, 201, warnings)
        if verb == "update":
            options["manager"] = _manager(request)
            made, warnings = do.change(kind, target.namespace, target.name, lambda _: body, **options)
            return self._shown(request, kind, made, 200, warnings)
        if verb == "patch":
            return self._patch(request, kind, target, body, mode, dry_run)
        if verb == "deletecollection":
            match = self._selected(request, kind)
            gone = [item for item in self.store.list(kind.key, target.namespace or None) if match(item)]
            for item in gone:
                do.delete(kind, item["metadata"].get("namespace", ""), item["metadata"]["name"], body or {}, dry_run)
            return _json({"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": {}, "items": gone})
        chosen = dict(body or {})
        if "gracePeriodSeconds" in query:
            chosen["gracePeriodSeconds"] = int(query["gracePeriodSeconds"])
        if "propagationPolicy" in query:
            chosen["propagationPolicy"] = query["propagationPolicy"]
        gone_body = do.delete(kind, target.namespace, target.name, chosen, dry_run)
        if kind.plural == "pods" or gone_body["metadata"].get("deletionTimestamp"):
            return _json(gone_body)
        details = {"name": target.name, "group": kind.group, "kind": kind.plural, "uid": gone_body["metadata"]["uid"]}
        return _json({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})

    def _patch(
        self, request: web.Request, kind: Kind, target: Target, body: Any, mode: str, dry_run: bool
    ) -> web.StreamResponse:
        do = self.operations
        content = request.content_type
        options: dict[str, Any] = {"subresource": target.subresource, "mode": mode, "dry_run": dry_run}
        options["manager"] = _manager(request)
        if content == "application/apply-patch+yaml":
            if "fieldManager" not in request.query:
                raise bad_request(
                    'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
                )
            if not isinstance(body, dict) or not (body.get("metadata") or {}).get("name"):
                raise bad_request("metadata.name: Required value: name must be provided to apply an object")
            force = request.query.get("force") == "true"
            if self.store.get(kind.key, target.namespace, target.name) is None:
                made, warnings = do.create(kind, target.namespace, body, mode, dry_run, options["manager"], "Apply")
                return self._shown(request, kind, made, 201, warnings)
            made, warnings = do.apply(kind, target.namespace, target.name, body, force=force, **options)
            return self._shown(request, kind, made, 200, warnings)
        ways: dict[str, Callable[[Object], Any]] = {
            "application/merge-patch+json": lambda old: merge_patch(old, body),
            "application/json-patch+json": lambda old: json_patch(old, body),
            "application/strategic-merge-patch+json": lambda old: strategic(old, body),
        }
        if content not in ways or (content.startswith("application/strategic") and kind.schema is not None):
            raise StatusError(
                415,
                "UnsupportedMediaType",
                "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
            )
        made, warnings = do.change(kind, target.namespace, target.name, ways[content], **options)
        return self._shown(request, kind, made, 200, warnings)

    def _pod_action(self, kind: Kind, target: Target, body: Any) -> web.StreamResponse:
        do = self.operations
        old = do.get(kind, target.namespace, target.name)
        if target.subresource == "eviction":
            options = (body or {}).get("deleteOptions") or {}
            do.delete(kind, target.namespace, target.name, options)
        elif old["spec"].get("nodeName"):
            raise StatusError(
                409,
                "Conflict",
                f'Operation cannot be fulfilled on pods/binding "{target.name}": pod {target.name} is already assigned to node "{old["spec"]["nodeName"]}"',
            )
        else:
            condition = {
                "type": "PodScheduled",
                "status": "True",
                "lastTransitionTime": do.now(),
                "lastProbeTime": None,
            }
            status = {**old["status"], "conditions": [condition]}
            self.store.put(
                kind.key, {**old, "spec": {**old["spec"], "nodeName": body["target"]["name"]}, "status": status}
            )
        return _json({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201)


def _manager(request: web.Request) -> str:
    """The field manager of a request: the name that the client gives, or the first word of its User-Agent."""
    agent = request.headers.get("User-Agent", "unknown").partition("/")[0]
    return (request.query.get("fieldManager") or agent)[:128]


async def _body(request: web.Request) -> Any:
    try:
        data = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise StatusError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {BODY_LIMIT}") from None
    if not data:
        return None
    try:
        if request.content_type == protobuf.CONTENT:
            return protobuf.decoded(data)
        return yaml.safe_load(data) if "yaml" in request.content_type and data[:1] != b"{" else read(data)
    except (yaml.YAMLError, ValueError) as error:
        raise bad_request(f"the body can't be read: {error}") from None


def _json(body: Object, code: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=write(body), status=code, content_type="application/json", headers=headers)
