"""The runs of DAGs that are backfilled: also those that have ended, which nobody else keeps in memory."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import orjson

from tradewind.control.dagrun.run import NO_BACKFILLS, Run, read_run
from tradewind.kube.client import Client
from tradewind.kube.pages import items
from tradewind.kube.resources import RUNS, Key
from tradewind.plan.triggers.backfill import TickRun

RUN_PAGE = 100
STALE = 300.0
"""Seconds after which they are read again: a watch that was cut off may have missed that one was deleted."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What of a run matters here."""

    dag: str
    name: str
    version: int
    moment: float
    created: int
    phase: str
    final: bool
    again: bool
    cancelled: bool
    rounds: int
    backfills: frozenset[str] = NO_BACKFILLS

    def past(self, backfill: str) -> TickRun:
        """The run, as seen by a backfill."""
        mine = backfill in self.backfills
        return TickRun(self.name, self.moment, self.created, self.phase, self.final, mine, self.again)


def entry(run: Run) -> Entry:
    """What failed in a run can be tried again once it has begun, unless it was cancelled."""
    again = run.phase == "Failed" and not run.cancelled and bool(run.status.get("revision"))
    return Entry(
        run.dag,
        run.name,
        run.version,
        run.moment,
        run.created,
        run.phase,
        run.final,
        again,
        run.cancelled,
        run.rounds,
        run.backfills,
    )


@dataclass(slots=True)
class _Shelf:
    """The runs of a DAG. `gone` are those that were deleted while they were being read."""

    read_at: float | None = None
    runs: dict[str, Entry] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)


class RunIndex:
    """Runs by DAG, of those DAGs that were asked for."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._shelves: dict[Key, _Shelf] = {}

    async def of(self, key: Key) -> dict[str, Entry]:
        """The runs of a DAG, by name. Raises what the API raises."""
        shelf = self._shelves.get(key)
        if shelf is None or shelf.read_at is None or time.monotonic() - shelf.read_at > STALE:
            shelf = await self._read(key)
        return shelf.runs

    def known(self, key: Key) -> dict[str, Entry] | None:
        """The runs of a DAG, as far as they have been read; None where they have not."""
        shelf = self._shelves.get(key)
        return shelf.runs if shelf and shelf.read_at is not None else None

    def seen(self, run: Run, deleted: bool = False) -> bool:
        """A run was created, has changed or is gone. Whether that is news."""
        shelf = self._shelves.get((run.namespace, run.dag))
        if shelf is None:
            return False
        known = shelf.runs.get(run.name)
        if deleted or run.deleting:
            shelf.gone.add(run.uid)
            return shelf.runs.pop(run.name, None) is not None
        if known and known.version >= run.version:
            return False
        made = shelf.runs[run.name] = entry(run)
        return known is None or (known.phase, known.final, known.backfills) != (made.phase, made.final, made.backfills)

    def forget(self, key: Key) -> None:
        """A DAG is backfilled no longer."""
        self._shelves.pop(key, None)

    async def _read(self, key: Key) -> _Shelf:
        shelf = self._shelves[key] = _Shelf()  # What the watch tells from now on is newer than the list, or told again.
        namespace, dag = key
        async for raw in items(self._client, RUNS, namespace, RUN_PAGE, fieldSelector=f"spec.dag={dag}"):
            run = read_run(orjson.loads(raw))
            known = shelf.runs.get(run.name)
            if run.uid not in shelf.gone and not run.deleting and (known is None or known.version < run.version):
                shelf.runs[run.name] = entry(run)
        shelf.read_at = time.monotonic()
        shelf.gone.clear()
        return shelf


def pasts(runs: dict[str, Entry], backfill: str) -> Iterator[TickRun]:
    """Runs, as seen by a backfill."""
    return (found.past(backfill) for found in runs.values())
