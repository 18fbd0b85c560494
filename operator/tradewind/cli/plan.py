"""`tradewind plan`: the upcoming runs of schedules, and where they will delay each other."""

import asyncio
import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from statistics import median
from typing import Any

import click
import orjson
from rich.table import Table

from tradewind.cli.objects.targets import DAG
from tradewind.cli.options import OUTPUT, cluster
from tradewind.cli.output.terminal import Console, say, say_data
from tradewind.control.dags.template_index import rendered
from tradewind.control.triggers.calendars import Calendars
from tradewind.control.triggers.source import NotReady
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError, Forbidden, NotFound
from tradewind.kube.pages import items
from tradewind.kube.resources import CLUSTER_POOLS, POOLS, QUOTAS, RUNS, TRIGGERS
from tradewind.look.explained import explained
from tradewind.look.reading import status as status_of
from tradewind.model import duration
from tradewind.model.duration import between
from tradewind.model.schedule import Schedule
from tradewind.model.shown import counted
from tradewind.model.trigger import TriggerSpec
from tradewind.model.value import Param
from tradewind.plan.dags.compile import defined
from tradewind.plan.documents.problem import Invalid, summary
from tradewind.plan.documents.read import read
from tradewind.plan.triggers.calendar import Calendar
from tradewind.plan.triggers.due_ticks import shift
from tradewind.plan.triggers.forecast import PODS, Coming, Shape, Tick, foresee, shape
from tradewind.plan.triggers.trigger import check, told

MOST = 5_000
"""Ticks per trigger."""
LATEST = 20
"""Runs from which a DAG's usual duration is taken."""
PAGE = 100
AT_ONCE = 8


@click.command()
@click.option("--next", "ahead", default="24h", show_default=True, metavar="DURATION", help="How far to look ahead.")
@click.option("--dag", type=DAG, metavar="DAG", help="Only runs of this DAG.")
@click.option("--limit", type=click.IntRange(1), default=200, show_default=True, help="Maximum number of runs to show.")
@OUTPUT
@cluster
async def command(client: Client, namespace: str, ahead: str, dag: str | None, limit: int, output: str) -> None:
    """List upcoming runs of schedules, their expected ends by the usual duration of their DAGs' runs, and what may
    delay them: other runs, pools, a quota for pods. Runs that start for other reasons can't be predicted."""
    try:
        until = datetime.now(UTC) + timedelta(seconds=duration.seconds(ahead))
    except (ValueError, OverflowError) as error:
        raise click.UsageError(f"--next: {error}") from None
    notes = list[str]()
    found = await _scheduled(client, namespace, dag, notes)
    dags = await _dags(client, namespace, {trigger.spec.dag for trigger in found}, notes)
    ticks = _ticks([trigger for trigger in found if _fires(trigger, dags, notes)], until, notes)
    shapes = {name: known.shape for name, known in dags.items()}
    zones = {(tick.trigger, tick.at): local for tick, local in ticks}
    coming = foresee((tick for tick, _ in ticks), shapes, await _limits(client, namespace, notes))
    if output != "text":
        data = [_data(item, zones[item.tick.trigger, item.tick.at], shapes) for item in coming]
        say_data({"runs": data, "notes": notes}, output)
        return
    table = Table("TIME", "DAG", "TRIGGER", "TAKES", "NOTES", box=None, pad_edge=False, header_style="bold")
    for item in coming[:limit]:
        seconds = shapes.get(item.tick.dag, Shape()).seconds
        takes = duration.text(seconds) if seconds is not None else "?"
        local = zones[item.tick.trigger, item.tick.at]
        table.add_row(local, item.tick.dag, item.tick.trigger, takes, "; ".join(item.notes))
    if coming:
        Console().print_whole(table)
    for note in notes:
        say(f"note: {note}", err=True)
    more = f", the first {limit} shown (--limit)" if len(coming) > limit else ""
    say(f"{counted(len(coming), 'run')} by schedule in the next {ahead}{more}", err=True)


@dataclass(frozen=True, slots=True)
class _Scheduled:
    """A trigger with a schedule."""

    name: str
    uid: str
    spec: TriggerSpec
    schedule: Schedule
    calendar: Calendar


@dataclass(frozen=True, slots=True)
class _Known:
    """A DAG that can run."""

    shape: Shape
    params: Mapping[str, Param]


async def _scheduled(client: Client, namespace: str, dag: str | None, notes: list[str]) -> list[_Scheduled]:
    query = {"fieldSelector": f"spec.dag={dag}"} if dag else {}
    calendars, found = Calendars(client), list[_Scheduled]()
    for body in (await client.list(TRIGGERS, namespace, **query))["items"]:
        name = body["metadata"]["name"]
        try:
            spec = read(TriggerSpec, body["spec"])
            if spec.schedule is None:
                continue
            calendar = await calendars.of(namespace, spec.schedule)
        except (Invalid, NotReady) as error:
            notes.append(f"trigger {name}: {error}")
            continue
        by_itself = spec.suspend_after_failures and status_of(body).get("phase") == "Suspended"
        if spec.suspend or by_itself:
            notes.append(f"trigger {name} is suspended")
        else:
            found.append(_Scheduled(name, body["metadata"]["uid"], spec, spec.schedule, calendar))
    return found


