"""Where runs stand among the ticks of what made them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tradewind.model.schedule import Schedule
from tradewind.plan.triggers.calendar import Calendar
from tradewind.plan.triggers.newest_tick import Place, place


def on(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("schedule", "date", "now", "found"),
    [
        ({"cron": "@daily"}, "2026-05-01T00:00Z", "2026-05-01T23:59Z", Place(True, "2026-05-02T00:00:00Z")),
        ({"cron": "@daily"}, "2026-05-01T00:00Z", "2026-05-02T00:00Z", Place(False, "2026-05-02T00:00:00Z")),
        (
            {"cron": "@daily", "timeZone": "Asia/Tokyo"},
            "2026-04-30T15:00Z",
            "2026-04-30T16:00Z",
            Place(True, "2026-05-02T00:00:00+09:00"),
        ),
        ({"dates": ["2026-05-01", "2026-05-03"]}, "2026-05-03T00:00Z", "2026-06-01T00:00Z", Place(True, "")),
        ({"cron": "@daily", "end": "2026-05-01"}, "2026-05-01T00:00Z", "2026-06-01T00:00Z", Place(True, "")),
        # The schedule has changed since, and the date is no tick of it any more.
        ({"cron": "0 6 * * *"}, "2026-05-01T00:00Z", "2026-05-01T05:00Z", Place(True, "2026-05-01T06:00:00Z")),
        ({"cron": "0 6 * * *"}, "2026-05-01T00:00Z", "2026-05-01T06:00Z", Place(False, "2026-05-01T06:00:00Z")),
    ],
)
def test_a_run_is_the_latest_until_the_next_tick_comes(
    schedule: dict[str, Any], date: str, now: str, found: Place
) -> None:
    assert place(Calendar(Schedule.model_validate(schedule)), on(date), on(now)) == found
