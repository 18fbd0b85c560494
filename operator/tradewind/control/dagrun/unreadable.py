"""Runs whose status can't be read, after a manual edit or a write by another version. Each gets a condition that says so."""

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
"""The condition. It disappears when the status is next written."""
REASON = "StatusUnreadable"
NEEDED = frozenset({"type", "status", "reason", "lastTransitionTime"})


class Unreadable:
    """Writes the condition `Readable=False`."""

    def __init__(self, client: Client, clock: Callable[[], float]) -> None:
        self._client, self._clock = client, clock
        self._found: dict[str, tuple[Run, str]] = {}
        self.queue: WorkQueue[str] = WorkQueue("unreadable")

    def add(self, run: Run, words: str) -> None:
        """Records that a run can't be read and why. Each reason is written once. A cancelled or terminated run ends."""
        log.error("run %s/%s: %s", run.namespace, run.name, words, extra=extra(**run.fields))
        if run.cancelled or not any(
            item["type"] == TYPE and item.get("message") == words for item in _conditions(run.status)
        ):
            self._found[run.uid] = (run, words)
            self.queue.add(run.uid)

    async def write(self, uid: str) -> None:
        """Writes the condition. If the run has changed since, the code that found it unreadable checks it again."""
        if uid not in self._found:
            return  # already written
        run, words = found = self._found[uid]
        now, before = self._clock(), {"conditions": _conditions(run.status)}
        kept = [item for item in before["conditions"] if item["type"] not in {TYPE, *READINESS}]
        unreadable = condition(TYPE, False, REASON, words, before, run.generation, now)
        conditions = [*kept, unreadable, *readiness("Failed", REASON, words, before, run.generation, now)]
        status = self._end(run, words) if run.cancelled else {**run.status, "conditions": conditions}
        try:
            await replace_status(self._client, run, status)
        except (Conflict, NotFound):
            log.info("run %s/%s has changed", run.namespace, run.name, extra=extra(**run.fields))
        if self._found.get(uid) is found:  # Otherwise a newer reason is waiting.
            del self._found[uid]

    def _end(self, run: Run, words: str) -> merge_patch.Status:
        """A status that ends a run, with the fields of the unreadable status that are valid."""
        kept = {
            name: run.status[name]
            for name in ("revision", "startedAt", "reopenedAt")
            if isinstance(run.status.get(name), str)
        }
        bare = replace(run, status=kept)
        message = f"cancelled; its status could not be read: {words}"
        return kept | runstatus.broken_off(bare, "Cancelled", CANCELLED, message, self._clock())

    def failed(self, uid: str, error: Exception) -> float | None:
        """Handles a failed write: the queue retries after the returned seconds, or its own delay."""
        log.warning("saying that run %s can't be read: %s", uid, error)
        return error.retry_after if isinstance(error, Unavailable) else None


def _conditions(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The well-formed conditions of a status."""
    found = status.get("conditions")
    return (
        [item for item in found if isinstance(item, dict) and item.keys() >= NEEDED] if isinstance(found, list) else []
    )
