"""Triggers for events. The event endpoint makes the runs; the operator records the latest one."""

from collections.abc import Callable
from typing import Any

from tradewind.control.dagrun.run import Run
from tradewind.control.triggers.run_maker import TriggerSnapshot
from tradewind.control.triggers.source import SourceResult
from tradewind.kube.resources import Key
from tradewind.model.duration import instant, stamp


class EventSource:
    """The source `event`."""

    def __init__(self, wake: Callable[[Key], None]) -> None:
        """`wake` queues a trigger."""
        self._wake = wake
        self._last: dict[Key, tuple[int, str]] = {}

    def run_seen(self, run: Run, deleted: bool = False) -> None:
        """A run was created, changed or deleted. Wakes its trigger if the run is newer than the last one."""
        key, made = (run.namespace, run.maker), (run.created, run.name)
        if run.how == "event" and run.maker and not deleted and made > self._last.get(key, (0, "")):
            self._last[key] = made
            self._wake(key)
        elif (
            deleted and self._last.get(key) == made
        ):  # By now it is recorded. The creator of a run can name any trigger.
            del self._last[key]

    async def look(self, trigger: TriggerSnapshot) -> SourceResult:
        """Reports the latest run."""
        made, before = self._last.get(trigger.key), trigger.status.get("lastRun") or {}
        if made is None or (before.get("at") and made[0] < instant(before["at"])):
            return SourceResult()
        last: dict[str, Any] = {"name": made[1], "at": stamp(made[0])}
        return SourceResult({"lastRun": last})

    def forget(self, key: Key) -> None:
        """Drops a trigger."""
        self._last.pop(key, None)
