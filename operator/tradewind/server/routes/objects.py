"""Lists of approvals, triggers, backfills, pools and assets; and search."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator

from tradewind.kube.resources import APPROVALS, BACKFILLS, CLUSTER_POOLS, DAGS, POOLS, RUNS, TRIGGERS
from tradewind.look.reading import of_kind
from tradewind.plan.triggers.cycles import assets_of
from tradewind.server.access import EVERYWHERE
from tradewind.server.answers.objects import (
    ApprovalRow,
    ApprovalsAnswer,
    ApprovalsQuery,
    AssetEdge,
    AssetRow,
    AssetsAnswer,
    BackfillsAnswer,
    Holder,
    PoolRow,
    PoolsAnswer,
    QuestionRow,
    Queued,
    TriggersAnswer,
    Where,
)
from tradewind.server.answers.session import SearchAnswer, SearchHit, SearchQuery
from tradewind.server.cache.records import BodyRecord, Produced, RunRecord, millis
from tradewind.server.question import Question
from tradewind.server.route import Need, Route
from tradewind.server.routes.overview import optional
from tradewind.server.rows import backfill_row, trigger_row, whole
from tradewind.server.web.problem import Refused

HITS = 20
SCANNED = 5_000
"""Records between two pauses."""
LONGEST = 253
"""Characters that are searched for."""


async def approvals(question: Question) -> ApprovalsAnswer:
    """Approvals that wait, the oldest first."""
    asked = question.asked(ApprovalsQuery)
    found = question.service.cache.bodies(await question.scope(APPROVALS, asked.namespace))
    try:
        runs = await question.runs(asked.namespace)
    except Refused:
        runs = None
    rows = []
    for record in found:
        outcome = str(record.status.get("outcome") or "Pending")
        run = str(record.spec.get("run") or "")
        if asked.run and run != asked.run:
            continue
        known = question.service.cache.run(runs, record.namespace, run) if runs else None
        if not asked.all and (outcome != "Pending" or (known is not None and known.final)):
            continue
        can = outcome == "Pending" and await question.service.access.may(
            question.caller, Need("patch", APPROVALS), record.namespace
        )
        rows.append(_approval(record, outcome, known.dag if known else "", can))
    return ApprovalsAnswer(approvals=sorted(rows, key=lambda row: row.since))


def _approval(record: BodyRecord, outcome: str, dag: str, can: bool) -> ApprovalRow:
    spec = record.spec
    questions = of_kind(dict, spec.get("questions"))
    return ApprovalRow(
        namespace=record.namespace,
        name=record.name,
        run=str(spec.get("run") or ""),
        task=str(spec.get("task") or ""),
        dag=dag,
        message=str(spec.get("message") or ""),
        since=record.created * 1000,
        deadline=millis(spec.get("deadline")),
        outcome=outcome,
        by=str(spec.get("by") or ""),
        comment=str(spec.get("comment") or ""),
        inputs=[
            QuestionRow(
                name=name,
                type=str(body.get("type") or "string"),
                title=str(body.get("title") or ""),
                description=str(body.get("description") or ""),
                default=body.get("default"),
                enum=of_kind(list, body.get("enum")),
                required=body.get("default") is None and not body.get("optional"),
            )
            for name, body in questions.items()
            if isinstance(body, dict)
        ],
        can=can,
    )


async def triggers(question: Question) -> TriggersAnswer:
    """All triggers."""
    scope = await question.scope(TRIGGERS, question.asked(Where).namespace)
    return TriggersAnswer(triggers=[trigger_row(record) for record in question.service.cache.bodies(scope)])


async def backfills(question: Question) -> BackfillsAnswer:
    """All backfills, the newest first."""
    scope = await question.scope(BACKFILLS, question.asked(Where).namespace)
    rows = [backfill_row(record) for record in question.service.cache.bodies(scope)]
    return BackfillsAnswer(backfills=sorted(rows, key=lambda row: -row.created))


async def pools(question: Question) -> PoolsAnswer:
    """All pools, with what holds them and what waits for them."""
    namespace = question.asked(Where).namespace
    service = question.service
    found = [_pool(record, "Pool") for record in service.cache.bodies(await question.scope(POOLS, namespace))]
    partial = None
    if await service.access.may(question.caller, Need("list", CLUSTER_POOLS), EVERYWHERE):
        seen = await question.scope(RUNS)  # a ClusterPool names runs of all namespaces
        for record in await optional(question, CLUSTER_POOLS, ""):
            row = _pool(record, "ClusterPool")
            holders = [item for item in row.holders if item.namespace in seen]
            queue = [item for item in row.queue if item.namespace in seen]
            found.append(row.model_copy(update={"holders": holders, "queue": queue}))
    else:
        partial = "you may not list ClusterPools: those are not shown"
    return PoolsAnswer(pools=found, partial=partial)


def _pool(record: BodyRecord, kind: str) -> PoolRow:
    spec, status = record.spec, record.status
    users = {
        name: [item for item in of_kind(list, status.get(name)) if isinstance(item, dict)]
        for name in ("holders", "waiters")
    }
    return PoolRow(
        kind=kind,
        namespace=record.namespace,
        name=record.name,
        description=str(spec.get("description") or ""),
        slots=whole(spec.get("slots")),
        used=whole(status.get("used")),
        waiting=whole(status.get("waiting")),
        holders=[
            Holder(
                namespace=str(item.get("namespace") or record.namespace),
                run=str(item.get("run") or ""),
                task=str(item.get("task") or ""),
                slots=whole(item.get("slots")) or 1,
                since=None,
            )
            for item in users["holders"]
        ],
        queue=[
            Queued(
                namespace=str(item.get("namespace") or record.namespace),
                run=str(item.get("run") or ""),
                task=str(item.get("task") or ""),
                why=f"it is number {place} in the queue" + (f" and needs {slots} slots" if slots > 1 else ""),
                since=None,
            )
            for place, item in enumerate(users["waiters"], 1)
            for slots in [whole(item.get("slots")) or 1]
        ],
    )


async def assets(question: Question) -> AssetsAnswer:
    """The latest update of each asset, with what makes it and what follows it."""
    namespace = question.asked(Where).namespace
    latest: dict[tuple[str, str, str], tuple[Produced, RunRecord]] = {}
    for count, record in enumerate(question.service.cache.runs(await question.runs(namespace)), 1):
        if count % SCANNED == 0:
            await asyncio.sleep(0)
        for item in record.produced:
            key = (record.namespace, item.name, item.partition)
            if key not in latest or latest[key][0].at < item.at:
                latest[key] = (item, record)
    rows = [
        AssetRow(
            namespace=where,
            name=name,
            partition=partition,
            at=millis(item.at),
            dag=record.dag,
            run=record.name,
            task=item.task,
            metadata=dict(item.metadata),
        )
        for (where, name, partition), (item, record) in sorted(latest.items())
    ]
    dags, followers = await optional(question, DAGS, namespace), await optional(question, TRIGGERS, namespace)
    return AssetsAnswer(assets=rows, edges=[*_makes(dags), *_starts(followers)])


def _makes(dags: list[BodyRecord]) -> Iterator[AssetEdge]:
    for record in dags:
        try:
            names = sorted(assets_of(record.spec))
        except (AttributeError, KeyError, TypeError):  # an invalid DAG
            continue
        for name in names:
            yield AssetEdge(namespace=record.namespace, asset=name, dag=record.name, direction="produces", trigger="")


def _starts(triggers: list[BodyRecord]) -> Iterator[AssetEdge]:
    for record in triggers:
        for name in sorted(_followed(record.spec.get("assets"))):
            yield AssetEdge(
                namespace=record.namespace,
                asset=name,
                dag=str(record.spec.get("dag") or ""),
                direction="starts",
                trigger=record.name,
            )


def _followed(assets: object) -> set[str]:
    """The names in a trigger's assets."""
    match assets:
        case str():
            return {assets}
        case list():
            return {name for item in assets for name in _followed(item)}
        case dict():
            return {name for key in ("name", "anyOf", "allOf") for name in _followed(assets.get(key))}
        case _:
            return set()


