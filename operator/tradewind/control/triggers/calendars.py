"""Calendars of schedules, with days from ConfigMaps."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from tradewind.control.shared.coalesced_reads import CoalescingReader
from tradewind.control.triggers.source import NotReady
from tradewind.kube.client import Client
from tradewind.kube.errors import Forbidden, NotFound
from tradewind.kube.resources import CONFIG_MAPS
from tradewind.model.schedule import CalendarRef, Schedule
from tradewind.plan.triggers.calendar import Calendar
from tradewind.plan.triggers.excluded_days import Days, read_calendar, united

FRESH = 30.0
"""Seconds for which a ConfigMap counts as current after it was read."""
CALENDARS_KEPT = 256
SCHEDULES_KEPT, SCHEDULE_KEPT = 64, 16_384
"""Schedules whose calendars are in memory, and the characters of one."""
KEYS_LIMIT = 50
"""Keys of a ConfigMap that are read as calendars if none is named."""
CalendarKey = tuple[str, str, str]
"""Namespace, ConfigMap and key."""


class Calendars:
    """Makes the calendars of schedules."""

    def __init__(self, client: Client, clock: Callable[[], float] = time.time) -> None:
        self._fresh, self._clock = CoalescingReader(client), clock
        self._read: OrderedDict[CalendarKey, tuple[float, Days]] = OrderedDict()
        """When each calendar was read (epoch seconds), and its days; the latest at the end."""
        self._made: OrderedDict[tuple[str, str], tuple[Mapping[int, Days], Calendar]] = OrderedDict()
        """By namespace and schedule: its calendar, which remembers where there are no ticks, and the days that it was made with."""

    async def of(self, namespace: str, schedule: Schedule) -> Calendar:
        """The calendar of a schedule. Raises NotReady for a missing or invalid ConfigMap, Invalid for an invalid schedule."""
        days = {}
        for index, exclusion in enumerate(schedule.exclude):
            if exclusion.config_map:
                days[index] = await self._days(
                    namespace, f"spec.schedule.exclude[{index}].configMap", exclusion.config_map
                )
        key = (namespace, schedule.model_dump_json())
        known = self._made.get(key)
        if known is None or any(known[0][index] is not found for index, found in days.items()):
            known = days, Calendar(schedule, days)
            if len(key[1]) > SCHEDULE_KEPT:
                return known[1]
            self._made[key] = known
            if len(self._made) > SCHEDULES_KEPT:
                self._made.popitem(last=False)
        self._made.move_to_end(key)
        return known[1]

    async def _days(self, namespace: str, path: str, ref: CalendarRef) -> Days:
        key, now = (namespace, ref.name, ref.key), self._clock()
        at, found = self._read.get(key, (float("-inf"), Days()))
        if not 0 <= now - at < FRESH:
            found = _days_in(await self._data(namespace, path, ref.name), path, ref)
            self._read[key] = (now, found)
            self._read.move_to_end(key)
            if len(self._read) > CALENDARS_KEPT:
                self._read.popitem(last=False)
        return found

    async def _data(self, namespace: str, path: str, name: str) -> Mapping[str, Any]:
        try:
            return (await self._fresh.get(CONFIG_MAPS, namespace, name)).get("data") or {}
        except NotFound:
            raise NotReady(f"{path}.name: there is no ConfigMap {name!r}; ticks wait for it") from None
        except Forbidden as error:
            raise NotReady(f"{path}.name: ConfigMap {name!r} can't be read: {error.message}") from None


def _days_in(data: Mapping[str, Any], path: str, ref: CalendarRef) -> Days:
    """The days of a ConfigMap's key, or of all its keys. Raises NotReady."""
    if ref.key and ref.key not in data:
        raise NotReady(f"{path}.key: ConfigMap {ref.name} has no key {ref.key!r}")
    keys = [ref.key] if ref.key else sorted(data)
    if len(keys) > KEYS_LIMIT:
        raise NotReady(f"{path}: ConfigMap {ref.name} has {len(keys)} keys, and {KEYS_LIMIT} are read: name one")
    found = []
    for number, key in enumerate(keys, 1):
        try:
            found.append(read_calendar(str(data[key])))
        except ValueError as error:
            which = f"key {key}" if ref.key else f"key {number} of {len(data)} in alphabetical order"
            raise NotReady(f"{path}: ConfigMap {ref.name}, {which}, {error}") from None
    return united(found)
