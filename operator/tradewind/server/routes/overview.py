"""The overview: what needs a person, what runs, what waits, and all DAGs."""

import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from tradewind.control.triggers.dag_index import invalid
from tradewind.kube.resources import APPROVALS, DAGS, RUNS, TRIGGERS, Resource
from tradewind.look.reading import of_kind
from tradewind.look.waiting.summary import Share
from tradewind.model.dag_name import home
from tradewind.server.access import Scope
from tradewind.server.answers.base import in_millis
from tradewind.server.answers.objects import (
    Bar,
    Counts,
    DAGRow,
    DAGsAnswer,
    OverviewAnswer,
    WaitShare,
    Where,
)
from tradewind.server.answers.objects import (
    Need as NeedRow,
)
from tradewind.server.cache.records import BodyRecord, millis
from tradewind.server.cache.scans import PARENT, Scan
from tradewind.server.question import Question
from tradewind.server.route import Need, Route
from tradewind.server.rows import lasted, owner, quantile, run_row, source
from tradewind.server.web.problem import Refused

LATEST = 25
"""Runs of a DAG that are shown."""
RUNNING = 50
NEEDS = 100
DAY = 86_400
WEEK = 7 * DAY
SCANNED = 5_000
"""Records between two pauses."""


async def optional(question: Question, resource: Resource, namespace: str) -> list[BodyRecord]:
    """Objects of a kind; none where the caller may not list it."""
    try:
        scope = await question.scope(resource, namespace if resource.namespaced else "")
    except Refused as error:
        if error.status != 403:
            raise
        return []
    return question.service.cache.bodies(scope)


async def overview(question: Question) -> OverviewAnswer:
    """All of it at once."""
    namespace = question.asked(Where).namespace
    scope = await question.runs(namespace)
    scan = await question.service.scans.scan(scope)
    dags, triggers, approvals = [
        await optional(question, resource, namespace) for resource in (DAGS, TRIGGERS, APPROVALS)
    ]
    needs = [*_approvals(approvals, question, scope), *_invalid(dags, triggers), *_failed(scan)]
    counts = scan.counts
    return OverviewAnswer(
        needs=needs[:NEEDS],
        needs_total=len(needs),
        running=[run_row(record) for record in scan.running[:RUNNING]],
        waiting=[
            _share(cause, share) for cause, share in await question.service.surveys.shares(question.caller, namespace)
        ],
        dags=_rows(dags, triggers, scan),
        counts=Counts(
            running=counts["Running"],
            queued=counts["Queued"],
            failed24h=counts["failed"],
            succeeded24h=counts["succeeded"],
        ),
    )


async def dags(question: Question) -> DAGsAnswer:
    """All DAGs."""
    namespace = question.asked(Where).namespace
    found = question.service.cache.bodies(await question.scope(DAGS, namespace))
    try:
        scan = await question.service.scans.scan(await question.runs(namespace))
    except Refused as error:
        if error.status != 403:
            raise
        scan = Scan()
    return DAGsAnswer(dags=_rows(found, await optional(question, TRIGGERS, namespace), scan))


def _approvals(approvals: list[BodyRecord], question: Question, scope: Scope) -> list[NeedRow]:
    waiting = [record for record in approvals if record.status.get("outcome", "Pending") == "Pending"]
    found = []
    for record in sorted(waiting, key=lambda record: record.created):
        run = str(record.spec.get("run") or "")
        known = question.service.cache.run(scope, record.namespace, run)
        if known is not None and known.final:
            continue
        text = str(record.spec.get("message") or f"{record.spec.get('task')} of {run} waits for a decision")
        found.append(
            NeedRow(
                kind="approval",
                namespace=record.namespace,
                name=record.name,
                run=run,
                dag=known.dag if known else "",
                text=text[:1_024],
                since=record.created * 1000,
            )
        )
    return found


