"""The runs of some DAGs, including ended ones, which no other part keeps in memory."""

import asyncio
import time
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

import orjson

from tradewind.control.dagrun.run import Run, read_run
from tradewind.kube.client import Client
from tradewind.kube.pages import items
from tradewind.kube.resources import RUNS, Key
from tradewind.model.duration import instant
from tradewind.plan.starts.past_runs import PastRun

RUN_PAGE = 100
STALE = 300.0
"""Seconds until the runs are read again: a watch that was interrupted may have missed a deletion."""


@dataclass(frozen=True, slots=True)
class Entry(PastRun):
    """The relevant fields of a run."""

    dag: str
    version: int
    final: bool
    again: bool
    cancelled: bool
    rounds: int
    partial: bool
    backfills: frozenset[str]
    trigger: str
    """The Trigger that made it for something that had just happened."""
    ended: float
    """Epoch seconds of its end; of its creation if that is unknown."""
    uid: str


def entry(run: Run) -> Entry:
    """The fields of a run. A failed run can be retried if it had begun and was not cancelled."""
    again = run.phase == "Failed" and not run.cancelled and bool(run.status.get("revision"))
    return Entry(
        run.name,
        run.phase,
        run.moment,
        run.created,
        "logicalDate" in run.dates,
        run.dag,
        run.version,
        run.final,
        again,
        run.cancelled,
        run.rounds,
        run.partial,
        run.backfills,
        "" if run.how == "backfill" else run.maker,
        _ended(run),
        run.uid,
    )


def _ended(run: Run) -> float:
    try:
        return instant(str(run.status.get("finishedAt")))
    except ValueError:
        return run.created


@dataclass(slots=True)
class _Shelf:
    """The runs of a DAG. `gone` are the uids of runs that were deleted while they were being read."""

    read_at: float | None = None
    runs: dict[str, Entry] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)


class RunIndex:
    """Runs by DAG, for requested DAGs."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._shelves: dict[Key, _Shelf] = {}
        self._reading: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """By namespace: many runs of a DAG ask at once, and each page takes memory."""

    async def of(self, key: Key) -> dict[str, Entry]:
        """The runs of a DAG by name. Raises errors of the API."""
        if shelf := self._current(key):
            return shelf.runs
        async with self._reading.setdefault(key[0], asyncio.Lock()):
            return (self._current(key) or await self._read(key)).runs

    def _current(self, key: Key) -> _Shelf | None:
        shelf = self._shelves.get(key)
        if shelf is None or shelf.read_at is None or time.monotonic() - shelf.read_at > STALE:
            return None
        return shelf

    def known(self, key: Key) -> dict[str, Entry] | None:
        """The runs of a DAG by name; None if they have not been read."""
        shelf = self._shelves.get(key)
        return shelf.runs if shelf and shelf.read_at is not None else None

    def seen(self, run: Run, deleted: bool = False) -> bool:
        """A run was created, changed or deleted. Returns whether that changes its phase or its backfills."""
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

    def lost(self, key: Key, name: str) -> None:
        """Drops a run that does not exist any more: its deletion was missed."""
        if shelf := self._shelves.get(key):
            shelf.runs.pop(name, None)

    def forget(self, key: Key) -> None:
        """Drops a DAG whose runs nobody needs to know any more."""
        self._shelves.pop(key, None)

    async def _read(self, key: Key) -> _Shelf:
        shelf = self._shelves[key] = (
            _Shelf()
        )  # From now on the watch reports newer versions than the list, or the same.
        namespace, dag = key
        async for raw in items(self._client, RUNS, namespace, RUN_PAGE, fieldSelector=f"spec.dag={dag}"):
            run = read_run(orjson.loads(raw))
            known = shelf.runs.get(run.name)
            if run.uid not in shelf.gone and not run.deleting and (known is None or known.version < run.version):
                shelf.runs[run.name] = entry(run)
        shelf.read_at = time.monotonic()
        shelf.gone.clear()
        return shelf
