"""Triggers by events: the endpoint makes the runs, the operator tells of them."""

from typing import Any

from tradewind.control.dagrun.run import Run
from tradewind.control.triggers.run_maker import TriggerSnapshot
from tradewind.control.triggers.source import Key, SourceResult
from tradewind.model.duration import instant, stamp


class EventSource:
    """The source `event`."""

    written_first = False

    def __init__(self) -> None:
        self._last: dict[Key, tuple[int, str]] = {}

    def seen(self, run: Run) -> bool:
        """A run was seen; whether its trigger has something to tell of it."""
        if run.how != "event" or not run.maker:
            return False
        key, made = (run.namespace, run.maker), (run.created, run.name)
        if made <= self._last.get(key, (0, "")):
            return False
        self._last[key] = made
        return True

    async def look(self, trigger: TriggerSnapshot) -> SourceResult:
        """Tells the latest run."""
        made, before = self._last.get(trigger.key), trigger.status.get("lastRun") or {}
        if made is None or (before.get("at") and made[0] < instant(before["at"])):
            return SourceResult()
        told: dict[str, Any] = {"name": made[1], "at": stamp(made[0])}
        return SourceResult({"lastRun": told})

    def forget(self, key: Key) -> None:
        """Nothing is to be told of a trigger any more."""
        self._last.pop(key, None)
