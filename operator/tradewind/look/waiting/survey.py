"""All runs that have not ended, and what each of their tasks waits for."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from tradewind.control.dagrun.informer import UNFINISHED
from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dagrun.state import picture
from tradewind.control.dags.revisions import Revisions
from tradewind.kube.client import Client
from tradewind.kube.errors import NotFound
from tradewind.kube.labels import RUN_UID
from tradewind.kube.pages import items
from tradewind.kube.pod import Pod, parse_list
from tradewind.kube.resources import PODS, RUNS
from tradewind.look.reading import StatusUnreadable, reading
from tradewind.look.waiting.reason import Cause, Wait, queued
from tradewind.look.waiting.task_waits import waits
from tradewind.plan.dags.definition import Definition
from tradewind.plan.documents.problem import Invalid

PAGE = 500
UIDS = 100
"""Runs per list of pods: all pods would include many of ended runs."""
AT_ONCE = 8
"""Concurrent requests."""


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A run and its tasks that have not ended."""

    run: Run
    waits: list[Wait]


async def survey(
    client: Client, where: str | None, dag: str | None, revisions: Revisions, now: float
) -> list[Surveyed]:
    """Surveys the runs of a namespace, or of all, that have not ended; with `dag`, only that DAG's runs."""
    selector = f"{UNFINISHED},spec.dag={dag}" if dag else UNFINISHED
    runs = [run async for run in _runs(client, where, selector) if not run.deleting]
    begun = [run for run in runs if run.status.get("revision")]
    gate = asyncio.Semaphore(AT_ONCE)
    definitions, pods = await asyncio.gather(
        _definitions(revisions, {(run.namespace, run.status["revision"]) for run in begun}, gate),
        pods_of(client, where, [run.uid for run in begun], gate),
    )
    found = []
    for run in runs:
        definition = definitions.get((run.namespace, run.status.get("revision", "")))
        found.append(Surveyed(run, _waits(run, definition, pods.get(run.uid, {}), now)))
        await asyncio.sleep(0)  # lets Ctrl-C through between two runs
    return found


def _waits(run: Run, definition: Definition | None, pods: dict[str, Pod], now: float) -> list[Wait]:
    if not run.status.get("revision"):
        return [queued(run)]
    if definition is None:
        words = f"revision {run.status['revision']} can't be read"
        return [Wait("", Cause.OPERATOR, "RevisionLost", words, run.created)]
    try:
        with reading(f"dagrun/{run.name}"):
            return list(waits(picture(run, definition, pods), now))
    except StatusUnreadable as error:
        return [Wait("", Cause.OPERATOR, "StatusUnreadable", str(error), run.created)]


async def _runs(client: Client, where: str | None, selector: str) -> AsyncIterator[Run]:
    async for item in items(client, RUNS, where, PAGE, fieldSelector=selector):
        yield read_run(orjson.loads(item))


async def _definitions(
    revisions: Revisions, names: Iterable[tuple[str, str]], gate: asyncio.Semaphore
) -> dict[tuple[str, str], Definition]:
    """Each revision once, however many runs share it. Missing ones, and ones not of this version, are omitted."""

    async def load(namespace: str, name: str) -> Definition | None:
        async with gate:
            try:
                return await revisions.load(namespace, name)
            except (NotFound, Invalid):
                return None

    keys = sorted(names)
    loaded = await asyncio.gather(*(load(*key) for key in keys))
    return {key: found for key, found in zip(keys, loaded, strict=True) if found is not None}


async def pods_of(
    client: Client, where: str | None, uids: list[str], gate: asyncio.Semaphore | None = None
) -> dict[str, dict[str, Pod]]:
    """The pods of runs, by the run's uid and the pod's name."""
    gate = gate or asyncio.Semaphore(AT_ONCE)
    found: dict[str, dict[str, Pod]] = {}

    async def some(part: list[str]) -> None:
        query: dict[str, Any] = {"labelSelector": f"{RUN_UID} in ({','.join(part)})", "limit": str(PAGE)}
        while True:
            async with gate:
                page = parse_list(await client.list_raw(PODS, where, **query))
            for pod in page.items:
                found.setdefault(pod.metadata.labels[RUN_UID], {})[pod.metadata.name] = pod
            if not page.metadata.continue_:
                return
            query["continue"] = page.metadata.continue_

    await asyncio.gather(*(some(uids[at : at + UIDS]) for at in range(0, len(uids), UIDS)))
    return found
