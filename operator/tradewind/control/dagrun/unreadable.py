"""Runs that can't be brought on for what their status says, by a hand-edit or another version's hand: each says so in a condition."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tradewind.control.dagrun import status as runstatus
from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.writes import replace_status
from tradewind.control.shared.conditions import READINESS, condition, readiness
from tradewind.kube import merge_patch
from tradewind.kube.client import Client
from tradewind.kube.errors import Conflict, NotFound, Unavailable
from tradewind.kube.log_fields import extra
from tradewind.kube.work_queue import WorkQueue
from tradewind.plan.outcomes.attempt import CANCELLED

log = logging.getLogger(__name__)
TYPE = "Readable"
"""The condition. It goes when the status is written anew."""
REASON = "StatusUnreadable"
NEEDED = frozenset({"type", "status", "reason", "lastTransitionTime"})


class Unreadable:
    """Writes the condition `Readable=False`."""

    def __init__(self, client: Client, clock: Callable[[], float]) -> None:
        self._client, self._clock = client, clock
        self._found: dict[str, tuple[Run, str]] = {}
        self.queue: WorkQueue[str] = WorkQueue("unreadable")

    def add(self, run: Run, words: str) -> None:
        """A run can't be read, and why; said once for each reason. One that is cancelled or terminated ends."""
        log.error("run %s/%s: %s", run.namespace, run.name, words, extra=extra(**run.fields))
        if run.cancelled or not any(
            item["type"] == TYPE and item.get("message") == words for item in _conditions(run.status)
        ):
            self._found[run.uid] = (run, words)
            self.queue.add(run.uid)

    async def say(self, uid: str) -> None:
        """Writes it into the run. One that has changed since is looked at anew by whoever found it."""
        if uid not in self._found:
            return  # It was said meanwhile.
        run, words = found = self._found[uid]
        now, before = self._clock(), {"conditions": _conditions(run.status)}
        kept = [item for item in before["conditions"] if item["type"] not in {TYPE, *READINESS}]
        said = condition(TYPE, False, REASON, words, before, run.generation, now)
        conditions = [*kept, said, *readiness("Failed", REASON, words, before, run.generation, now)]
        status = self._end(run, words) if run.cancelled else {**run.status, "conditions": conditions}
        try:
            await replace_status(self._client, run, status)
        except (Conflict, NotFound):
            log.info("run %s/%s has changed", run.namespace, run.name, extra=extra(**run.fields))
        if self._found.get(uid) is found:  # Else there is more to say.
            del self._found[uid]

    def _end(self, run: Run, words: str) -> merge_patch.Status:
        """A status that ends a run, with what can be told of the one that can't be read."""
        kept = {
            name: run.status[name]
            for name in ("revision", "startedAt", "reopenedAt")
            if isinstance(run.status.get(name), str)
        }
        bare = replace(run, status=kept)
        message = f"cancelled; its status could not be read: {words}"
        return kept | runstatus.broken_off(bare, "Cancelled", CANCELLED, message, self._clock())

    def failed(self, uid: str, error: Exception) -> float | None:
        """It could not be written: once more, a little later."""
        log.warning("saying that run %s can't be read: %s", uid, error)
        return error.retry_after if isinstance(error, Unavailable) else None


def _conditions(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Those that are conditions."""
    found = status.get("conditions")
    return (
        [item for item in found if isinstance(item, dict) and item.keys() >= NEEDED] if isinstance(found, list) else []
    )
