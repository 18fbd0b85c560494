"""The read API: recorded runs for who may list DAGRuns, over TLS, in JSON.

The caller's token comes in `X-Tradewind-Token` where the way there drops `Authorization`, as the API server's proxy to Services does."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from ssl import SSLContext
from typing import Annotated, Any, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from tradewind.control.server.bounded_listener import BoundedListener, Bounds
from tradewind.kube.errors import ApiError, Unauthorized
from tradewind.model.shown import shown
from tradewind.recorder import answers
from tradewind.recorder.gate import EVERYWHERE, WORDS, Busy, Gate
from tradewind.recorder.logs.shelf import logs_of, part_of
from tradewind.recorder.origin import Origins
from tradewind.recorder.store.database import Database, StoreError
from tradewind.recorder.store.queries import PAGE, PHASES, BadCursor, Home, Wanted, purge_some, runs

audit = logging.getLogger("tradewind.audit")
TOKEN = "X-Tradewind-Token"  # noqa: S105 - the name of a header
BOUNDS = Bounds(connections=128, held=2**20, idle=60.0)
BODY, READING = 64 * 1024, 10.0
"""Bytes of a body, and seconds for it to arrive."""
READERS = 4
"""Queries at once."""
WAITING = 64
"""Requests that may wait for one."""
PART = 2**20
"""Bytes of a log in an answer, at least one piece."""
NO_UID = "none"
"""No row has this namespace uid."""
MOMENT = Annotated[int, Field(ge=0, le=2**53)]


class Query(BaseModel):
    """Which runs are asked for. Times are epoch milliseconds."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", populate_by_name=True)

    namespace: Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9-]*$")] = EVERYWHERE
    """Empty: all namespaces, for who may list DAGRuns in all of them."""
    dag: Annotated[str, Field(max_length=253)] = ""
    phases: Annotated[str, Field(max_length=200)] = ""
    """Joined by commas."""
    since: MOMENT | None = None
    until: MOMENT | None = None
    name: Annotated[str, Field(max_length=253)] = ""
    uid: Annotated[str, Field(max_length=253)] = ""
    ended_before: MOMENT | None = None


Q = TypeVar("Q", bound=Query)


class PageQuery(Query):
    """A page of them."""

    limit: Annotated[int, Field(ge=1, le=PAGE)] = 50
    after: Annotated[str, Field(max_length=64)] = ""
    """The cursor that the page before gave."""
    parts: Annotated[str, Field(max_length=64)] = ""
    """What to add to each run, joined by commas: tasks, edits, object."""


class LogsQuery(Query):
    """The logs of a run."""

    task: Annotated[str, Field(max_length=253)] = ""


class LogQuery(Query):
    """A part of a log."""

    id: Annotated[int, Field(ge=0, le=2**53)]
    first: Annotated[int, Field(ge=0, le=2**31)] = 0


