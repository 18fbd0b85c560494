"""What has changed, as it changes: the page reads the routes of a topic again."""

import asyncio
import re
import secrets
import time
from typing import Annotated

import orjson
from aiohttp import web
from pydantic import Field

from tradewind.kube.errors import ApiError
from tradewind.kube.resources import APPROVALS, BACKFILLS, CLUSTER_POOLS, DAGS, POOLS, RUNS, TRIGGERS, Resource
from tradewind.server.access import EVERYWHERE
from tradewind.server.answers.base import Query
from tradewind.server.cache.records import Record, RunRecord
from tradewind.server.hub import Subscription
from tradewind.server.question import Question
from tradewind.server.route import Form, Need, Route
from tradewind.server.web.events import open_stream, send
from tradewind.server.web.problem import Refused

EVERY = 0.5
"""Seconds between two pushes."""
HEARTBEAT = 15.0
LOOK = 5.0
"""Seconds after which the session and the watches are checked while nothing changes."""
RECHECK = 60.0
"""Seconds until rights are asked for again."""
TOPICS = 20
EPOCH = secrets.token_hex(4)
"""Of this process: after it, numbers begin again."""
PLAIN = {"overview": RUNS, "approvals": APPROVALS, "triggers": TRIGGERS, "backfills": BACKFILLS, "pools": POOLS}
_NAMED = re.compile(r"(runs|run|dag):([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?(/[a-z0-9][-a-z0-9.]{0,252})?")


class StreamQuery(Query):
    """The topics to follow."""

    topic: Annotated[list[str], Field(max_length=TOPICS)] = []
    """overview, approvals, triggers, backfills, pools, runs:NAMESPACE (`runs:` for all), run:NAMESPACE/NAME or
    dag:NAMESPACE/NAME."""


def topics_of(resource: Resource, record: Record, gone: bool) -> list[str]:
    """The topics that a change is about."""
    where = record.namespace
    if isinstance(record, RunRecord):
        own = (f"run:{where}/{record.name}", f"dag:{where}/{record.dag}", f"runs:{where}", "runs:", "overview")
        return [*own, "backfills"] if record.how == "backfill" else list(own)
    of_dag = f"dag:{where}/{record.spec.get('dag') or ''}"
    named: dict[Resource, list[str]] = {
        DAGS: [f"dag:{where}/{record.name}", "overview"],
        TRIGGERS: ["triggers", of_dag, "overview"],
        BACKFILLS: ["backfills", of_dag],
        APPROVALS: ["approvals", "overview", f"run:{where}/{record.spec.get('run') or ''}"],
        POOLS: ["pools"],
        CLUSTER_POOLS: ["pools"],
    }
    return named.get(resource, [])


async def stream(question: Question) -> web.StreamResponse:
    """Topics with a version, at most twice a second."""
    topics = list(dict.fromkeys(question.asked(StreamQuery).topic))
    if not topics:
        raise Refused(400, "topic: name at least one, such as topic=overview", "topic")
    await _check(question, topics)
    service = question.service
    response = await open_stream(question)
    subscription = service.hub.subscribe(topics)
    service.hub.streams[question.caller.user] += 1
    try:
        if question.http.headers.get("Last-Event-ID"):
            await send(response, b"{}", "reset", f"{EPOCH}-0")
        await _push(question, response, subscription, topics)
        return response
    finally:
        service.hub.streams[question.caller.user] -= 1
        service.hub.leave(subscription)


async def _push(
    question: Question, response: web.StreamResponse, subscription: Subscription, topics: list[str]
) -> None:
    hub = question.service.hub
    checked, late, number = time.monotonic(), False, 0
    beat = checked
    while question.service.guard.lives(question.http):
        try:
            async with asyncio.timeout(LOOK):
                await subscription.changed.wait()
        except TimeoutError:
            if time.monotonic() - beat >= HEARTBEAT:
                beat = time.monotonic()
                await response.write(b": \n\n")
        for topic in subscription.take():
            number += 1
            data = orjson.dumps({"topic": topic, "version": hub.version(topic)})
            await send(response, data, "topic", f"{EPOCH}-{number}")
        behind = question.service.followers.late()
        if bool(behind) != late:
            late = bool(behind)
            await send(response, orjson.dumps({"behind": round(behind)}), "health")
        if time.monotonic() - checked > RECHECK:
            checked = time.monotonic()
            try:
                await _check(question, topics)
            except (Refused, ApiError) as error:
                await send(response, orjson.dumps({"detail": str(error)}), "closed")
                return
        await asyncio.sleep(EVERY)


async def _check(question: Question, topics: list[str]) -> None:
    """Whether the caller may follow the topics. Raises Refused."""
    access, caller = question.service.access, question.caller
    for topic in topics:
        if resource := PLAIN.get(topic):
            await question.scope(resource)
            continue
        found = _NAMED.fullmatch(topic)
        if found is None or (found[1] != "runs") != bool(found[4]) or (found[4] and not found[2]):
            raise Refused(400, f"there is no topic {topic[:100]!r}: see `stream` in openapi.json", "topic")
        resource, namespace = DAGS if found[1] == "dag" else RUNS, found[2] or EVERYWHERE
        if not namespace:
            await question.scope(resource)
        elif not await access.may(caller, Need("list", resource), namespace):
            raise Refused(403, f"you may not list {resource.plural} in namespace {namespace}")


ROUTES = (
    Route(
        "GET",
        "stream",
        "Topics that have changed, as they change.",
        stream,
        query=StreamQuery,
        needs=(Need("list", RUNS),),
        form=Form.STREAM,
    ),
)
