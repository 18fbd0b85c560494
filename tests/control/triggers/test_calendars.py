"""Calendars in ConfigMaps: read within bounds, and with little memory."""

from typing import Any

import pytest
from tradewind.control.triggers.calendars import CALENDARS_KEPT, SCHEDULES_KEPT, Calendars
from tradewind.control.triggers.source import NotReady
from tradewind.kube.client import Client
from tradewind.model.schedule import Schedule


class Maps(Client):
    """Has every ConfigMap."""

    def __init__(self, data: dict[str, str]) -> None:
        self.data, self.asked = data, 0

    async def get(self, resource: Any, namespace: str, name: str) -> Any:
        self.asked += 1
        return {"data": self.data}


def schedule(name: str, **ref: str) -> Schedule:
    return Schedule.model_validate({"cron": "@daily", "exclude": [{"configMap": {"name": name, **ref}}]})


async def test_what_is_kept_of_calendars_is_bounded_however_many_are_named() -> None:
    client = Maps({"days": "05-01\n", "other": "x" * 1_000_000})
    calendars = Calendars(client, lambda: 0.0)
    for number in range(CALENDARS_KEPT + 50):
        await calendars.of("ns", schedule(f"map-{number}", key="days"))
    assert len(calendars._read) == CALENDARS_KEPT
    assert "xxxx" not in repr(calendars._read.values())
    asked = client.asked
    await calendars.of("ns", schedule(f"map-{CALENDARS_KEPT + 49}", key="days"))
    assert client.asked == asked


async def test_a_config_map_of_many_keys_is_no_calendar() -> None:
    with pytest.raises(NotReady, match="has 51 keys, and 50 are read: name one"):
        await Calendars(Maps({f"k{number}": "05-01" for number in range(51)})).of("ns", schedule("many"))


async def test_the_calendar_of_a_schedule_is_made_once_for_all_its_runs() -> None:
    now = 0.0
    client = Maps({"days": "05-01\n"})
    calendars = Calendars(client, lambda: now)
    made = await calendars.of("ns", schedule("map", key="days"))
    assert await calendars.of("ns", schedule("map", key="days")) is made
    assert await calendars.of("other", schedule("map", key="days")) is not made
    now = 60.0
    assert await calendars.of("ns", schedule("map", key="days")) is not made, "its days were read again"
    for number in range(SCHEDULES_KEPT + 5):
        await calendars.of("ns", schedule(f"map-{number}", key="days"))
    long = Schedule.model_validate({"dates": ["2026-01-01T00:00:00Z"] * 1_000})
    assert await calendars.of("ns", long) is not await calendars.of("ns", long)
    assert len(calendars._made) == SCHEDULES_KEPT
