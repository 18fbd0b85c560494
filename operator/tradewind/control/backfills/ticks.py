"""The ticks of a backfill and the values for their runs, for the operator and for previews on the command line."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from tradewind.control.shared.coalesced_reads import CoalescingReader
from tradewind.control.triggers.calendars import Calendars
from tradewind.control.triggers.run_maker import TriggerSnapshot, body, run_name
from tradewind.control.triggers.source import NotReady
from tradewind.control.triggers.sources.schedule import firing, suffix
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import NotFound
from tradewind.kube.labels import BACKFILL
from tradewind.kube.resources import TRIGGERS
from tradewind.model.backfill import BackfillSpec
from tradewind.model.trigger import TriggerSpec
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.documents.read import read
from tradewind.plan.triggers.backfill import Step, own, source, ticks_of
from tradewind.plan.triggers.calendar import Calendar
from tradewind.plan.triggers.trigger import Firing, given, told, wanted


@dataclass(frozen=True)
class Occasions:
    """The ticks of a backfill, in UTC, and the trigger, or stand-in for one, that makes their runs."""

    backfill: str
    maker: TriggerSnapshot
    calendar: Calendar
    ticks: list[datetime]
    explicit: bool = False
    """Whether the ticks come from no calendar; their data intervals are then empty."""

    @property
    def of_trigger(self) -> bool:
        """Whether new runs have the name of a trigger."""
        return bool(self.maker.uid)

    @cached_property
    def moments(self) -> frozenset[datetime]:
        """The ticks as a set."""
        return frozenset(self.ticks)

    def run(self, step: Step) -> Object:
        """The run of a tick. Raises ExpressionError for params that can't be computed."""
        firing_ = self._firing(step.tick)
        spec = self.maker.spec.model_copy(update={"when": ""})  # Only wanted ticks are among the steps.
        found = given(self.maker.name, self.maker.namespace, spec, firing_)
        assert found is not None  # noqa: S101 - without `when` every tick is wanted
        made = body(self.maker, firing_, found)
        meta = made["metadata"]
        meta["labels"][f"{BACKFILL}{self.backfill}"] = "true"
        if step.action == "Rerun":
            meta["name"] = run_name(self.backfill, firing_.suffix)
        return made

    def names(self, tick: datetime) -> tuple[str, ...]:
        """The names that runs of a tick can have; none if it is not one of these ticks."""
        if tick not in self.moments:
            return ()
        return run_name(self.maker.name, suffix(tick)), run_name(self.backfill, suffix(tick))

    def wanted(self) -> Iterator[datetime]:
        """The ticks for which `when` is true. Raises ExpressionError."""
        maker = self.maker
        return (tick for tick in self.ticks if wanted(maker.name, maker.namespace, maker.spec, self._firing(tick)))

    def _firing(self, tick: datetime) -> Firing:
        local = told(self.calendar.local(tick))
        found = replace(
            firing(self.maker, self.calendar, tick),
            how="backfill",
            cause=f"Backfill {self.backfill}, tick {local}",
            queue="",
        )
        return replace(found, start=None, end=None) if self.explicit else found


class BackfillTicks:
    """Determines the occasions of backfills."""

    def __init__(self, client: Client) -> None:
        self._fresh, self._calendars = CoalescingReader(client), Calendars(client)

    async def of(self, namespace: str, name: str, created: datetime, spec: BackfillSpec) -> Occasions:
        """The occasions of a backfill, created at `created`. Raises Invalid, NotReady, ExpressionError and errors of the API."""
        trigger, uid, generation = None, "", 0
        if spec.trigger:
            try:
                found = await self._fresh.get(TRIGGERS, namespace, spec.trigger)
            except NotFound:
                raise NotReady(f"spec.trigger: there is no trigger {spec.trigger!r} in namespace {namespace}") from None
            try:
                trigger = read(TriggerSpec, found.get("spec") or {})
            except Invalid as error:
                raise NotReady(f"trigger {spec.trigger} is invalid: {error}") from None
            uid, generation = found["metadata"]["uid"], found["metadata"].get("generation") or 0
        maker_spec = source(spec, trigger)
        maker = TriggerSnapshot(namespace, spec.trigger or name, uid, generation, created.timestamp(), maker_spec, {})
        assert maker_spec.schedule is not None  # noqa: S101 - `source` has set it
        try:
            calendar = await self._calendars.of(namespace, maker_spec.schedule)
        except Invalid as error:
            if trigger:
                raise NotReady(f"trigger {spec.trigger} is invalid: {error}") from None
            raise Invalid([own(problem) for problem in error.problems]) from None
        ticks = await asyncio.to_thread(ticks_of, spec, calendar, created)
        occasions = Occasions(name, maker, calendar, ticks, explicit=not spec.trigger and not spec.cron)
        if not maker_spec.when:
            return occasions
        return replace(occasions, ticks=await asyncio.to_thread(lambda: list(occasions.wanted())))