async def _dags(client: Client, namespace: str, names: set[str], notes: list[str]) -> dict[str, _Known]:
    """The DAGs that can run; notes say why the others can't."""
    gate, found = asyncio.Semaphore(AT_ONCE), dict[str, _Known]()

    async def look(dag: str) -> None:
        async with gate:
            try:
                rendering = await rendered(client, namespace, dag)
                definition = defined(rendering)
                if rendering.spec.get("suspend"):
                    notes.append(f"DAG {dag} is suspended: its triggers make no runs")
                    return
                found[dag] = _Known(shape(definition, await _usual(client, namespace, dag)), definition.spec.params)
            except NotFound:
                notes.append(f"there is no DAG {dag}: its triggers wait")
            except Invalid as error:
                notes.append(f"DAG {dag} is invalid, so its runs can't begin: {error}")
            except ApiError as error:
                notes.append(f"DAG {dag}, or a template that it uses, can't be read: {explained(error)}")

    await asyncio.gather(*map(look, sorted(names)))
    return found


def _fires(trigger: _Scheduled, dags: Mapping[str, _Known], notes: list[str]) -> bool:
    """Whether the trigger creates runs, judged by its DAG and the params that it passes."""
    if trigger.spec.dag not in dags:
        return False
    if problems := check(trigger.spec, dags[trigger.spec.dag].params):
        notes.append(f"trigger {trigger.name} is invalid: {summary(problems)}")
    return not problems


def _ticks(triggers: list[_Scheduled], until: datetime, notes: list[str]) -> list[tuple[Tick, str]]:
    """The ticks, each with its time in the time zone of its schedule."""
    now, found = datetime.now(UTC), list[Iterator[tuple[Tick, str]]]()
    for trigger in triggers:
        ticks = list(islice(takewhile(lambda tick: tick <= until, trigger.calendar.after(now)), MOST + 1))
        if len(ticks) > MOST:
            notes.append(f"trigger {trigger.name}: only its first {MOST:,} ticks are considered")
        found.append(_ticks_of(trigger, ticks[:MOST]))
    return list(heapq.merge(*found, key=lambda item: item[0].at))


def _ticks_of(trigger: _Scheduled, ticks: list[datetime]) -> Iterator[tuple[Tick, str]]:
    schedule, dag = trigger.schedule, trigger.spec.dag
    for tick in ticks:
        at = tick + shift(schedule, trigger.uid, tick)
        yield Tick(at, trigger.name, dag, schedule.concurrency), told(trigger.calendar.local(tick))


async def _usual(client: Client, namespace: str, dag: str) -> float | None:
    """The median duration of the latest successful runs, in seconds."""
    took: list[tuple[str, float]] = []
    selector = f"spec.dag={dag},status.phase=Succeeded"
    async for raw in items(client, RUNS, namespace, PAGE, fieldSelector=selector):
        status = status_of(orjson.loads(raw))
        started, finished = status.get("startedAt"), status.get("finishedAt")
        if (
            started and finished and not status.get("reopenedAt")
        ):  # a reopened run may have been idle for days between its ends
            took.append((finished, between(started, finished)))
    return median(seconds for _, seconds in sorted(took)[-LATEST:]) if took else None


async def _limits(client: Client, namespace: str, notes: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for resource, what in ((POOLS, "pool"), (CLUSTER_POOLS, "clusterpool")):
        try:
            for body in (await client.list(resource, namespace if resource.namespaced else None))["items"]:
                found[f"{what} {body['metadata']['name']}"] = int(body["spec"]["slots"])
        except ApiError as error:
            notes.append(f"{resource.plural} are not taken into account: {error.message}")
    try:
        for body in (await client.list(QUOTAS, namespace))["items"]:
            hard: Mapping[str, Any] = body["spec"].get("hard") or {}
            for name in ("pods", "count/pods"):
                if str(hard.get(name, "")).isdecimal():
                    found[PODS] = min(found.get(PODS, int(hard[name])), int(hard[name]))
    except (Forbidden, NotFound) as error:
        notes.append(f"quotas are not taken into account: {error.message}")
    return found


def _data(item: Coming, local: str, shapes: Mapping[str, Shape]) -> dict[str, Any]:
    return {
        "tick": local,
        "at": told(item.tick.at),
        "dag": item.tick.dag,
        "trigger": item.tick.trigger,
        "expectedSeconds": shapes.get(item.tick.dag, Shape()).seconds,
        "expectedEnd": told(item.ends) if item.ends else None,
        "notes": list(item.notes),
    }