class Refused(Exception):
    """A request that is not answered; the message says why."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


class Api:
    """Answers requests."""

    def __init__(
        self,
        database: Database,
        gate: Gate,
        origins: Origins,
        in_writer: Callable[..., Awaitable[Any]],
        folder: Path | None = None,
    ) -> None:
        """`in_writer` calls a function in the thread that writes. `folder` has the logs, if they are collected."""
        self._folder = folder
        self._database, self._gate, self._origins, self._in_writer = database, gate, origins, in_writer
        self.listener = BoundedListener(BOUNDS)
        self._threads = ThreadPoolExecutor(READERS, "recorder-reader")
        self._waiting = 0

    @contextlib.asynccontextmanager
    async def serve(self, port: int, context: SSLContext | None) -> AsyncIterator[None]:
        """Serves while the context is open."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/v1/runs", self._answered(self.list)),
                web.get("/v1/logs", self._answered(self.logs)),
                web.get("/v1/log", self._answered(self.log)),
                web.post("/v1/purge", self._answered(self.purge)),
            ]
        )
        async with self.listener.serve(app, port, context):
            yield
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def list(self, http: web.Request) -> Any:
        """A page of runs, newest first."""
        query = _parsed(PageQuery, dict(http.query))
        parts = [part for part in query.parts.split(",") if part]
        if unknown := set(parts) - answers.PARTS:
            raise Refused(400, f"parts: {', '.join(sorted(unknown))}: write some of {', '.join(sorted(answers.PARTS))}")
        wanted = await self._wanted(_token(http), "list", query)
        return await self._read(answers.page, self._database, wanted, query.limit, query.after, parts)

    async def logs(self, http: web.Request) -> Any:
        """The logs of a run, or of one of its tasks, for who may read logs of pods: what there is, and what is missing."""
        query = _parsed(LogsQuery, dict(http.query))
        wanted = await self._wanted(_token(http), "logs", query)
        found = (await self._read(runs, self._database, wanted, 1)).runs
        if not found:
            return {"logs": []}
        run = found[0].row
        logs = await self._read(logs_of, self._database, run["namespace"], run["uid"], query.task)
        return {"run": run["name"], "uid": run["uid"], "logs": [log.data() for log in logs]}

    async def log(self, http: web.Request) -> Any:
        """A part of a log: the pieces from `first`, up to PART bytes, as text with a byte a character, and the number of the next piece."""
        query = _parsed(LogQuery, dict(http.query))
        wanted = await self._wanted(_token(http), "logs", query)
        homes = wanted.homes or []
        found = await self._read(part_of, self._database, self._folder, query.id, query.first, PART, homes)
        if found is None:
            raise Refused(404, "there is no such log")
        data, more = found
        return {"text": data.decode("latin-1"), "next": more}

    async def purge(self, http: web.Request) -> Any:
        """Deletes runs from the record, for who may delete DAGRuns."""
        body = await self.listener.read_body(http, BODY, READING)
        try:
            query = _parsed(Query, orjson.loads(body))
        except ValueError:
            raise Refused(400, "the body is not JSON") from None
        token = _token(http)
        wanted = await self._wanted(token, "delete", query)
        user, gone = await self._gate.user(token), 0
        try:
            while some := await self._in_writer(purge_some, self._database, wanted):
                gone += some
        finally:
            chosen = query.model_dump(exclude_defaults=True, by_alias=True)
            words = orjson.dumps({"user": user, "purged": gone, **chosen}).decode()
            audit.info("recorded runs purged: %s", shown(words))
        return {"purged": gone}

    async def _wanted(self, token: str, verb: str, query: Query) -> Wanted:
        """The runs that the token's owner may read or delete among those asked for. Raises Refused."""
        everywhere = await self._gate.may(token, verb, EVERYWHERE)
        if not everywhere and not (query.namespace and await self._gate.may(token, verb, query.namespace)):
            place = f"namespace {query.namespace}" if query.namespace else "all namespaces: name one with -n"
            raise Refused(403, f"you may not {WORDS[verb]} in {place}")
        homes = None
        if query.namespace:
            uid = None if everywhere else await self._origins.current(query.namespace) or NO_UID
            homes = [Home(query.namespace, uid)]
        phases = frozenset(phase for phase in query.phases.split(",") if phase)
        if phases - PHASES:
            raise Refused(400, f"phases: write some of {', '.join(sorted(PHASES))}, joined by commas")
        return Wanted(homes, query.dag, phases, query.since, query.until, query.name, query.uid, query.ended_before)

    async def _read(self, function: Callable[..., Any], *arguments: Any) -> Any:
        if self._waiting >= WAITING:
            raise Refused(503, "too many requests at once: ask again in a moment")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)
        finally:
            self._waiting -= 1

    def _answered(self, handler: Callable[[web.Request], Awaitable[Any]]) -> Any:
        async def handle(http: web.Request) -> web.Response:
            try:
                with self.listener.working(http):
                    return _json(200, await handler(http))
            except Refused as error:
                return _json(error.status, {"message": error.words})
            except BadCursor as error:
                return _json(400, {"message": f"after: {error}"})
            except Unauthorized:
                return _json(401, {"message": "the API server does not know this token"})
            except (ApiError, StoreError, Busy) as error:
                return _json(503, {"message": str(error)})
            except (TimeoutError, web.HTTPRequestEntityTooLarge):
                return _json(413, {"message": f"a body has at most {BODY} bytes, within {READING:.0f} s"})
            except Exception:
                logging.getLogger(__name__).exception("a request to %r", http.path)
                return _json(500, {"message": "an error of the recorder: its log says which"})

        return handle


def _token(http: web.Request) -> str:
    """The caller's token. Raises Refused."""
    text = http.headers.get(TOKEN) or http.headers.get("Authorization") or ""
    scheme, _, token = text.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Refused(401, f"send the token that the API server knows you by: {TOKEN}: Bearer TOKEN")
    return token.strip()


def _parsed(model: type[Q], given: Any) -> Q:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        raise Refused(400, f"{'.'.join(map(str, first['loc'])) or 'query'}: {first['msg']}") from None


def _json(status: int, body: Any) -> web.Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json", headers=headers)
