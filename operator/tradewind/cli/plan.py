"""`tradewind plan`: the runs that schedules will make, and where they will be in each other's way."""

import asyncio
import heapq
from collections.abc import Iterator, Mapping
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
from tradewind.cli.reading import status as status_of
from tradewind.control.dags.template_index import rendered
from tradewind.control.triggers.calendars import Calendars
from tradewind.control.triggers.source import NotReady
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError, Forbidden, NotFound
from tradewind.kube.pages import items
from tradewind.kube.resources import CLUSTER_POOLS, POOLS, QUOTAS, RUNS, TRIGGERS
from tradewind.model import duration
from tradewind.model.duration import between
from tradewind.model.trigger import TriggerSpec
from tradewind.plan.dags.compile import defined
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.documents.read import read
from tradewind.plan.triggers.due_ticks import shift
from tradewind.plan.triggers.forecast import PODS, Coming, Shape, Tick, foresee, shape
from tradewind.plan.triggers.trigger import told

MOST = 5_000
"""Ticks of one trigger."""
LATEST = 20
"""Runs that tell how long a DAG usually takes."""
PAGE = 100
AT_ONCE = 8


@click.command()
@click.option("--next", "ahead", default="24h", show_default=True, metavar="DURATION", help="How far to look ahead.")
@click.option("--dag", type=DAG, metavar="DAG", help="Only runs of this DAG.")
@click.option("--limit", type=click.IntRange(1), default=200, show_default=True, help="Runs that are shown.")
@OUTPUT
@cluster
async def command(client: Client, namespace: str, ahead: str, dag: str | None, limit: int, output: str) -> None:
    """List the runs that schedules will make, when they may end by how long their DAGs' runs usually take, and what may hold them up: other
    runs, pools, a quota of pods. What starts for other reasons can't be foreseen."""
    try:
        until = datetime.now(UTC) + timedelta(seconds=duration.seconds(ahead))
    except (ValueError, OverflowError) as error:
        raise click.UsageError(f"--next: {error}") from None
    ticks, notes = await _ticks(client, namespace, until, dag)
    shapes = await _shapes(client, namespace, {tick.dag for tick, _ in ticks}, notes)
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
        Console().whole(table)
    for note in notes:
        say(f"note: {note}", err=True)
    more = f", the first {limit} are shown (--limit)" if len(coming) > limit else ""
    say(f"{len(coming)} runs by schedule in the next {ahead}{more}", err=True)


async def _ticks(
    client: Client, namespace: str, until: datetime, dag: str | None
) -> tuple[list[tuple[Tick, str]], list[str]]:
    """The ticks, each with its time as its schedule tells it, and what is left out."""
    query = {"fieldSelector": f"spec.dag={dag}"} if dag else {}
    calendars, notes, found = Calendars(client), list[str](), list[Iterator[tuple[Tick, str]]]()
    now = datetime.now(UTC)
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
        if spec.suspend:
            notes.append(f"trigger {name} is suspended")
            continue
        schedule, uid, run = spec.schedule, body["metadata"]["uid"], spec.dag
        between_ = list(islice(takewhile(lambda tick: tick <= until, calendar.after(now)), MOST + 1))
        if len(between_) > MOST:
            notes.append(f"trigger {name}: only its first {MOST:,} ticks are looked at")
        found.append(
            (Tick(tick + shift(schedule, uid, tick), name, run, schedule.concurrency), told(calendar.local(tick)))
            for tick in between_[:MOST]
        )
    return list(heapq.merge(*found, key=lambda item: item[0].at)), notes


async def _shapes(client: Client, namespace: str, dags: set[str], notes: list[str]) -> dict[str, Shape]:
    gate, found = asyncio.Semaphore(AT_ONCE), dict[str, Shape]()

    async def look(dag: str) -> None:
        async with gate:
            try:
                spec = await rendered(client, namespace, dag)
                found[dag] = shape(defined(spec), await _usual(client, namespace, dag))
                if spec.spec.get("suspend"):
                    notes.append(f"DAG {dag} is suspended: it gets no runs")
            except NotFound:
                notes.append(f"there is no DAG {dag}: its triggers wait")
            except Invalid as error:
                notes.append(f"DAG {dag} is invalid: {error}")

    await asyncio.gather(*map(look, sorted(dags)))
    return found


async def _usual(client: Client, namespace: str, dag: str) -> float | None:
    """Seconds that the latest successful runs took: their median."""
    took: list[tuple[str, float]] = []
    selector = f"spec.dag={dag},status.phase=Succeeded"
    async for raw in items(client, RUNS, namespace, PAGE, fieldSelector=selector):
        status = status_of(orjson.loads(raw))
        started, finished = status.get("startedAt"), status.get("finishedAt")
        if started and finished:
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
