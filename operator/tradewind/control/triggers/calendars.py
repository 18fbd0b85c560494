"""Calendars that schedules take from ConfigMaps."""

import time
from collections.abc import Callable
from typing import Any

from tradewind.control.shared.coalesced_reads import CoalescingReader
from tradewind.control.triggers.source import NotReady
from tradewind.kube.client import Client
from tradewind.kube.errors import Forbidden, NotFound
from tradewind.kube.resources import CONFIG_MAPS
from tradewind.model.schedule import CalendarRef, Schedule
from tradewind.plan.triggers.calendar import Calendar
from tradewind.plan.triggers.excluded_days import Days, read_calendar

FRESH = 30.0
"""Seconds for which a ConfigMap is taken as it was read."""
Data = dict[str, Any]


class Calendars:
    """Makes the calendars of schedules."""

    def __init__(self, client: Client, clock: Callable[[], float] = time.time) -> None:
        self._fresh, self._clock = CoalescingReader(client), clock
        self._read: dict[tuple[str, str], tuple[float, Data]] = {}

    async def of(self, namespace: str, schedule: Schedule) -> Calendar:
        """Raises Waits for a ConfigMap that is not there or says something else than days, Invalid for the schedule itself."""
        days = {}
        for index, exclusion in enumerate(schedule.exclude):
            if exclusion.config_map:
                days[index] = await self._days(
                    namespace, f"spec.schedule.exclude[{index}].configMap", exclusion.config_map
                )
        return Calendar(schedule, days)

    async def _days(self, namespace: str, path: str, ref: CalendarRef) -> Days:
        data = await self._data(namespace, path, ref.name)
        if ref.key and ref.key not in data:
            raise NotReady(f"{path}.key: ConfigMap {ref.name} has no key {ref.key!r}")
        found = Days()
        for number, key in enumerate([ref.key] if ref.key else sorted(data), 1):
            try:
                found |= read_calendar(str(data[key]))
            except ValueError as error:
                which = f"key {key}" if ref.key else f"key {number} of {len(data)} in alphabetical order"
                raise NotReady(f"{path}: ConfigMap {ref.name}, {which}, {error}") from None
        return found

    async def _data(self, namespace: str, path: str, name: str) -> Data:
        key, now = (namespace, name), self._clock()
        at, data = self._read.get(key, (float("-inf"), {}))
        if not 0 <= now - at < FRESH:
            try:
                data = (await self._fresh.get(CONFIG_MAPS, *key)).get("data") or {}
            except NotFound:
                raise NotReady(f"{path}.name: there is no ConfigMap {name!r}; ticks wait for it") from None
            except Forbidden as error:
                raise NotReady(f"{path}.name: ConfigMap {name!r} can't be read: {error.message}") from None
            self._read[key] = (now, data)
        return data
