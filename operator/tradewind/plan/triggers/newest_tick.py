"""Where a run stands among the ticks of what made it."""

from dataclasses import dataclass
from datetime import datetime

from tradewind.plan.triggers.calendar import Calendar
from tradewind.plan.triggers.trigger import told


@dataclass(frozen=True, slots=True)
class Place:
    """`latest` says whether no later tick has come yet, `next_date` is the tick after the run's; empty if there is none."""

    latest: bool = True
    next_date: str = ""


BY_ITSELF = Place()
"""That of a run that belongs to no tick."""


def place(calendar: Calendar, date: datetime, now: datetime) -> Place:
    """The place of a run with this logical date."""
    newest, after = next(calendar.before(now), date), next(calendar.after(date), None)
    return Place(newest <= date, told(calendar.local(after)) if after else "")