async def search(question: Question) -> SearchAnswer:
    """Objects whose name holds the text; those that begin with it first."""
    asked = question.asked(SearchQuery)
    text = asked.q.strip().lower()[:LONGEST]
    if not text:
        return SearchAnswer(hits=[])
    found: list[tuple[int, SearchHit]] = []
    for kind, resource in (("dag", DAGS), ("trigger", TRIGGERS), ("backfill", BACKFILLS), ("pool", POOLS)):
        for record in await optional(question, resource, asked.namespace):
            words = str(record.spec.get("description") or record.spec.get("dag") or "")
            if text in record.name.lower() or (kind == "dag" and text in words.lower()):
                found.append((_rank(record.name, text), _hit(kind, record.namespace, record.name, words)))
    found += await _found_runs(question, asked.namespace, text)
    found.sort(key=lambda pair: pair[0])
    return SearchAnswer(hits=[hit for _, hit in found[:HITS]])


async def _found_runs(question: Question, namespace: str, text: str) -> list[tuple[int, SearchHit]]:
    try:
        scope = await question.runs(namespace)
    except Refused as error:
        if error.status != 403:
            raise
        return []
    ranked: defaultdict[int, list[SearchHit]] = defaultdict(list)
    assets: dict[tuple[str, str], str] = {}
    for count, record in enumerate(question.service.cache.runs(scope), 1):
        if count % SCANNED == 0:
            await asyncio.sleep(0)
        if text in record.name.lower() and len(best := ranked[_rank(record.name, text) + 1]) < HITS:
            best.append(_hit("run", record.namespace, record.name, f"{record.dag}: {record.phase}"))
        for item in record.produced:
            if text in item.name.lower():
                assets[record.namespace, item.name] = record.dag
    found = [(rank, hit) for rank, hits in ranked.items() for hit in hits]
    return found + [
        (_rank(name, text), _hit("asset", where, name, dag)) for (where, name), dag in list(assets.items())[:HITS]
    ]


def _rank(name: str, text: str) -> int:
    lower = name.lower()
    return 0 if lower == text else 2 if lower.startswith(text) else 4


def _hit(kind: str, namespace: str, name: str, words: str) -> SearchHit:
    return SearchHit(kind=kind, namespace=namespace, name=name, text=words[:200])


ROUTES = (
    Route(
        "GET",
        "approvals",
        "Approvals that wait.",
        approvals,
        ApprovalsAnswer,
        ApprovalsQuery,
        needs=(Need("list", APPROVALS),),
    ),
    Route("GET", "triggers", "Triggers.", triggers, TriggersAnswer, Where, needs=(Need("list", TRIGGERS),)),
    Route("GET", "backfills", "Backfills.", backfills, BackfillsAnswer, Where, needs=(Need("list", BACKFILLS),)),
    Route("GET", "pools", "Pools, with holders and queues.", pools, PoolsAnswer, Where, needs=(Need("list", POOLS),)),
    Route(
        "GET",
        "assets",
        "Assets, and what makes and follows them.",
        assets,
        AssetsAnswer,
        Where,
        needs=(Need("list", RUNS),),
    ),
    Route(
        "GET",
        "search",
        "DAGs, runs, triggers, backfills, pools and assets by name.",
        search,
        SearchAnswer,
        SearchQuery,
        needs=(Need("list", DAGS),),
    ),
)
