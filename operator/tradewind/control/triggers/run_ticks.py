"""The ticks around a run, by what made it: its schedule, or its backfill."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dags.start_values import NotThere
from tradewind.control.shared.coalesced_reads import CoalescingReader
from tradewind.control.triggers.calendars import Calendars
from tradewind.control.triggers.source import NotReady
from tradewind.kube.client import Client
from tradewind.kube.errors import NotFound
from tradewind.kube.resources import BACKFILLS, RUNS, TRIGGERS
from tradewind.model.backfill import BackfillSpec
from tradewind.model.schedule import Schedule
from tradewind.model.trigger import TriggerSpec
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.documents.read import read
from tradewind.plan.triggers.backfill import source
from tradewind.plan.triggers.newest_tick import BY_ITSELF, Place, place

MOST_CALLERS = 16
"""Runs around a run that are read, whatever it claims: sub-DAGs are less deep."""
OF_THE_PAST = Place(latest=False)
"""That of a backfill's run whose backfill or trigger is gone."""


class RunTicks:
    """Says where runs stand among the ticks of what made them, as that is now."""

    def __init__(self, client: Client, reader: CoalescingReader, clock: Callable[[], float] = time.time) -> None:
        self._client, self._reader, self._clock = client, reader, clock
        self._calendars = Calendars(client, clock)

    async def of(self, run: Run) -> Place:
        """The place of a run; that of a sub-DAG's run is its caller's. A run by hand, and one whose trigger is gone, has no later tick. Raises
        NotThere for a calendar that is missing, and errors of the API."""
        made = run
        try:
            made = await self._outermost(run)
            schedule = await self._schedule(made)
            if schedule is None:
                return BY_ITSELF
            calendar = await self._calendars.of(made.namespace, schedule)
        except NotFound:
            return OF_THE_PAST if made.how == "backfill" else BY_ITSELF
        except Invalid:
            return BY_ITSELF  # It has no ticks until it is corrected.
        except NotReady as error:
            raise NotThere(f"{made.how} {made.maker}: {error}") from None
        date, now = (datetime.fromtimestamp(moment, UTC) for moment in (made.moment, self._clock()))
        return place(calendar, date, now)

    async def _outermost(self, run: Run) -> Run:
        for _ in range(MOST_CALLERS):
            if run.caller is None:
                break
            caller = read_run(await self._reader.get(RUNS, run.namespace, run.caller.run))
            if caller.uid != run.caller.uid:
                break
            run = caller
        return run

    async def _schedule(self, run: Run) -> Schedule | None:
        """What gives the ticks of a run; None if nothing does."""
        if run.how == "schedule":
            return (await self._trigger(run.namespace, run.maker)).schedule
        if run.how != "backfill" or not run.backfills:
            return None
        # The operator's account may list backfills, not get them.
        query = {"fieldSelector": f"metadata.name={min(run.backfills)}"}
        found = (await self._client.list(BACKFILLS, run.namespace, **query))["items"]
        if not found:
            raise NotFound(404, "NotFound", "the backfill is gone")
        spec = read(BackfillSpec, found[0].get("spec") or {})
        trigger = await self._trigger(run.namespace, spec.trigger) if spec.trigger else None
        schedule = source(spec, trigger).schedule
        return schedule if trigger or schedule is None else schedule.model_copy(update={"end": None})

    async def _trigger(self, namespace: str, name: str) -> TriggerSpec:
        return read(TriggerSpec, (await self._reader.get(TRIGGERS, namespace, name)).get("spec") or {})
