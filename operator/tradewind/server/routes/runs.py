"""Runs: the list, and one of them."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import Any

from tradewind.control.dagrun.run import Run
from tradewind.control.shared.conditions import READINESS
from tradewind.control.triggers.run_maker import CAUSE
from tradewind.kube.client import Object
from tradewind.kube.errors import ApiError
from tradewind.kube.resources import EVENTS, RUNS
from tradewind.look import note
from tradewind.look.critical_path import path_of
from tradewind.look.reading import of_kind
from tradewind.look.tasks.why import chain, of_run
from tradewind.look.waiting.reason import WORK
from tradewind.look.waiting.task_waits import waits
from tradewind.look.whoami import CANCELLED, REASON, RETRIED, later
from tradewind.look.yaml_text import as_yaml, managed_by
from tradewind.plan.outcomes.state import LIVE
from tradewind.server.answers.base import in_millis
from tradewind.server.answers.runs import (
    CallerRow,
    ChainLink,
    ChainStep,
    EditRow,
    EventRow,
    FailureRow,
    PathAnswer,
    PathRow,
    Progress,
    RunAnswer,
    RunCan,
    RunDetail,
    RunsAnswer,
    RunsQuery,
    WaitingTask,
    WaitsAnswer,
)
from tradewind.server.cache.records import RunRecord, millis, run_record
from tradewind.server.pictures import View
from tradewind.server.question import Question
from tradewind.server.route import Need, Route
from tradewind.server.rows import conditions, run_fields, run_row
from tradewind.server.web.problem import Refused

SCANNED = 5_000
"""Records between two pauses of a search."""
EVENTS_SHOWN = 100
WAITS_SHOWN = 100
ACTIVE = ("Queued", "Running")


async def runs(question: Question) -> RunsAnswer:
    """A page of runs."""
    asked = question.asked(RunsQuery)
    scope = await question.runs(asked.namespace)
    phases = {phase for name in asked.phase for phase in (ACTIVE if name == "Active" else (name,))}
    text = asked.text.lower()
    found: list[RunRecord] = []
    for count, record in enumerate(question.service.cache.runs(scope, _place(asked.after)), 1):
        if count % SCANNED == 0:
            await asyncio.sleep(0)
        if asked.since is not None and record.created * 1000 < asked.since:
            break
        if (
            (not asked.dag or record.dag == asked.dag)
            and (not phases or record.phase in phases)
            and (not asked.how or record.how == asked.how)
            and (asked.until is None or record.created * 1000 < asked.until)
            and (not text or text in record.name.lower() or text in record.dag.lower())
        ):
            found.append(record)
            if len(found) > asked.limit:
                break
    page = found[: asked.limit]
    more = len(found) > asked.limit
    return RunsAnswer(runs=[run_row(record) for record in page], next=_cursor(page[-1]) if more else None, more=more)


def _cursor(record: RunRecord) -> str:
    return f"{record.created}.{record.uid}"


def _place(text: str) -> tuple[int, str] | None:
    if not text:
        return None
    created, _, uid = text.partition(".")
    if not created.isascii() or not created.isdecimal() or len(created) > 12:
        raise Refused(400, "after: hand over `next` of the answer before", "after")
    return -int(created), uid


async def run(question: Question) -> RunAnswer:
    """A run in full."""
    view = await question.service.pictures.view(question.caller, question.namespace, question.name)
    events, can = await asyncio.gather(events_of(question, view.run.uid), _can(question, view.run))
    text = await asyncio.to_thread(as_yaml, view.body)
    detail = await question.service.pictures.compute(view, lambda: _detail(view, events, text))
    return RunAnswer(run=detail, can=can, partial=view.partial or None)


def _signed(notes: Mapping[str, Any]) -> Iterator[EditRow]:
    """What people have done to the whole run, of which its annotations tell the latest of each kind."""
    for action, what in (("Retry", RETRIED), ("Cancel", CANCELLED)):
        by, reason = (str(notes.get(name) or "") for name in later(what))
        if by or reason:
            yield EditRow(action=action, tasks=[], by=by, reason=reason, applied=True)


def _detail(view: View, events: list[EventRow], text: str) -> RunDetail:
    run, status, meta = view.run, view.run.status, view.body["metadata"]
    notes = of_kind(dict, meta.get("annotations"))
    fields = run_fields(run_record(_bytes(view.body)))
    planner = view.state.planner if view.state else None
    if planner:
        running = sum(planner.ledger.tally[state] for state in LIVE)
        fields["progress"] = Progress(**{**fields["progress"].model_dump(), "running": running})
    why = of_run(run, view.state, time.time())
    return RunDetail(
        **{**fields, "why": why.sentence},
        message=str(status.get("message") or ""),
        revision=str(status.get("revision") or ""),
        revision_number=status.get("revisionNumber") or None,
        params=of_kind(dict, status.get("params") or run.params),
        results=of_kind(dict, status.get("results")),
        conditions=[row for row in conditions(status) if row.type not in READINESS],
        labels={str(name): str(value) for name, value in of_kind(dict, meta.get("labels")).items()},
        note=note.shown(notes),
        reason=str(notes.get(REASON) or ""),
        cause=str(notes.get(CAUSE) or ""),
        called_by=CallerRow(run=run.caller.run, task=run.caller.task, attempt=run.caller.number)
        if run.caller
        else None,
        edits=[
            *_signed(notes),
            *(
                EditRow(
                    action=str(edit.get("action") or ""),
                    tasks=[str(task) for task in of_kind(list, edit.get("tasks"))],
                    by=str(edit.get("by") or ""),
                    reason=str(edit.get("reason") or ""),
                    applied=place < run.edited,
                )
                for place, edit in enumerate(run.edits)
            ),
        ],
        failures=[
            FailureRow(
                task=str(item.get("task") or ""),
                attempt=int(item.get("attempt") or 0),
                reason=str(item.get("reason") or ""),
                exit_code=item.get("exitCode"),
                message=str(item.get("message") or ""),
            )
            for item in of_kind(list, status.get("failures"))
        ],
        version=str(run.version),
        yaml=text,
        events=events,
        managed_by=managed_by(view.body),
    )


def _bytes(body: Object) -> bytes:
    import orjson

    return orjson.dumps(body)


async def events_of(question: Question, uid: str) -> list[EventRow]:
    """The latest Events about an object; none if the caller may not read them."""
    if not await question.service.access.may(question.caller, Need("list", EVENTS), question.namespace):
        return []
    query = {"fieldSelector": f"involvedObject.uid={uid}", "limit": str(EVENTS_SHOWN)}
    try:
        found = (await question.client.list(EVENTS, question.namespace, **query))["items"]
    except ApiError:
        return []
    rows = [_event(item) for item in found]
    return sorted(rows, key=lambda row: -(row.at or 0))


def _event(item: Mapping[str, Any]) -> EventRow:
    about, series = of_kind(dict, item.get("involvedObject")), of_kind(dict, item.get("series"))
    at = (
        item.get("lastTimestamp")
        or series.get("lastObservedTime")
        or item.get("eventTime")
        or item.get("firstTimestamp")
    )
    return EventRow(
        type=str(item.get("type") or ""),
        reason=str(item.get("reason") or ""),
        message=str(item.get("message") or ""),
        count=int(series.get("count") or item.get("count") or 1),
        at=millis(at),
        object=f"{about.get('kind')}/{about.get('name')}",
    )


async def _can(question: Question, run: Run) -> RunCan:
    access, caller = question.service.access, question.caller
    patch, delete = await asyncio.gather(
        access.may(caller, Need("patch", RUNS), question.namespace),
        access.may(caller, Need("delete", RUNS), question.namespace),
    )
    goes = patch and not run.final and not run.cancelled
    return RunCan(
        cancel=goes,
        terminate=patch and not run.final and run.desired != "Terminated",
        suspend=goes and run.desired != "Suspended",
        resume=goes and run.desired == "Suspended",
        retry=patch and not run.cancelled and bool(run.status.get("revision")) and _has_failed(run),
        delete=delete,
    )


def _has_failed(run: Run) -> bool:
    return run.phase in ("Failed", "Cancelled") or (run.phase == "Running" and bool(run.status.get("failed")))


async def path(question: Question) -> PathAnswer:
    """The critical path so far."""
    view = await question.service.pictures.view(question.caller, question.namespace, question.name)
    state = view.state
    if state is None:
        return PathAnswer(rows=[], seconds=0)

    def steps() -> PathAnswer:
        found = path_of(state, time.time())
        rows = [PathRow(task=step.task, waited=step.waited, retried=step.retried, ran=step.ran) for step in found]
        return PathAnswer(rows=rows, seconds=sum(step.seconds for step in found))

    return await question.service.pictures.compute(view, steps)


async def waiting(question: Question) -> WaitsAnswer:
    """What waits, and the chains to the causes."""
    view = await question.service.pictures.view(question.caller, question.namespace, question.name)
    state, now = view.state, time.time()
    if state is None or state.planner is None or view.run.final:
        return WaitsAnswer(tasks=[], total=0)
    planner = state.planner

    def chains() -> WaitsAnswer:
        known = {wait.task: wait for wait in waits(state, now)}
        lost = [wait for wait in known.values() if wait.cause not in WORK]
        blocked = [wait for wait in known.values() if wait.cause in WORK and wait.reason == "Blocked"]
        shown = sorted(lost, key=lambda wait: -(wait.seconds(now) or 0.0))[:WAITS_SHOWN]
        shown += blocked[: WAITS_SHOWN - len(shown)]
        tasks = [
            WaitingTask(
                key=wait.task,
                cause=str(wait.cause),
                since=in_millis(wait.since),
                until=in_millis(wait.until),
                chain=[
                    ChainStep(text=step.text, link=_link(step.kind, view.run, step.name))
                    for step in chain(state, planner, wait, known, now).steps
                ],
            )
            for wait in shown
        ]
        return WaitsAnswer(tasks=tasks, total=len(lost) + len(blocked))

    return await question.service.pictures.compute(view, chains)


def _link(kind: str, run: Run, name: str) -> ChainLink | None:
    return ChainLink(kind=kind, namespace=run.namespace, name=name) if kind and name else None


ROUTES = (
    Route("GET", "runs", "Runs, the newest first.", runs, RunsAnswer, RunsQuery, needs=(Need("list", RUNS),)),
    Route("GET", "runs/{namespace}/{name}", "A run.", run, RunAnswer, needs=(Need("get", RUNS),)),
    Route(
        "GET", "runs/{namespace}/{name}/waits", "Why its tasks wait.", waiting, WaitsAnswer, needs=(Need("get", RUNS),)
    ),
    Route("GET", "runs/{namespace}/{name}/path", "Its critical path.", path, PathAnswer, needs=(Need("get", RUNS),)),
)