def _invalid(dags: list[BodyRecord], triggers: list[BodyRecord]) -> list[NeedRow]:
    found = [(record, "dag", words) for record in dags if (words := invalid(record.body))]
    found += [
        (record, "trigger", str(record.status.get("message") or "it is not valid"))
        for record in triggers
        if record.status.get("phase") in ("Invalid", "Waiting")
    ]
    return [
        NeedRow(
            kind="invalid",
            namespace=record.namespace,
            name=record.name,
            run="",
            dag=record.name if kind == "dag" else str(record.spec.get("dag") or ""),
            text=f"{kind} {record.name}: {words}"[:1_024],
            since=_since(record.status),
        )
        for record, kind, words in found
    ]


def _since(status: Mapping[str, Any]) -> int | None:
    items = of_kind(list, status.get("conditions"))
    return next((millis(item.get("lastTransitionTime")) for item in items if item.get("type") == "Valid"), None)


def _failed(scan: Scan) -> list[NeedRow]:
    """DAGs whose latest ended run has failed, within a week."""
    found, now = [], time.time()
    for (namespace, dag), latest in scan.latest.items():
        record = next((record for record in latest if record.final), None)
        if record is None or record.phase != "Failed" or record.how == PARENT or (record.finished or 0) < now - WEEK:
            continue
        found.append(
            NeedRow(
                kind="failed",
                namespace=namespace,
                name=record.name,
                run=record.name,
                dag=dag,
                text=record.message or "it failed",
                since=(record.finished or record.created) * 1000,
            )
        )
    return sorted(found, key=lambda need: -(need.since or 0))


def _share(cause: str, share: Share) -> WaitShare:
    run, wait = share.example
    return WaitShare(
        cause=cause,
        tasks=share.tasks,
        longest=share.longest,
        namespace=run.namespace,
        run=run.name,
        task=wait.task,
        since=in_millis(wait.since),
    )


def _rows(dags: list[BodyRecord], triggers: list[BodyRecord], scan: Scan) -> list[DAGRow]:
    by_dag: defaultdict[tuple[str, str], list[BodyRecord]] = defaultdict(list)
    for trigger in triggers:
        by_dag[trigger.namespace, home(str(trigger.spec.get("dag") or ""))].append(trigger)
    return [dag_row(record, by_dag[record.namespace, record.name], scan) for record in dags]


def dag_row(record: BodyRecord, triggers: list[BodyRecord], scan: Scan) -> DAGRow:
    """A DAG in a list."""
    key = (record.namespace, record.name)
    latest = scan.latest.get(key, [])[::-1]
    ended = [run for run in latest if run.final]
    times = [seconds for run in ended if run.phase == "Succeeded" and (seconds := lasted(run)) is not None]
    nexts = [at for trigger in triggers if (at := millis(trigger.status.get("next"))) is not None]
    counted = [run for run in ended if run.phase != "Cancelled"]
    return DAGRow(
        namespace=record.namespace,
        name=record.name,
        suspended=record.spec.get("suspend") is True,
        invalid=invalid(record.body)[:1_024],
        owner=owner(record.meta),
        description=str(record.spec.get("description") or ""),
        schedule="; ".join(filter(None, map(source, triggers)))[:300],
        next=min(nexts, default=None),
        latest=[Bar(name=run.name, phase=run.phase, created=run.created * 1000, seconds=lasted(run)) for run in latest],
        success=sum(run.phase == "Succeeded" for run in counted) / len(counted) if counted else None,
        p50=quantile(times, 0.5),
        p95=quantile(times, 0.95),
        active=scan.active.get(key, 0),
    )


ROUTES = (
    Route(
        "GET",
        "overview",
        "What needs a person, runs and waits; all DAGs.",
        overview,
        OverviewAnswer,
        Where,
        needs=(Need("list", RUNS),),
    ),
    Route("GET", "dags", "All DAGs.", dags, DAGsAnswer, Where, needs=(Need("list", DAGS),)),
)
