"""Who one is, and what the cluster's state is."""

import asyncio

from aiohttp import web

from tradewind import __version__
from tradewind.kube.resources import (
    APPROVALS,
    BACKFILLS,
    DAGS,
    EVENTS,
    PODS,
    POOLS,
    REVISIONS,
    RUNS,
    TRIGGERS,
)
from tradewind.look.doctor.checks import findings
from tradewind.look.doctor.finding import Level
from tradewind.look.doctor.gather import gather
from tradewind.model.crd import manifests
from tradewind.server.access import EVERYWHERE
from tradewind.server.answers.session import (
    HealthAnswer,
    HealthFinding,
    HealthQuery,
    MeAnswer,
    ProblemWords,
    TokenBody,
)
from tradewind.server.question import Question
from tradewind.server.route import Form, Need, Route
from tradewind.server.schema.openapi import document

RIGHTS = (
    *(Need(verb, RUNS) for verb in ("get", "list", "create", "patch", "delete")),
    *(Need(verb, DAGS) for verb in ("get", "list", "patch")),
    *(Need(verb, TRIGGERS) for verb in ("list", "patch")),
    *(Need(verb, BACKFILLS) for verb in ("list", "create", "patch")),
    *(Need(verb, APPROVALS) for verb in ("list", "patch")),
    Need("list", POOLS),
    *(Need(verb, PODS) for verb in ("get", "list")),
    Need("get", PODS, "log"),
    Need("list", EVENTS),
    Need("get", REVISIONS),
)
"""The rights that decide what is shown and offered."""
NAMED = 20
"""Namespaces about which rights are asked for one by one."""
ORDER = [Level.PROBLEM, Level.WARNING, Level.UNKNOWN, Level.OK]


async def sign_in(question: Question) -> web.StreamResponse:
    """Trades the token for a cookie."""
    guard = question.service.guard
    session = guard.trade(question.asked(TokenBody).token)
    response = web.Response(status=204)
    response.set_cookie(guard.cookie, session, httponly=True, samesite="Strict", path="/")
    return response


async def me(question: Question) -> MeAnswer:
    """Who one is, and what one may do."""
    service, caller = question.service, question.caller
    await service.followers.ready()
    seen = {name for resource in (RUNS, DAGS) for name in (await question.scope(resource)).namespaces or ()}
    occupied = {name for resource in (RUNS, DAGS) for name in service.cache.occupied(resource)}
    scope = await question.runs()
    names = sorted({name for name in {*occupied, *seen} if name in scope} | ({service.namespace} - {""}))
    problems = [ProblemWords(words=words) for words in service.followers.lacking.values()]
    if late := service.followers.late():
        words = f"the API server has not answered for {late:.0f} s: what is shown may be old"
        problems.append(ProblemWords(words=words))
    return MeAnswer(
        user=caller.user,
        groups=list(caller.groups),
        cluster=service.cluster,
        mode=service.mode,
        namespaces=names,
        namespace=service.namespace,
        version=__version__,
        can=await _can(question, names),
        problems=problems,
    )


async def _can(question: Question, names: list[str]) -> dict[str, dict[str, list[str]]]:
    """Rights by namespace; `*` has those in all namespaces."""
    access, caller = question.service.access, question.caller

    async def held(namespace: str, asked: tuple[Need, ...]) -> dict[str, list[str]]:
        answers = await asyncio.gather(*(access.may(caller, need, namespace) for need in asked))
        found: dict[str, list[str]] = {}
        for need, allowed in zip(asked, answers, strict=True):
            if allowed:
                name = need.resource.plural + (f"/{need.subresource}" if need.subresource else "")
                found.setdefault(name, []).append(need.verb)
        return found

    everywhere = await held(EVERYWHERE, RIGHTS)
    if sum(map(len, everywhere.values())) == len(RIGHTS):
        return {"*": everywhere}
    return {"*": everywhere, **{name: await held(name, RIGHTS) for name in names[:NAMED]}}


async def health(question: Question) -> HealthAnswer:
    """The doctor's findings."""
    namespace = question.asked(HealthQuery).namespace or question.service.namespace
    facts = await gather(question.client, namespace or "default", not namespace, None, lambda _: None)
    found = sorted(findings(facts, manifests()), key=lambda finding: ORDER.index(finding.level))
    return HealthAnswer(
        findings=[
            HealthFinding(check=item.check, level=str(item.level), text=item.what, todo=item.do) for item in found
        ]
    )


async def openapi(question: Question) -> web.StreamResponse:
    """The description of all routes."""
    from tradewind.server.table import ROUTES

    return web.json_response(document(ROUTES))


ROUTES = (
    Route(
        "POST",
        "session",
        "Trade the token of the link for a session.",
        sign_in,
        body=TokenBody,
        form=Form.NONE,
        open=True,
    ),
    Route("GET", "me", "Who one is, and what one may do.", me, MeAnswer),
    Route("GET", "health", "The findings of the doctor.", health, HealthAnswer, HealthQuery),
    Route("GET", "openapi.json", "This description.", openapi, open=True),
)
